/** Structured outputs through HTTP, on the shipped model: what is sampled is what was asked for, and nothing else. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { modelPath, type Served, serve } from "./serve.ts";

interface Choice {
  readonly text: string;
  readonly message: { readonly content: string };
  readonly finish_reason: string;
  readonly logprobs: { readonly token_logprobs: number[] };
}

describe("structured outputs", () => {
  let server: Served;
  before(async () => {
    server = await serve(["--model", modelPath("trained")]);
  });
  after(async () => {
    await server.stop();
  });

  const post = async (
    path: string,
    body: unknown,
  ): Promise<{ status: number; body: { choices: Choice[]; error: { message: string; param: string | null } } }> => {
    const response = await fetch(`${server.url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as never };
  };
  const complete = (fields: Record<string, unknown>) =>
    post("/v1/completions", { prompt: "What is 17 + 25?", max_tokens: 60, ...fields });

  test("regex, choice and grammar bind every sample, greedy and not", async () => {
    const cases: [Record<string, unknown>, RegExp][] = [
      [{ regex: "[0-9]{3}" }, /^[0-9]{3}$/],
      [{ choice: ["yes", "no", "maybe so"] }, /^(yes|no|maybe so)$/],
      [{ grammar: 'root ::= "<" [a-c]+ ">" | "é" [0-9]{2}' }, /^(<[a-c]+>|é[0-9]{2})$/],
    ];
    for (const [structured_outputs, expected] of cases) {
      for (const sampling of [{ temperature: 0 }, { temperature: 1, n: 4, seed: 3, top_p: 0.9 }]) {
        const { status, body } = await complete({ structured_outputs, ...sampling });
        assert.equal(status, 200, JSON.stringify(body));
        for (const choice of body.choices) {
          if (choice.finish_reason === "length") continue;
          assert.equal(choice.finish_reason, "stop");
          assert.match(choice.text, expected);
        }
      }
    }
  });

  test("a JSON schema by response_format, streamed and whole", async () => {
    const schema = {
      type: "object",
      properties: { ok: { type: "boolean" }, n: { type: "integer", minimum: 1, maximum: 99 } },
      required: ["ok", "n"],
      additionalProperties: false,
    };
    const chat = {
      messages: [{ role: "user", content: "2 + 2 = ?" }],
      max_tokens: 100,
      temperature: 1,
      seed: 5,
      response_format: { type: "json_schema", json_schema: { name: "s", schema } },
    };
    const whole = await post("/v1/chat/completions", chat);
    assert.equal(whole.status, 200, JSON.stringify(whole.body));
    const text = whole.body.choices[0]!.message.content;
    const value = JSON.parse(text) as { ok: boolean; n: number };
    assert.equal(typeof value.ok, "boolean");
    assert.ok(Number.isInteger(value.n) && value.n >= 1 && value.n <= 99, text);
    const response = await fetch(`${server.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...chat, stream: true }),
    });
    const pieces = (await response.text())
      .split("\n\n")
      .filter((line) => line.startsWith("data: {"))
      .map(
        (line) =>
          (JSON.parse(line.slice(6)) as { choices: { delta: { content?: string } }[] }).choices[0]?.delta.content ?? "",
      );
    assert.equal(pieces.join(""), text);
  });

  test("logprobs are of the masked distribution; penalties, biases and stop tokens go along", async () => {
    const { body } = await complete({
      structured_outputs: { choice: ["a"] },
      logprobs: 2,
      temperature: 1,
      logit_bias: { "5": 100 },
      repetition_penalty: 1.2,
    });
    const [choice] = body.choices;
    assert.equal(choice!.text, "a");
    for (const logprob of choice!.logprobs.token_logprobs) assert.ok(Math.abs(logprob) < 1e-6, String(logprob));
    const ignoring = await complete({
      structured_outputs: { regex: "ab" },
      ignore_eos: true,
      min_tokens: 5,
      max_tokens: 20,
    });
    assert.equal(ignoring.body.choices[0]!.text, "ab");
  });

  test("a greedy answer is the same whatever else is in the batch", async () => {
    const asked = {
      structured_outputs: { json: { type: "array", items: { type: "integer" }, maxItems: 4 } },
      temperature: 0,
    };
    const alone = (await complete(asked)).body.choices[0]!.text;
    const crowd = await Promise.all([
      complete(asked),
      complete({ temperature: 1, n: 6 }),
      complete({ structured_outputs: { regex: "(xy)+z" }, temperature: 1, n: 3 }),
      complete(asked),
    ]);
    assert.equal(crowd[0]!.body.choices[0]!.text, alone);
    assert.equal(crowd[3]!.body.choices[0]!.text, alone);
  });

  test("refusals name the keyword, as each dialect words them", async () => {
    const bad = await complete({ structured_outputs: { json: { type: "array", uniqueItems: true } } });
    assert.equal(bad.status, 400);
    assert.match(bad.body.error.message, /"uniqueItems" \(at \/uniqueItems\) is not supported/);
    const two = await complete({ structured_outputs: { regex: "[0-9]", choice: ["a"] } });
    assert.equal(
      two.body.error.message,
      "You can only use one kind of constraints for structured outputs ('json', 'regex' or 'choice'). (parameter=structured_outputs)",
    );
    const empty = await complete({ structured_outputs: { choice: [] } });
    assert.equal(empty.body.error.message, "Choice '[]' cannot be an empty list");
    assert.equal(empty.body.error.param, null);
    const trl = await post("/generate/", { prompts: ["a"], structured_outputs_regex: "x(?=y)z" });
    assert.equal(trl.status, 422);
    assert.match(JSON.stringify(trl.body), /lookahead/);
    const old = await complete({ guided_regex: "a" });
    assert.match(old.body.error.message, /guided_regex is not supported.* structured_outputs/);
  });

  test("TRL's route takes a regex, and vLLM's names in generation_kwargs", async () => {
    const ids = async (fields: Record<string, unknown>): Promise<number[]> => {
      const { status, body } = await post("/generate/", { prompts: ["1 + 1 ="], max_tokens: 8, ...fields });
      assert.equal(status, 200, JSON.stringify(body));
      return (body as unknown as { completion_ids: number[][] }).completion_ids[0] ?? [];
    };
    const text = async (tokens: number[]): Promise<string> => {
      const { body } = await post("/detokenize", { tokens });
      return (body as unknown as { prompt: string }).prompt;
    };
    assert.match(await text(await ids({ structured_outputs_regex: "[0-9]{2}" })), /^[0-9]{2}/);
    assert.match(await text(await ids({ generation_kwargs: { structured_outputs: { choice: ["left"] } } })), /^left/);
  });
});
