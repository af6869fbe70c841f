/** A tokenizer and the rows of a model's embeddings: who fits, who does not, and what is said then. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createTokenizer, type Tokenizer } from "../../src/text/tokenizer.ts";
import { checkVocabulary as check } from "../../src/worker/requests/check-vocabulary.ts";

/** A tokenizer.json with a vocabulary, wherever it lies. */
const SOURCE = { path: "DIR", tokenizerJson: { model: { vocab: { a: 0 } } } };
const checkVocabulary = (tokenizer: Tokenizer, rows: unknown, source = SOURCE) => check(tokenizer, rows, source);

const tokenizerOf = (vocab: Readonly<Record<string, number>>, added: readonly (readonly [string, number])[] = []) =>
  createTokenizer(
    {
      model: { type: "BPE", vocab, merges: [] },
      decoder: { type: "ByteLevel" },
      added_tokens: added.map(([content, id]) => ({ id, content, special: true })),
    },
    {},
  );

describe("a tokenizer", () => {
  test("has as many tokens as there are rows, or fewer", () => {
    checkVocabulary(tokenizerOf({ a: 0, b: 1 }), 2);
    checkVocabulary(tokenizerOf({ a: 0, b: 1 }), 64);
    checkVocabulary(tokenizerOf({ a: 0 }, [["<end>", 63]]), 64);
  });

  test("with tokens beyond the rows is refused with their names and numbers", () => {
    assert.throws(
      () => checkVocabulary(tokenizerOf({ a: 0 }, [["<end>", 64]]), 64),
      /^GatewayError: DIR: the tokenizer does not match the model: the embeddings have 64 rows .*, and 1 token has an id beyond them: "<end>" = 64\./,
    );
    const many = Array.from({ length: 5 }, (_, index) => [`<${index}>`, 70 + index] as const);
    assert.throws(
      () => checkVocabulary(tokenizerOf({ a: 0 }, many), 64),
      /5 tokens have ids beyond them: "<0>" = 70, "<1>" = 71, "<2>" = 72, …\. Take the tokenizer/,
    );
  });

  test("without tokens is refused", () => {
    assert.throws(() => checkVocabulary(createTokenizer({}, {}), 64), /has no tokens.*--skip-tokenizer-init/);
    // tokenizer_config.json alone still names its special tokens.
    const special = createTokenizer({}, { added_tokens_decoder: { 0: { content: "<end>", special: true } } });
    assert.equal(special.vocabSize, 1);
    for (const tokenizerJson of [{}, { model: {} }, { model: { vocab: {} } }, { model: { vocab: [] } }] as never[]) {
      assert.throws(
        () => check(special, 64, { path: "DIR", tokenizerJson }),
        /^GatewayError: DIR: .* must hold model.vocab/,
      );
    }
    check(special, 64, { path: "DIR", tokenizerJson: { model: { vocab: [["a", -1]] } } });
  });

  test("beside a number that is none says nothing: the model's reader does", () => {
    checkVocabulary(tokenizerOf({ a: 0 }), "64");
  });
});
