/** Every candidate of every token, where the operator allows it: more than one message between worker and gateway holds. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Started, startHere } from "../runtime/start.ts";

const MODEL = fileURLToPath(new URL("../fixtures/vllm/tiny", import.meta.url));
const VOCABULARY = 512;

interface Completion {
  readonly choices: readonly {
    readonly prompt_logprobs: readonly (Readonly<
      Record<string, { readonly logprob: number; readonly rank: number }>
    > | null)[];
    readonly logprobs: { readonly top_logprobs: readonly Readonly<Record<string, number>>[] };
  }[];
}

describe("--max-logprobs -1", () => {
  let started: Started;
  before(async () => {
    started = await startHere({ model: MODEL, servedModelName: "tiny", maxLogprobs: -1 });
  });
  after(() => started.stop());

  const ask = (path: string, body: Record<string, unknown>) =>
    fetch(`${started.url}${path}`, { method: "POST", body: JSON.stringify(body) });

  test("prompt_logprobs -1: each position is a whole distribution", async () => {
    const prompt = Array.from({ length: 270 }, (_, at) => 5 + ((at * 37) % 490));
    const body = {
      prompt,
      max_tokens: 1,
      temperature: 0,
      prompt_logprobs: -1,
      logprobs: -1,
      return_tokens_as_token_ids: true,
    };
    const response = await ask("/v1/completions", body);
    assert.equal(response.status, 200, (await response.clone().text()).slice(0, 300));
    const [choice] = ((await response.json()) as Completion).choices;
    assert.equal(choice?.prompt_logprobs.length, prompt.length);
    for (const [at, position] of (choice?.prompt_logprobs ?? []).entries()) {
      if (at === 0) {
        assert.equal(position, null);
        continue;
      }
      const entries = Object.entries(position ?? {});
      assert.equal(entries.length, VOCABULARY);
      assert.ok(String(prompt[at]) in (position ?? {}));
      const mass = entries.reduce((sum, [, { logprob }]) => sum + Math.exp(logprob), 0);
      assert.ok(Math.abs(mass - 1) < 1e-4, `position ${at}: ${mass}`);
    }
    assert.equal(Object.keys(choice?.logprobs.top_logprobs[0] ?? {}).length, VOCABULARY);
  });

  test("chat and TRL's scoring too", async () => {
    const chat = { messages: [{ role: "user", content: "a" }], max_tokens: 1, logprobs: true, top_logprobs: -1 };
    const answer = (await (await ask("/v1/chat/completions", chat)).json()) as {
      choices: { logprobs: { content: { top_logprobs: unknown[] }[] } }[];
    };
    assert.equal(answer.choices[0]?.logprobs.content[0]?.top_logprobs.length, VOCABULARY);
    const scoring = { sequences: [[5, 6, 7]], prompt_lengths: [1], top_logprobs: 300 };
    const scored = (await (await ask("/get_sequence_logprobs/", scoring)).json()) as { logprobs: number[][][] };
    // One more where the token that was sent is not among the best.
    for (const position of scored.logprobs[0] ?? []) assert.ok(position.length === 300 || position.length === 301);
    assert.equal(scored.logprobs[0]?.length, 2);
  });

  test("more than an answer can hold is refused with the numbers", async () => {
    const prompt = Array.from({ length: 2000 }, () => new Array<number>(2000).fill(7)).slice(0, 5);
    const response = await ask("/v1/completions", { prompt, max_tokens: 1, prompt_logprobs: -1 });
    assert.equal(response.status, 400);
    assert.match(await response.text(), /at most 4194304 in one request, got 5120000/);
  });
});
