/** One sample's text, and how many log probabilities a request may ask for: what the request layer decides by itself. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkOutputLogprobs } from "../../src/http/openai/check-logprobs.ts";
import { toByteCharacters } from "../../src/text/token-bytes.ts";
import { createTokenizer, type Tokenizer } from "../../src/text/tokenizer.ts";
import type { BatchRequest } from "../../src/worker/batch-types.ts";
import { checkPromptCandidates } from "../../src/worker/requests/prompt-candidates.ts";
import { createSampleOutput } from "../../src/worker/requests/sample-output.ts";
import { checkSampling } from "../../src/worker/requests/sampling.ts";
import type { ServedModel } from "../../src/worker/requests/served-model.ts";
import { sampling } from "../support/batch.ts";
import { ask } from "../support/worker-rig.ts";

/** A vocabulary of letters and loose bytes: ids 0 to 2 are "a", the first byte of "é", its second. */
const byteCharacter = (byte: number): string => {
  // A byte's own character: found by spelling every text of one code point below U+0800.
  for (let code = 0; code < 0x800; code += 1) {
    const bytes = new TextEncoder().encode(String.fromCodePoint(code));
    const at = bytes.indexOf(byte);
    if (at >= 0) return [...toByteCharacters(String.fromCodePoint(code))][at] ?? "";
  }
  throw new Error(`no character has byte ${byte}`);
};
const bytes = (() => {
  const [first = 0, second = 0] = new TextEncoder().encode("é");
  return { first: byteCharacter(first), second: byteCharacter(second) };
})();
const tokenizer: Tokenizer = createTokenizer(
  {
    model: { type: "BPE", vocab: { a: 0, [bytes.first]: 1, [bytes.second]: 2 }, merges: [] },
    decoder: { type: "ByteLevel" },
  },
  {},
);
const [LETTER, FIRST, SECOND] = [0, 1, 2];

/** The pieces of text of a sample that ends after these tokens. */
function pieces(ids: readonly number[]): string[] {
  const output = createSampleOutput(tokenizer, {
    promptIds: [LETTER],
    stop: [],
    includeStop: false,
    skipSpecialTokens: true,
    minTokens: 0,
    isEnd: () => false,
  });
  const out = ids.map((id) => output.token(id, null).delta.text);
  return [...out, output.finish("length", null).delta?.text ?? ""];
}

describe("broken characters", () => {
  test("are no text at the end, as in vLLM", () => {
    assert.equal(pieces([LETTER, FIRST]).join(""), "a");
    assert.equal(pieces([LETTER, SECOND, SECOND, SECOND]).join(""), "a");
    assert.equal(pieces([SECOND, FIRST]).join(""), "");
  });

  test("are U+FFFD each, together with what comes after them", () => {
    assert.deepEqual(pieces([SECOND, SECOND, LETTER, FIRST, SECOND]), ["", "", "\ufffd\ufffda", "", "é", ""]);
    assert.deepEqual(pieces([FIRST, LETTER, SECOND, LETTER, SECOND]), ["", "\ufffda", "", "\ufffda", "", ""]);
  });
});

const model = (over: Partial<ServedModel>): ServedModel =>
  ({
    tokenizer,
    defaults: {},
    extraEosTokenIds: [],
    maxModelLen: 64,
    vocabSize: 1000,
    hiddenSize: 4,
    ...over,
  }) as ServedModel;

describe("how many log probabilities", () => {
  const check = (params: Parameters<typeof ask>[0], over: Partial<ServedModel> = {}) =>
    checkSampling(ask(params), model(over), () => 1).resolve(1);

  test("200 of the engine unless the operator says otherwise", () => {
    assert.equal(check({ logprobs: 200, promptLogprobs: 200 }).logprobs, 200);
    assert.throws(
      () => check({ promptLogprobs: 201 }),
      /^GatewayError: Requested prompt logprobs of 201.*allowed: 200/,
    );
    assert.throws(() => check({ logprobs: -1 }), /^GatewayError: Requested sample logprobs of 1000.*allowed: 200/);
    assert.throws(() => check({ logprobs: -2 }), /must be non-negative or -1, got -2/);
    assert.throws(() => check({ logprobs: 6 }, { maxLogprobs: 5 }), /greater than max allowed: 5/);
  });

  test("-1 is all of them where the operator allows it", () => {
    assert.equal(check({ logprobs: -1, promptLogprobs: -1 }, { maxLogprobs: -1 }).logprobs, 1000);
    assert.equal(check({ promptLogprobs: -1 }, { maxLogprobs: 1000 }).promptLogprobs, 1000);
    assert.equal(check({ logprobs: 5000 }, { maxLogprobs: 9000 }).logprobs, 1000);
  });

  test("20 of an output token in OpenAI's dialect, as vLLM", () => {
    assert.equal(checkOutputLogprobs(20, "logprobs"), 20);
    assert.equal(checkOutputLogprobs(undefined, "logprobs"), undefined);
    assert.throws(
      () => checkOutputLogprobs(21, "logprobs"),
      /Requested sample logprobs of 21, .* max allowed: 20.*--max-logprobs/,
    );
    assert.throws(() => checkOutputLogprobs(-1, "top_logprobs", 100), /whole vocabulary.*max allowed: 100/);
    assert.equal(checkOutputLogprobs(-1, "top_logprobs", -1), Number.POSITIVE_INFINITY);
    assert.equal(checkOutputLogprobs(300, "top_logprobs", -1), 300);
  });

  test("of prompts: no more than one answer can hold", () => {
    const request = (tokens: number, promptLogprobs: number): BatchRequest => ({
      key: 1,
      promptIds: new Array<number>(tokens).fill(1),
      samples: 1,
      sampling: sampling({ promptLogprobs }),
    });
    checkPromptCandidates([request(4096, 1024), request(4096, -1), request(4096, 0)]);
    assert.throws(
      () => checkPromptCandidates([request(4096, 1024), request(1, 1)]),
      /at most 4194304 in one request, got 4194305/,
    );
  });
});
