import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openaiRoutes } from "../../routes/openai/mod.ts";
import type { GenerateEvent } from "../../src/contract/generation.ts";
import { GatewayError } from "../../src/errors.ts";
import { candidate, delta, end, finish, position, promptEvent } from "../support/events.ts";
import { createFakeGateway, DIGEST } from "../support/fake-gateway.ts";
import { readRecording, recordedEvents, replay } from "../support/recording.ts";
import { createRouteApp, readEvents } from "../support/route-app.ts";

type Chunk = { choices: Record<string, unknown>[]; usage?: unknown; weight_version?: unknown; weight_digest?: unknown };

const CHAT_IDS = [
  1, 85, 392, 352, 201, 59, 81, 87, 260, 278, 260, 487, 16, 2, 201, 1, 391, 201, 20, 395, 312, 223, 31, 223, 33, 2, 201,
  1, 67, 383, 472, 201,
];

const scored = (id: number, token: string, logprob: number) => {
  const one = candidate(id, token, logprob, 1);
  return { logprobs: [position(one, one)] };
};

const CASES: Readonly<Record<string, readonly GenerateEvent[]>> = {
  "completions-stream-continuous-usage": [
    promptEvent([285, 499]),
    delta("", [163]),
    delta("\ufffd solution", [493]),
    delta("ol", [376]),
    finish(),
    end(),
  ],
  "completions-stream-token-ids-logprobs": [
    promptEvent([285, 499]),
    delta("", [163], scored(163, "", -0.1229916587471962)),
    delta("\ufffd solution", [493], scored(493, " solution", -1.1127136945724487)),
    delta("ol", [376], scored(376, "ol", -1.1602956056594849)),
    delta("", [163], scored(163, "", -1.5356775522232056)),
    finish(),
    end(),
  ],
  "chat-stream-usage": [
    promptEvent(CHAT_IDS),
    delta("ith", [325]),
    delta("", [160]),
    delta("\ufffd kn", [410]),
    finish(),
    end(),
  ],
  "chat-stream-token-ids": [
    promptEvent(CHAT_IDS),
    delta("ith", [325], scored(325, "ith", -0.7891611456871033)),
    delta("", [160], scored(160, "", -1.2373963594436646)),
    delta("\ufffd kn", [410], scored(410, " kn", -0.5204883813858032)),
    finish(),
    end(),
  ],
};

/** Recorded chunks with the reason split off the last piece of text: here it comes in a chunk of its own. */
function splitFinish(chunks: readonly Chunk[]): Chunk[] {
  return chunks.flatMap((chunk): Chunk[] => {
    const [choice] = chunk.choices;
    if (choice === undefined || choice.finish_reason === null) return [chunk];
    const chat = "delta" in choice;
    const { system_fingerprint: _, ...open } = chunk as Chunk & { system_fingerprint?: unknown };
    const { stop_reason: reason, ...rest } = choice;
    const emptied = Array.isArray(choice.token_ids) ? [] : null;
    const text = chat ? { delta: { content: "" } } : { text: "" };
    return [
      { ...open, choices: [chat ? { ...rest, finish_reason: null } : { ...choice, finish_reason: null }] },
      { ...chunk, choices: [{ ...choice, ...text, logprobs: null, token_ids: emptied, stop_reason: reason }] },
    ];
  });
}

function comparable(chunks: readonly unknown[]): unknown[] {
  return (chunks as Record<string, unknown>[]).map((chunk) => {
    const { id, created, system_fingerprint, weight_version, weight_digest, ...rest } = chunk;
    return { ...rest, fingerprinted: system_fingerprint !== undefined };
  });
}

describe("streams of embedded replicas", () => {
  for (const [name, events] of Object.entries(CASES)) {
    test(`sends ${name} as vLLM does`, async () => {
      const recording = readRecording(name);
      const { gateway } = createFakeGateway({ script: () => events });
      const response = await replay(createRouteApp(openaiRoutes, gateway), recording);
      assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
      const sent = await readEvents(response);
      const recorded = recordedEvents(recording);
      assert.equal(sent.at(-1), "[DONE]");
      const expected = splitFinish(recorded.slice(0, -1) as Chunk[]);
      // With continuous usage the recording's last piece and its reason share one count; both chunks repeat it here.
      assert.deepEqual(comparable(sent.slice(0, -1)), comparable(expected));
    });
  }

  test("repeats the stamp in the last data chunk and only there", async () => {
    for (const stream_options of [undefined, { include_usage: true }]) {
      const script = () => [promptEvent([1]), delta("a", [2]), delta("b", [3]), finish(), end(7, 8)];
      const { gateway } = createFakeGateway({ script });
      const app = createRouteApp(openaiRoutes, gateway);
      const body = { prompt: "a", stream: true, ...(stream_options === undefined ? {} : { stream_options }) };
      const response = await app.post("/v1/completions", body);
      assert.equal(response.headers.get("x-weight-version"), "7");
      const chunks = (await readEvents(response)).slice(0, -1) as Chunk[];
      assert.equal(chunks.at(-1)?.weight_version, "7-8");
      assert.equal(chunks.at(-1)?.weight_digest, null);
      assert.ok(chunks.slice(0, -1).every((chunk) => chunk.weight_version === undefined));
    }
  });

  test("holds only the last finish back when samples end one after the other", async () => {
    const script = () => [
      promptEvent([1]),
      delta("a", [2], { sample: 1 }),
      finish({ sample: 1, reason: "stop" }),
      delta("b", [3]),
      finish(),
      end(),
    ];
    const { gateway } = createFakeGateway({ script });
    const app = createRouteApp(openaiRoutes, gateway);
    const response = await app.post("/v1/completions", { prompt: "a", n: 2, stream: true });
    const chunks = (await readEvents(response)).slice(0, -1) as Chunk[];
    assert.deepEqual(
      chunks.map(({ choices: [choice] }) => [choice?.index, choice?.text, choice?.finish_reason]),
      [
        [1, "a", null],
        [1, "", "stop"],
        [0, "b", null],
        [0, "", "length"],
      ],
    );
    assert.equal(chunks.at(-1)?.weight_digest, DIGEST);
  });

  test("begins an echoed stream with the prompt", async () => {
    const script = () => [promptEvent([1], { text: "Q:" }), delta("A", [2]), finish(), end()];
    const { gateway } = createFakeGateway({ script });
    const app = createRouteApp(openaiRoutes, gateway);
    const response = await app.post("/v1/completions", { prompt: "Q:", echo: true, stream: true });
    const chunks = (await readEvents(response)).slice(0, -1) as Chunk[];
    assert.deepEqual(
      chunks.map(({ choices: [choice] }) => choice?.text),
      ["Q:A", ""],
    );
  });

  test("begins an echoed stream with the prompt's logprobs, and shows no output where none was asked for", async () => {
    const logprobs = [null, position(candidate(2, ":", -0.5, 1))];
    const made = { logprobs: [position(candidate(3, "A", -1, 1))] };
    const script = () => [promptEvent([1, 2], { text: "Q:", logprobs }), delta("A", [3], made), finish(), end()];
    const { gateway } = createFakeGateway({ script });
    const app = createRouteApp(openaiRoutes, gateway);
    const read = async (more: object) => {
      const asked = { prompt: "Q:", echo: true, stream: true, logprobs: 0, return_tokens_as_token_ids: true, ...more };
      const [first] = (await readEvents(await app.post("/v1/completions", asked))) as Chunk[];
      const { text, logprobs: shown, prompt_token_ids: ids } = { ...first?.choices[0] };
      return { text, ids, numbers: (shown as { token_logprobs: unknown } | null)?.token_logprobs };
    };
    assert.deepEqual(await read({}), { text: "Q:A", ids: [1, 2], numbers: [null, -0.5, -1] });
    assert.deepEqual(await read({ max_tokens: 0 }), { text: "Q:", ids: [1, 2], numbers: [null, -0.5] });
    assert.deepEqual(await read({ return_token_ids: true }), { text: "A", ids: [1, 2], numbers: [null, -0.5, -1] });
  });

  test("says a late failure as an event, then [DONE]", async () => {
    async function* script(): AsyncGenerator<GenerateEvent> {
      yield promptEvent([1]);
      yield delta("a", [2]);
      throw new GatewayError("replica_failed", "Replica embedded-0 is gone.", { replica: "embedded-0" });
    }
    const { gateway, lines } = createFakeGateway({ script });
    const app = createRouteApp(openaiRoutes, gateway);
    const response = await app.post("/v1/chat/completions", {
      messages: [{ role: "user", content: "a" }],
      stream: true,
    });
    assert.equal(response.status, 200);
    const events = await readEvents(response);
    assert.deepEqual(events.slice(-2), [
      {
        error: { message: "Replica embedded-0 is gone.", type: "FailedDependencyError", param: null, code: 424 },
      },
      "[DONE]",
    ]);
    assert.ok(lines.some((line) => line.includes("stream failed after its head")));
  });

  test("gives the replica back when the client leaves, and reads no further than asked", async () => {
    let made = 0;
    let returned = false;
    async function* script(): AsyncGenerator<GenerateEvent> {
      try {
        yield promptEvent([1]);
        for (;;) {
          made += 1;
          yield delta("a", [2]);
        }
      } finally {
        returned = true;
      }
    }
    const { gateway } = createFakeGateway({ script });
    const app = createRouteApp(openaiRoutes, gateway);
    const response = await app.post("/v1/completions", { prompt: "a", stream: true });
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.read();
    assert.ok(made <= 3, `made ${made}`);
    await reader?.cancel();
    assert.equal(returned, true);
  });
});
