/** Prompts that are cut, and lengths of embeddings, in the worker's request layer. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { GenerateRequest, Prompt } from "../../src/contract/generation.ts";
import { checkDimensions, toMatryoshka } from "../../src/worker/requests/dimensions.ts";
import { type PreparedPrompt, preparePrompt } from "../../src/worker/requests/prompt.ts";
import type { ServedModel } from "../../src/worker/requests/served-model.ts";
import { tokenizer } from "../support/fake-worker.ts";

/** A tokenizer that writes a token before and one behind every text, as BERT's and Llama's do. */
const fenced = {
  ...tokenizer,
  encode: (text: string, special: boolean) =>
    special ? [1, ...tokenizer.encode(text, false), 2] : tokenizer.encode(text, false),
};
const model = (over: Partial<ServedModel> = {}): ServedModel =>
  ({ tokenizer: fenced, maxModelLen: 8, vocabSize: 512, hiddenSize: 4, ...over }) as ServedModel;

const ids = [11, 12, 13, 14, 15, 16, 17, 18, 19, 20];
const tokens: Prompt = { kind: "tokens", ids };
const text = (words: string, addSpecialTokens = true): Prompt => ({ kind: "text", text: words, addSpecialTokens });
const cut = (prompt: Prompt, options: Pick<GenerateRequest, "truncate" | "pooling">): PreparedPrompt["ids"] =>
  preparePrompt(prompt, model(), new Date(0), options).ids;
const POOLING = { type: "last", normalize: true } as const;

describe("truncate_prompt_tokens", () => {
  test("keeps the end of what is continued, the start of what is embedded, or the side that was named", () => {
    assert.deepEqual(cut(tokens, { truncate: { tokens: 3 } }), [18, 19, 20]);
    assert.deepEqual(cut(tokens, { truncate: { tokens: 3 }, pooling: POOLING }), [11, 12, 13]);
    assert.deepEqual(cut(tokens, { truncate: { tokens: 3, side: "right" } }), [11, 12, 13]);
    assert.deepEqual(cut(tokens, { truncate: { tokens: 3, side: "left" }, pooling: POOLING }), [18, 19, 20]);
  });

  test("-1 is the context, less one token where one is to be made", () => {
    assert.deepEqual(cut(tokens, { truncate: { tokens: -1 } }), ids.slice(-7));
    assert.deepEqual(cut(tokens, { truncate: { tokens: -1 }, pooling: POOLING }), ids.slice(0, 8));
    assert.deepEqual(cut({ kind: "tokens", ids: [5] }, { truncate: { tokens: -1 } }), [5]);
  });

  test("special tokens at both ends stay, unless the side was named", () => {
    const words = "one two three four five six";
    const plain = tokenizer.encode(words, false);
    assert.ok(plain.length > 6);
    assert.deepEqual(cut(text(words), { truncate: { tokens: 5 } }), [1, ...plain.slice(-3), 2]);
    assert.deepEqual(cut(text(words), { truncate: { tokens: 5 }, pooling: POOLING }), [1, ...plain.slice(0, 3), 2]);
    assert.deepEqual(cut(text(words), { truncate: { tokens: 5, side: "right" } }), [1, ...plain.slice(0, 4)]);
    assert.deepEqual(cut(text(words, false), { truncate: { tokens: 5 } }), plain.slice(-5));
    assert.deepEqual(cut(text(words), { truncate: { tokens: 1 } }), [2]);
  });

  test("a text beyond any context is cut before it is read", () => {
    const words = "word ".repeat(10_000);
    assert.equal(cut(text(words), { truncate: { tokens: 4 } }).length, 4);
    assert.throws(() => cut(text(words), {}), { code: "context_length_exceeded" });
  });

  test("more than the context, and nothing at all, are refused", () => {
    assert.throws(
      () => cut(tokens, { truncate: { tokens: 9 } }),
      /truncate_prompt_tokens=9 cannot be greater than max_model_len = 8/,
    );
    assert.throws(() => cut(tokens, { truncate: { tokens: 0 } }), /cannot be empty/);
  });
});

describe("dimensions", () => {
  test("are read from config.json as vLLM reads them", () => {
    assert.equal(toMatryoshka({}), false);
    assert.equal(toMatryoshka({ is_matryoshka: true }), true);
    assert.deepEqual(toMatryoshka({ matryoshka_dimensions: [2, 4] }), [2, 4]);
  });

  test("of a model that was trained for them", () => {
    const check = (dimensions: number, matryoshka: ServedModel["matryoshka"]) => () =>
      checkDimensions({ ...POOLING, dimensions }, model(matryoshka === undefined ? {} : { matryoshka }));
    check(3, true)();
    check(2, [2, 4])();
    assert.throws(check(3, undefined), /does not support Matryoshka.*dimensions=3/);
    assert.throws(check(5, true), /range \[1, 4\], got 5/);
    assert.throws(check(3, [2, 4]), /dimensions \[2, 4\], got 3/);
  });
});
