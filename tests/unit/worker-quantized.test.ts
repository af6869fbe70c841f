/** Weights held as codes: exact where they are a file's blocks, near where they were rounded, the same after a sync. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { createFiles } from "../../src/platform/shared/files.ts";
import { dequantize, toFloats, unpackBlocks } from "../../src/tensor/ggml-blocks.ts";
import type { GgmlBlockType } from "../../src/tensor/ggml-types.ts";
import { roundBlocks } from "../../src/tensor/round-blocks.ts";
import type { LoadModelOptions } from "../../src/worker/batch-types.ts";
import { chooseForm, createCodedMatrix, placeRows, toMatrixFloats } from "../../src/worker/graph/coded-matrix.ts";
import { KvCache } from "../../src/worker/kv-cache.ts";
import { loadModel, toDecoderModel } from "../../src/worker/load-model.ts";
import { convertLlama, writeGguf } from "../support/write-gguf.ts";

const files = createFiles();
const toPath = (relative: string) => decodeURIComponent(new URL(relative, import.meta.url).pathname);
const BASE = toPath("../../models/tide-nano/base");
const TRAINED = toPath("../../models/tide-nano/trained");

let directory = "";
const paths = new Map<string, string>();
before(async () => {
  directory = mkdtempSync(join(tmpdir(), "quantized-"));
  for (const type of ["Q8_0", "Q4_0", "Q4_1"] as const) {
    const path = join(directory, `nano.${type}.gguf`);
    await writeGguf(path, await convertLlama(TRAINED, type));
    paths.set(type, path);
  }
});
after(() => rmSync(directory, { recursive: true }));

const load = (model: string, over: Partial<LoadModelOptions> = {}) =>
  loadModel({ files, directory: model, sets: [], device: "auto", maxModelLen: 64, onProgress: () => {}, ...over });

const PROMPT = Array.from({ length: 40 }, (_, index) => 3 + ((index * 37) % 500));

interface Ran {
  readonly logits: Float32Array;
  readonly bytes: number;
  readonly digest: string;
  readonly provider: string;
}

/** Logits of every position, and of the last once more as a decode step. */
async function run(model: string, over: Partial<LoadModelOptions> = {}): Promise<Ran> {
  const loaded = await load(model, over);
  const { decoder, config, weightBytes, digest, provider } = toDecoderModel(loaded);
  const cache = new KvCache(config, { positions: 64, slots: 1, budgetBytes: 2 ** 28 });
  cache.reserve(1);
  const { length } = PROMPT;
  const all = decoder.prefill(cache, 0, PROMPT, 0, length, "all").slice(0, length * config.vocabSize);
  const last = decoder.decode(
    cache,
    1,
    () => PROMPT[length - 1]!,
    () => length - 1,
  );
  const logits = new Float32Array(all.length + config.vocabSize);
  logits.set(all);
  logits.set(last.subarray(0, config.vocabSize), all.length);
  cache.release();
  loaded.release();
  return { logits, bytes: weightBytes, digest, provider };
}

const farthest = (a: Float32Array, b: Float32Array) =>
  a.reduce((most, value, index) => Math.max(most, Math.abs(value - b[index]!)), 0);

describe("coded matrices", () => {
  for (const [type, exact] of [
    ["Q4_0", true],
    ["Q8_0", true],
    ["Q5_0", true],
    ["Q6_K", true],
    ["Q4_1", false],
    ["Q5_1", false],
    ["Q4_K", false],
    ["Q5_K", false],
  ] as const satisfies readonly (readonly [GgmlBlockType, boolean])[]) {
    test(`${type}: the operator's form holds the very values`, () => {
      const bytes = blocksOf(type);
      const values = unpackBlocks(type, bytes);
      const want = dequantize(type, bytes);
      const rows = 2;
      const columns = want.length / rows;
      const form = chooseForm([{ ...values, minima: values.minima !== null }], rows, columns);
      const matrix = createCodedMatrix(form);
      placeRows(matrix, values, (row) => 1 - row);
      const got = toMatrixFloats(matrix);
      for (const [index, value] of want.entries()) {
        const at = (1 - Math.floor(index / columns)) * columns + (index % columns);
        const allowed = exact ? 0 : Math.abs(value) * 1e-6 + 1e-6;
        assert.ok(Math.abs(got[at]! - value) <= allowed, `element ${index}: ${got[at]} is not ${value}`);
      }
    });
  }

  test("parts of several types share one form that holds all", () => {
    const parts = (["Q4_K", "Q6_K"] as const).map((type) => unpackBlocks(type, blocksOf(type)));
    const form = chooseForm(
      parts.map((values) => ({ ...values, minima: values.minima !== null })),
      4,
      256,
    );
    assert.deepEqual(form, { bits: 8, group: 16, rows: 4, columns: 256, corrected: true });
    const matrix = createCodedMatrix(form);
    placeRows(matrix, parts[0]!, (row) => row);
    placeRows(matrix, parts[1]!, (row) => 2 + row);
    const want = Float32Array.from([...toFloats(parts[0]!), ...toFloats(parts[1]!)]);
    assert.ok(farthest(toMatrixFloats(matrix), want) < 1e-6);
  });

  test("codes with a minimum lie around the operator's 0: rounded activations cost least there", () => {
    for (const type of ["Q4_1", "Q5_1", "Q4_K", "Q5_K"] as const) {
      const values = unpackBlocks(type, blocksOf(type));
      for (const bits of [4, 8] as const) {
        if (values.bits > bits) continue;
        const matrix = createCodedMatrix({ bits, group: 32, rows: 2, columns: 256, corrected: true });
        placeRows(matrix, values, (row) => row);
        const codes = bits === 8 ? [...matrix.codes] : [...matrix.codes].flatMap((byte) => [byte & 15, byte >> 4]);
        const around = codes.map((code) => code - 2 ** (bits - 1));
        const half = 2 ** (values.bits - 1);
        assert.ok(Math.min(...around) >= -half && Math.max(...around) < half, `${type} in ${bits} bits`);
        assert.ok(farthest(toMatrixFloats(matrix), toFloats(values)) < 1e-5, type);
      }
    }
  });

  test("rounding is, bit for bit, GGML's formula written down plainly", () => {
    const plain = (values: Float32Array, bits: 4 | 8) => {
      const codes = new Uint8Array(values.length);
      const scales = new Float32Array(values.length / 32);
      for (let group = 0; group < scales.length; group++) {
        const block = values.subarray(group * 32, group * 32 + 32);
        const far = block.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
        const scale = bits === 8 ? Math.abs(far) / 127 : far / -8;
        scales[group] = scale;
        const inverse = scale === 0 ? 0 : 1 / scale;
        const zero = 2 ** (bits - 1);
        for (const [index, value] of block.entries()) {
          const code = Math.floor(value * inverse + zero + 0.5);
          codes[group * 32 + index] = Math.min(2 ** bits - 1, Math.max(0, code));
        }
      }
      return { codes: [...codes], scales: [...new Uint32Array(scales.buffer)] };
    };
    const finite = fc.float({ noNaN: true, noDefaultInfinity: true });
    // Few different numbers: several elements are then the farthest, with both signs; whole steps and halves of them.
    const coarse = fc.integer({ min: -16, max: 16 }).map((step) => step / 16);
    const zeros = fc.constantFrom(0, -0, 1e-45, -1e-45);
    const group = fc.oneof(
      ...[finite, coarse, zeros].map((element) => fc.array(element, { minLength: 32, maxLength: 32 })),
    );
    fc.assert(
      fc.property(fc.array(group, { minLength: 1, maxLength: 6 }), fc.constantFrom(4, 8), (groups, bits) => {
        const values = Float32Array.from(groups.flat());
        const { codes, scales } = roundBlocks(values, bits as 4 | 8);
        assert.deepEqual(
          { codes: [...codes], scales: [...new Uint32Array(scales.buffer)] },
          plain(values, bits as 4 | 8),
        );
      }),
      { numRuns: 2000 },
    );
  });

  test("rounding loses at most half a step; zeros stay zeros", () => {
    const values = Float32Array.from({ length: 96 }, (_, index) => (index < 32 ? 0 : Math.sin(index * 1.3)));
    for (const [bits, step] of [
      [8, 1 / 127],
      [4, 1 / 8],
    ] as const) {
      const back = toFloats(roundBlocks(values, bits));
      assert.ok(back.subarray(0, 32).every((value) => value === 0));
      // The end without a mirror image may lose a whole step.
      assert.ok(farthest(values, back) <= step * (bits === 8 ? 0.5 : 1) + 1e-6, `${bits} bits`);
    }
  });
});

/** Two rows of 256 elements. */
function blocksOf(type: GgmlBlockType): Uint8Array {
  const size = { Q4_0: 18, Q4_1: 20, Q5_0: 22, Q5_1: 24, Q8_0: 34, Q4_K: 144, Q5_K: 176, Q6_K: 210 }[type];
  const count = type.endsWith("_K") ? 2 : 16;
  const bytes = Uint8Array.from({ length: size * count }, (_, index) => (index * 131 + 17) % 251);
  for (let block = 0; block < count; block++) {
    const halves = type === "Q6_K" ? [208] : [0, 2];
    // Halves near 1/64: no infinities, no NaN.
    for (const half of halves) bytes[block * size + half + 1] = 0x24;
  }
  return bytes;
}

describe("a GGUF file's blocks in the operator", () => {
  for (const type of ["Q8_0", "Q4_0", "Q4_1"] as const) {
    test(`${type}: exact, but for the rounding of activations`, async () => {
      const path = paths.get(type)!;
      const plain = await run(path, { quantize: "none" });
      const exact = await run(path, { activations: "float32" });
      const fast = await run(path);
      const largest = plain.logits.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      assert.ok(farthest(exact.logits, plain.logits) < 1e-4 * largest, String(farthest(exact.logits, plain.logits)));
      const off = farthest(fast.logits, plain.logits);
      assert.ok(off > 0 && off < 0.2 * largest, `${off} of ${largest}`);
      assert.equal(fast.digest, plain.digest);
      assert.ok(fast.bytes < plain.bytes / 2, `${fast.bytes} of ${plain.bytes}`);
      assert.match(fast.provider, type === "Q8_0" ? /int8 ×/ : /int4 ×/);
      assert.match(plain.provider, /fp32/);
    });
  }
});

describe("rounding at load", () => {
  test("int8 stays near, int4 is farther, both are smaller; the digest is that of the weights as stored", async () => {
    const plain = await run(TRAINED);
    const int8 = await run(TRAINED, { quantize: "int8" });
    const int4 = await run(TRAINED, { quantize: "int4" });
    const [near, far] = [farthest(int8.logits, plain.logits), farthest(int4.logits, plain.logits)];
    assert.ok(near > 0 && near < far, `${near}, ${far}`);
    assert.ok(int4.bytes < int8.bytes && int8.bytes < plain.bytes / 3);
    assert.equal(int8.digest, plain.digest);
    assert.equal(int4.digest, plain.digest);
  });

  test("a set laid over is rounded as the directory's own weights are", async () => {
    const set = { files: [join(TRAINED, "model.safetensors")], digest: "sha256:0" as never, partial: false };
    const own = await run(TRAINED, { quantize: "int8" });
    const laid = await run(BASE, { quantize: "int8", sets: [set] });
    assert.deepEqual(laid.logits, own.logits);
    assert.equal(laid.digest, own.digest);
  });

  test("a set laid over a file of blocks is rounded to 8 bits on arrival", async () => {
    const set = { files: [join(TRAINED, "model.safetensors")], digest: "sha256:0" as never, partial: false };
    const laid = await run(paths.get("Q4_1")!, { sets: [set] });
    const int8 = await run(TRAINED, { quantize: "int8" });
    assert.deepEqual(laid.logits, int8.logits);
    assert.equal(laid.digest, int8.digest);
  });
});
