/** GGML blocks against the reference implementation, element by element. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import { dequantize, unpackBlocks } from "../../src/tensor/ggml-blocks.ts";
import { GGML_TYPES, type GgmlType, ggmlBytes, isBlockType, toGgmlType } from "../../src/tensor/ggml-types.ts";

const { cases } = JSON.parse(readFileSync(new URL("../fixtures/gguf/blocks.json", import.meta.url), "utf8")) as {
  cases: readonly { type: GgmlType; blocks: string; float32: string }[];
};

const fromBase64 = (text: string) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

describe("GGML blocks", () => {
  test("the fixture has every type", () => {
    assert.deepEqual(new Set(cases.map(({ type }) => type)), new Set(Object.keys(GGML_TYPES)));
  });

  for (const { type, blocks, float32 } of cases) {
    test(`${type}: every element as the Python package gives it`, () => {
      const want = new Float32Array(fromBase64(float32).buffer);
      const got = dequantize(type, fromBase64(blocks));
      assert.equal(got.length, want.length);
      assert.ok(got.some((value) => value !== 0));
      for (const [index, value] of want.entries()) assert.equal(got[index]! + 0, value + 0, `element ${index}`);
    });
  }

  test("half a block is refused with the sizes", () => {
    assert.throws(
      () => unpackBlocks("Q4_1", new Uint8Array(21)),
      (error) =>
        error instanceof GatewayError && /21 bytes are not a whole number of Q4_1 blocks of 20/.test(error.message),
    );
  });

  test("sizes and numbers of the types", () => {
    assert.equal(ggmlBytes("Q6_K", 3, 512), 3 * 2 * 210);
    assert.equal(ggmlBytes("Q6_K", 3, 500), undefined);
    assert.equal(toGgmlType(12), "Q4_K");
    assert.equal(toGgmlType(99), undefined);
    assert.equal(isBlockType("BF16"), false);
  });
});
