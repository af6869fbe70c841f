/** The calls that an unmodified TRL 1.16 client sent to a real vLLM 0.32, sent to us: same statuses, same shapes. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { openaiRoutes } from "../../routes/openai/mod.ts";
import { vllmRoutes } from "../../routes/vllm/mod.ts";
import type { GenerateEvent, GenerateRequest } from "../../src/contract/generation.ts";
import { candidate, delta, end, finish, position, promptEvent } from "../support/events.ts";
import { createFakeGateway } from "../support/fake-gateway.ts";
import { type Recording, shapeOf } from "../support/recording.ts";
import { createRouteApp } from "../support/route-app.ts";

type Exchange = Pick<Recording, "request" | "response"> & { readonly seq: number };

const { exchanges } = JSON.parse(
  readFileSync(new URL("../fixtures/vllm/trl-client/exchanges.json", import.meta.url), "utf8"),
) as { exchanges: Exchange[] };

const TOP = Array.from({ length: 3 }, (_, index) => candidate(60 + index, `t${index}`, -1 - index, index + 1));

/** Answers whatever is asked: one token per sample, logprobs where they are wanted. */
function* script({ prompts, sampling }: GenerateRequest): Generator<GenerateEvent> {
  const chosen = position(candidate(60, "t0", -1, 1), ...TOP.slice(0, sampling.logprobs ?? 0));
  const scored = position(candidate(70, "p", -9, 40), ...TOP.slice(0, sampling.promptLogprobs ?? 0));
  for (const [prompt, asked] of prompts.entries()) {
    const ids = asked.kind === "tokens" ? asked.ids : [1, 2];
    const logprobs = ids.map((_, index) => (index === 0 ? null : scored));
    yield promptEvent(ids, { prompt, ...(sampling.promptLogprobs === undefined ? {} : { logprobs }) });
    for (let sample = 0; sample < (sampling.n ?? 1); sample += 1) {
      yield delta("t0", [60], { prompt, sample, ...(sampling.logprobs === undefined ? {} : { logprobs: [chosen] }) });
      yield finish({ prompt, sample });
    }
  }
  yield end();
}

/** Where we differ on purpose: errors name their field, and there is no NCCL group. */
const DIFFERENT: Readonly<Record<number, readonly [status: number, message: RegExp]>> = {
  7: [400, /"message":"n must be 1 when using greedy sampling.*"param":"n"/],
  18: [400, /NCCL/],
  19: [409, /NCCL/],
  20: [409, /NCCL/],
  21: [409, /NCCL/],
};

/** Keys only: maps by token id have keys of their own, and half a character has no bytes in vLLM. */
function comparableShape(body: unknown): unknown {
  const { weight_version, weight_digest, ...rest } = body as Record<string, unknown>;
  return JSON.parse(
    JSON.stringify(shapeOf(rest), (key, value: unknown) =>
      key === "prompt_logprobs" || key === "top_logprobs" || key === "bytes" ? "(by token)" : value,
    ),
  );
}

describe("TRL 1.16's VLLMClient", () => {
  const { gateway } = createFakeGateway({ script });
  const app = createRouteApp([...openaiRoutes, ...vllmRoutes], gateway);
  for (const { seq, request, response } of exchanges) {
    test(`${seq}: ${request.method} ${request.path}`, async () => {
      const body = request.body === null || request.body === undefined ? {} : { body: JSON.stringify(request.body) };
      const headers = { "content-type": "application/json" };
      const answer = await app.request(request.path, { method: request.method, headers, ...body });
      const text = await answer.text();
      const different = DIFFERENT[seq];
      if (different !== undefined) {
        assert.equal(answer.status, different[0]);
        assert.match(text, different[1]);
        return;
      }
      assert.equal(answer.status, response.status, text);
      assert.deepEqual(comparableShape(JSON.parse(text)), comparableShape(response.body));
    });
  }

  test("scores the teacher's tokens by id, the sent one first", async () => {
    const { request } = exchanges.find(({ seq }) => seq === 11) as Exchange;
    const answer = await app.post(request.path, request.body);
    const { choices } = (await answer.json()) as { choices: { prompt_logprobs: (null | object)[] }[] };
    assert.equal(choices.length, 2);
    assert.equal(choices[0]?.prompt_logprobs[0], null);
    assert.deepEqual(Object.keys(choices[0]?.prompt_logprobs[1] ?? {}).sort(), ["60", "61", "62", "70"]);
  });
});
