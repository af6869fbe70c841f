/** Widening is exact and narrowing rounds to nearest even: against the reference's values, and as properties. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import { weightDigest } from "../../src/tensor/digest.ts";
import { DTYPE_BITS, tensorBytes } from "../../src/tensor/dtype.ts";
import { narrow, toBf16Bits, toF16Bits, widen, widenFinite } from "../../src/tensor/half.ts";

const shown = (value: number): number | string =>
  Number.isNaN(value)
    ? "nan"
    : value === Number.POSITIVE_INFINITY
      ? "inf"
      : value === Number.NEGATIVE_INFINITY
        ? "-inf"
        : Object.is(value, -0)
          ? "-0"
          : value;

describe("half precision", () => {
  const cases = JSON.parse(readFileSync(new URL("../fixtures/safetensors/valid.json", import.meta.url), "utf8")).cases;
  for (const dtype of ["F16", "BF16", "F32"] as const) {
    const { bytes, values } = cases.find((item: { name: string }) => item.name === `dtype-${dtype.toLowerCase()}`)
      .expected.tensors.x;
    test(`${dtype} widens to the reference's values at any alignment, and back`, () => {
      const raw = new Uint8Array(Buffer.from(bytes, "hex"));
      const shifted = new Uint8Array(raw.byteLength + 1);
      shifted.set(raw, 1);
      for (const input of [raw, shifted.subarray(1)]) assert.deepEqual([...widen(dtype, input)].map(shown), values);
      assert.deepEqual([...widen(dtype, narrow(dtype, widen(dtype, raw)))].map(shown), values);
    });
  }

  test("every one of the 65536 halves survives the way there and back", () => {
    const all = new Uint16Array(65_536).map((_, index) => index);
    const bytes = new Uint8Array(all.buffer);
    for (const dtype of ["F16", "BF16"] as const) {
      const wide = widen(dtype, bytes);
      const back = new Uint16Array(narrow(dtype, wide).buffer);
      for (let index = 0; index < 65_536; index += 1) {
        if (Number.isNaN(wide[index]))
          assert.ok(Number.isNaN(widen(dtype, narrow(dtype, wide.subarray(index, index + 1)))[0]));
        else assert.equal(back[index], index);
      }
    }
  });

  test("widenFinite writes what widen gives, at any alignment, and sees every infinity and NaN", () => {
    for (const dtype of ["F16", "BF16", "F32"] as const) {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(3), fc.boolean(), (raw, shift, calm) => {
          const size = dtype === "F32" ? 4 : 2;
          const length = raw.byteLength - (raw.byteLength % size);
          const bytes = new Uint8Array(length + shift).subarray(shift);
          // Half of the runs without the exponent's top bit: all finite.
          for (let at = 0; at < length; at += 1)
            bytes[at] = calm && at % size === size - 1 ? raw[at]! & 0xbf : raw[at]!;
          const wanted = widen(dtype, bytes);
          const target = new Float32Array(wanted.length + 2).subarray(1, wanted.length + 1);
          assert.equal(widenFinite(dtype, bytes, target), wanted.every(Number.isFinite));
          const toBits = (values: Float32Array) => [...new Uint32Array(values.slice().buffer)];
          assert.deepEqual(toBits(target), toBits(wanted));
        }),
      );
    }
    const one = (dtype: "F16" | "BF16", bits: number, at: number): boolean => {
      const halves = new Uint16Array(5);
      halves[at] = bits;
      return widenFinite(dtype, new Uint8Array(halves.buffer), new Float32Array(5));
    };
    for (let at = 0; at < 5; at += 1) {
      for (const bits of [0x7f80, 0xff80, 0x7fff, 0xff81]) assert.equal(one("BF16", bits, at), false);
      for (const bits of [0x7f7f, 0xff7f, 0x8000, 0x007f]) assert.equal(one("BF16", bits, at), true);
      for (const bits of [0x7c00, 0xfc00, 0x7e00]) assert.equal(one("F16", bits, at), false);
    }
    assert.throws(() => widenFinite("F16", new Uint8Array(3), new Float32Array(1)));
    assert.throws(() => widenFinite("F16", new Uint8Array(4), new Float32Array(1)));
  });

  test("narrowing picks the nearest neighbour, ties to the even one", () => {
    const neighbours = (dtype: "F16" | "BF16", bits: number, value: number): void => {
      const at = (half: number): number => widen(dtype, new Uint8Array(new Uint16Array([half]).buffer))[0]!;
      const error = Math.abs(at(bits) - value);
      for (const other of [bits - 1, bits + 1]) {
        if ((other & 0x7fff) > 0x7fff || other < 0 || !Number.isFinite(at(other))) continue;
        const distance = Math.abs(at(other) - value);
        assert.ok(error < distance || (error === distance && bits % 2 === 0) || error === 0, `${value} → ${bits}`);
      }
    };
    fc.assert(
      fc.property(fc.float({ noNaN: true, min: Math.fround(-65504), max: Math.fround(65504) }), (value) => {
        neighbours("F16", toF16Bits(value), value);
        neighbours("BF16", toBf16Bits(value), value);
      }),
    );
    assert.equal(toF16Bits(65519.996), 0x7bff);
    assert.equal(toF16Bits(65520), 0x7c00);
    assert.equal(toF16Bits(2 ** -25), 0);
    assert.equal(toF16Bits(1.5 * 2 ** -24), 2);
  });

  test("a piece of an element is refused", () => {
    assert.throws(() => widen("BF16", new Uint8Array(3)), { code: "weights_malformed" });
  });
});

test("sizes", () => {
  assert.equal(tensorBytes("F6_E3M2", [2, 2]), 3);
  assert.equal(tensorBytes("F6_E3M2", [2]), undefined);
  assert.equal(tensorBytes("F64", []), 8);
  assert.equal(tensorBytes("U8", [2 ** 32, 2 ** 32]), undefined);
  assert.equal(Object.keys(DTYPE_BITS).length, 22);
});

test("the digest is what its docstring says, whatever the order", () => {
  const sha256 = () => {
    const hash = createHash("sha256");
    return { update: (bytes: Uint8Array) => void hash.update(bytes), hex: () => hash.digest("hex") };
  };
  const a = { name: "Z", dtype: "BF16", shape: [2, 3], sha256: "0".repeat(64) };
  const b = { name: "a", dtype: "F32", shape: [], sha256: "1".repeat(64) };
  const text = `["Z","BF16",[2,3],"${a.sha256}"]\n["a","F32",[],"${b.sha256}"]\n`;
  const expected = `sha256:${createHash("sha256").update(text).digest("hex")}`;
  assert.equal(weightDigest([a, b], sha256), expected);
  assert.equal(weightDigest([b, a], sha256), expected);
  assert.notEqual(weightDigest([a], sha256), expected);
});
