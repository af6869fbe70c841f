/** Hidden states after the final norm and what is pooled of them: against transformers, in chunks, in batches, from the prefix cache, layer by layer. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { createFiles } from "../../src/platform/shared/files.ts";
import { widen } from "../../src/tensor/half.ts";
import { openWeights } from "../../src/tensor/weights.ts";
import { createBatcher } from "../../src/worker/batch.ts";
import type { BatchRequest, LoadedModel } from "../../src/worker/batch-types.ts";
import { KvCache } from "../../src/worker/kv-cache.ts";
import { loadModel, toDecoderModel } from "../../src/worker/load-model.ts";
import { Pool, toEmbedding } from "../../src/worker/pooling.ts";
import { loadDirectory, runAll, sampling } from "../support/batch.ts";

const TOLERANCE = 1e-4;

const close = (got: Float32Array, want: ArrayLike<number>, what: string): void => {
  assert.equal(got.length, want.length, what);
  for (const [index, value] of got.entries()) {
    assert.ok(Math.abs(value - want[index]!) <= TOLERANCE, `${what}, number ${index}: ${value} is not ${want[index]}`);
  }
};

const readJson = (url: URL) => JSON.parse(readFileSync(url, "utf8"));

interface Case {
  readonly ids: readonly number[];
  readonly last: readonly number[];
  readonly mean: readonly number[];
  readonly unit: { readonly last: readonly number[]; readonly mean: readonly number[] };
}
const CASES = readJson(new URL("../fixtures/embeddings/cases.json", import.meta.url)).cases as readonly Case[];

const toRequest = (promptIds: readonly number[], pooling: "last" | "mean", key: number): BatchRequest => ({
  key,
  promptIds,
  samples: 1,
  sampling: sampling({ maxTokens: 0 }),
  pooling,
});

const NANO = new URL("../../models/tide-nano/base", import.meta.url);
let nano: LoadedModel;
before(async () => {
  nano = await loadDirectory(NANO);
});
after(() => nano.release());

describe("prompts as vectors", () => {
  for (const pooling of ["last", "mean"] as const) {
    test(`${pooling}: every length in one batch, beside generations, equals transformers`, () => {
      const batcher = createBatcher(nano, { maxConcurrency: 3, maxQueue: 100 });
      const generate: BatchRequest = {
        key: 99,
        promptIds: [5, 6, 7],
        samples: 2,
        sampling: sampling({ temperature: 1 }),
      };
      const { embeddings, prompts, results } = runAll(batcher, [
        generate,
        ...CASES.map(({ ids }, key) => toRequest(ids, pooling, key)),
      ]);
      for (const [key, one] of CASES.entries()) {
        close(embeddings.get(key)!, one[pooling], `prompt of ${one.ids.length}`);
        close(toEmbedding(embeddings.get(key)!, { type: pooling, normalize: true }), one.unit[pooling], "unit");
        assert.equal(prompts.get(key)!.logprobs, null);
        assert.deepEqual([results.get(`${key}/0`)!.ids, results.get(`${key}/0`)!.finish?.reason], [[], "stop"]);
      }
      assert.equal(results.get("99/1")!.ids.length, 64);
      assert.ok(batcher.idle);
    });
  }

  test("the last token's comes from the prefix cache, the mean needs every token", () => {
    const batcher = createBatcher(nano, { maxConcurrency: 2, maxQueue: 100 });
    const long = CASES.at(-1)!;
    const cachedOf = (pooling: "last" | "mean", key: number): number => {
      const { embeddings, prompts } = runAll(batcher, [toRequest(long.ids, pooling, key)]);
      close(embeddings.get(key)!, long[pooling], pooling);
      return prompts.get(key)!.cachedTokens;
    };
    assert.deepEqual([cachedOf("last", 1), cachedOf("last", 2), cachedOf("mean", 3)], [0, 384, 0]);
    // A generation finds what an embedding has read.
    const { prompts } = runAll(batcher, [
      { key: 4, promptIds: long.ids, samples: 1, sampling: sampling({ maxTokens: 1 }) },
    ]);
    assert.equal(prompts.get(4)!.cachedTokens, 384);
  });

  test("a switch of weights between two chunks starts over", async () => {
    const trained = await loadDirectory(new URL("../../models/tide-nano/trained", import.meta.url));
    const long = CASES.at(-1)!;
    const want = runAll(createBatcher(trained, { maxConcurrency: 1, maxQueue: 9 }), [toRequest(long.ids, "mean", 1)]);
    const batcher = createBatcher(nano, { maxConcurrency: 1, maxQueue: 9 });
    batcher.submit(toRequest(long.ids, "mean", 1));
    assert.deepEqual(batcher.step(), []);
    batcher.replaceModel(trained);
    const got = runAll(batcher, []);
    close(got.embeddings.get(1)!, want.embeddings.get(1)!, "mean by the new weights");
    trained.release();
  });

  test("a prompt as long as the context is taken, a longer one refused", () => {
    const batcher = createBatcher(nano, { maxConcurrency: 1, maxQueue: 9 });
    const ids = Array.from({ length: nano.maxModelLen }, (_, at) => 3 + (at % 400));
    assert.equal(runAll(batcher, [toRequest(ids, "last", 1)]).embeddings.get(1)!.length, nano.hiddenSize);
    assert.throws(() => batcher.submit(toRequest([...ids, 3], "last", 2)), { code: "context_length_exceeded" });
  });

  test("weights in tiers give the same", async () => {
    const layered = await loadModel({
      files: createFiles(),
      directory: decodeURIComponent(NANO.pathname),
      sets: [],
      device: "cpu",
      maxModelLen: undefined,
      residency: { maxInCpuBytes: 1_500_000 },
      onProgress: () => {},
    });
    layered.residency?.wake();
    const some = CASES.filter(({ ids }) => ids.length !== 256);
    const batcher = createBatcher(layered, { maxConcurrency: 2, maxQueue: 100 });
    const { embeddings, results } = runAll(batcher, [
      { key: 50, promptIds: [5, 6, 7], samples: 1, sampling: sampling({ maxTokens: 3 }) },
      ...some.map(({ ids }, key) => toRequest(ids, key % 2 === 0 ? "mean" : "last", key)),
    ]);
    for (const [key, one] of some.entries()) close(embeddings.get(key)!, key % 2 === 0 ? one.mean : one.last, `${key}`);
    assert.equal(results.get("50/0")!.ids.length, 3);
    layered.release();
  });
});

const FORWARD = new URL("../fixtures/forward/", import.meta.url);
const MORE = new URL("../../../shared/fixtures/reference/forward/", import.meta.url);
const CHECKPOINTS = [
  ...["llama-gqa-untied", "qwen3-tied-bf16", "mistral-window"].map((name) => ({ name, root: FORWARD })),
  ...["llama-tied", "llama-head-dim-biases", "llama-rope-llama3", "qwen2-yarn"].map((name) => ({ name, root: MORE })),
];

describe("hidden states of reference checkpoints", () => {
  for (const { name, root } of CHECKPOINTS) {
    const directory = new URL(`${name}/`, root);
    const skip = existsSync(directory) ? false : `${name} is not on this machine`;
    test(`${name}: whole and in chunks; of every prefix the last and the mean`, { skip }, async () => {
      const weights = await openWeights(
        createFiles(),
        decodeURIComponent(new URL("expected.safetensors", directory).pathname),
      );
      const want = widen("F32", await weights.read("hidden.last_prompt"));
      await weights.close();
      const ids = readJson(new URL("cases.json", directory)).prompts.at(-1).input_ids as number[];
      const model = await loadDirectory(new URL("checkpoint", directory));
      const { decoder, config } = toDecoderModel(model);
      const width = config.hiddenSize;
      const cache = new KvCache(config, { positions: model.maxModelLen, slots: 1, budgetBytes: 2 ** 30 });
      cache.reserve(1);
      for (const chunk of [ids.length, 7, 1]) {
        for (let from = 0; from < ids.length; from += chunk) {
          const to = Math.min(ids.length, from + chunk);
          const got = decoder.embed(cache, 0, ids, from, to);
          close(got, want.subarray(from * width, to * width), `chunk of ${chunk} from ${from}`);
        }
      }
      cache.release();
      // What comes later changes nothing before it: each prefix is a prompt of its own, all in one batch.
      const lengths = [1, 2, 9, 16, 17, ids.length];
      const batcher = createBatcher(model, { maxConcurrency: 4, maxQueue: 100 });
      const { embeddings } = runAll(
        batcher,
        lengths.flatMap((length, index) => [
          toRequest(ids.slice(0, length), "last", 2 * index),
          toRequest(ids.slice(0, length), "mean", 2 * index + 1),
        ]),
      );
      for (const [index, length] of lengths.entries()) {
        close(embeddings.get(2 * index)!, want.subarray((length - 1) * width, length * width), `last of ${length}`);
        const mean = Array.from({ length: width }, (_, column) => {
          let sum = 0;
          for (let row = 0; row < length; row += 1) sum += want[row * width + column]!;
          return sum / length;
        });
        close(embeddings.get(2 * index + 1)!, mean, `mean of ${length}`);
      }
      model.release();
    });
  }
});

describe("pooling", () => {
  test("begins anew where a prompt begins anew", () => {
    const pool = new Pool("mean", 2);
    pool.add(Float32Array.of(100, 100), 0);
    pool.add(Float32Array.of(1, 2, 3, 4), 0);
    pool.add(Float32Array.of(5, 9), 2);
    assert.deepEqual([...pool.values()], [3, 5]);
  });

  test("cuts before it scales; a zero vector stays zero", () => {
    const cut = toEmbedding(Float32Array.of(3, 4, 99), { type: "last", normalize: true, dimensions: 2 });
    close(cut, [0.6, 0.8], "cut");
    assert.deepEqual([...toEmbedding(new Float32Array(2), { type: "last", normalize: true })], [0, 0]);
    assert.deepEqual([...toEmbedding(Float32Array.of(3, 4), { type: "last", normalize: false })], [3, 4]);
  });
});
