/** The decoder against reference logits and greedy continuations: one committed checkpoint, the model we ship, more where they lie. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { createFiles } from "../../src/platform/shared/files.ts";
import { widen } from "../../src/tensor/half.ts";
import { openWeights } from "../../src/tensor/weights.ts";
import { createBatcher } from "../../src/worker/batch.ts";
import type { LoadedModel } from "../../src/worker/batch-types.ts";
import { KvCache } from "../../src/worker/kv-cache.ts";
import { toDecoderModel } from "../../src/worker/load-model.ts";
import { loadDirectory, runAll, sampling } from "../support/batch.ts";

const LOGIT_TOLERANCE = 1e-4;
const LOGPROB_TOLERANCE = 1e-3;

/** All prompts of a checkpoint padded to one batch on one side, as transformers takes them. */
interface PaddedBatch {
  readonly side: "left" | "right";
  readonly input_ids: readonly (readonly number[])[];
  readonly attention_mask: readonly (readonly number[])[];
}

interface Prompt {
  readonly input_ids: readonly number[];
  readonly logits: string;
  readonly prompt_logprobs: readonly {
    readonly token: number;
    readonly logprob: number;
    readonly rank: number;
    readonly top: readonly (readonly [id: number, logprob: number])[];
  }[];
  readonly greedy: { readonly token_ids: readonly number[]; readonly logprobs: readonly number[] };
}

const readJson = (url: URL) => JSON.parse(readFileSync(url, "utf8"));

const close = (got: number, want: number, tolerance: number, what: string) =>
  assert.ok(Math.abs(got - want) <= tolerance, `${what}: ${got} is not ${want} ± ${tolerance}`);

async function readExpected(directory: URL): Promise<Map<string, Float32Array>> {
  const weights = await openWeights(
    createFiles(),
    decodeURIComponent(new URL("expected.safetensors", directory).pathname),
  );
  try {
    const entries: [string, Float32Array][] = [];
    for (const name of weights.tensors.keys()) entries.push([name, widen("F32", await weights.read(name))]);
    return new Map(entries);
  } finally {
    await weights.close();
  }
}

/** Logits of all positions, in one chunk and in several, in whatever slot. */
async function checkLogits(model: LoadedModel, prompts: readonly Prompt[], directory: URL): Promise<void> {
  const { decoder, config } = toDecoderModel(model);
  const expected = await readExpected(directory);
  const cache = new KvCache(config, { positions: model.maxModelLen, slots: 4, budgetBytes: 2 ** 30 });
  cache.reserve(4);
  for (const [index, { input_ids: ids, logits: name }] of prompts.entries()) {
    const want = expected.get(name)!;
    for (const chunk of [ids.length, 7]) {
      for (let from = 0; from < ids.length; from += chunk) {
        const to = Math.min(ids.length, from + chunk);
        const got = decoder.prefill(cache, index % 4, ids, from, to, "all");
        for (let at = 0; at < (to - from) * model.vocabSize; at++) {
          close(got[at]!, want[from * model.vocabSize + at]!, LOGIT_TOLERANCE, `prompt ${index}, chunk of ${chunk}`);
        }
      }
    }
  }
  cache.release();
}

/**
 * A padded batch is a ragged one here: column by column, the rows that are not padding at it take one step together.
 * Rows padded on the right start together, rows padded on the left end together.
 */
async function checkPadded(
  model: LoadedModel,
  batches: readonly PaddedBatch[],
  prompts: readonly Prompt[],
  directory: URL,
): Promise<void> {
  const { decoder, config } = toDecoderModel(model);
  const expected = await readExpected(directory);
  for (const { side, input_ids, attention_mask } of batches) {
    const cache = new KvCache(config, {
      positions: model.maxModelLen,
      slots: prompts.length,
      budgetBytes: 2 ** 30,
    });
    cache.reserve(prompts.length);
    // Live rows must be the first ones: longest prompts first.
    const rows = [...prompts.keys()].sort((a, b) => prompts[b]!.input_ids.length - prompts[a]!.input_ids.length);
    const done = rows.map(() => 0);
    for (let column = 0; column < input_ids[0]!.length; column++) {
      const live = rows.filter((prompt) => attention_mask[prompt]![column] === 1);
      const got = decoder.decode(
        cache,
        live.length,
        (row) => input_ids[rows[row]!]![column]!,
        (row) => done[row]!,
      );
      for (const [row, prompt] of live.entries()) {
        const want = expected.get(prompts[prompt]!.logits)!;
        for (let id = 0; id < model.vocabSize; id++) {
          const what = `${side}-padded row ${prompt}, column ${column}`;
          close(got[row * model.vocabSize + id]!, want[done[row]! * model.vocabSize + id]!, LOGIT_TOLERANCE, what);
        }
        done[row]!++;
      }
    }
    assert.deepEqual(
      done,
      rows.map((prompt) => prompts[prompt]!.input_ids.length),
    );
    cache.release();
  }
}

/** Greedy continuations and prompt logprobs, all prompts in one batch. */
function checkGreedy(model: LoadedModel, prompts: readonly Prompt[]): void {
  const batcher = createBatcher(model, { maxConcurrency: 2, maxQueue: 100 });
  const { results, prompts: reported } = runAll(
    batcher,
    prompts.map(({ input_ids: promptIds }, key) => ({
      key,
      promptIds,
      samples: 1,
      sampling: sampling({ logprobs: 0, promptLogprobs: 5 }),
    })),
  );
  for (const [key, { greedy, prompt_logprobs, input_ids }] of prompts.entries()) {
    const result = results.get(`${key}/0`)!;
    // The reference goes on beyond the model's own context; ours ends there.
    const room = model.maxModelLen - input_ids.length;
    assert.deepEqual(result.ids, greedy.token_ids.slice(0, room));
    assert.equal(result.finish?.reason, "length");
    for (const [at, want] of greedy.logprobs.slice(0, room).entries()) {
      close(result.logprobs[at]!.logprob, want, LOGPROB_TOLERANCE, `logprob ${at} of prompt ${key}`);
      assert.equal(result.logprobs[at]!.rank, 1);
    }
    const got = reported.get(key)!.logprobs!;
    assert.equal(got.length, input_ids.length);
    assert.equal(got[0], null);
    for (const [at, want] of prompt_logprobs.entries()) {
      const entry = got[at + 1]!;
      assert.equal(entry.tokenId, want.token);
      assert.equal(entry.rank, want.rank);
      close(entry.logprob, want.logprob, LOGPROB_TOLERANCE, `prompt logprob ${at + 1}`);
      assert.deepEqual(
        [...entry.topIds],
        want.top.map(([id]) => id),
      );
      for (const [place, [, logprob]] of want.top.entries())
        close(entry.topLogprobs[place]!, logprob, LOGPROB_TOLERANCE, "top");
    }
  }
}

const COMMITTED = new URL("../fixtures/forward/", import.meta.url);
const MORE = new URL("../../../shared/fixtures/reference/forward/", import.meta.url);
const CHECKPOINTS = [
  { name: "llama-gqa-untied", root: COMMITTED },
  { name: "qwen3-tied-bf16", root: COMMITTED },
  { name: "mistral-window", root: COMMITTED },
  { name: "llama-tied", root: MORE },
  { name: "llama-head-dim-biases", root: MORE },
  { name: "llama-rope-linear", root: MORE },
  { name: "llama-rope-llama3", root: MORE },
  { name: "qwen2-tied", root: MORE },
  { name: "qwen2-yarn", root: MORE },
  { name: "qwen3-untied", root: MORE },
];

describe("reference checkpoints", () => {
  for (const { name, root } of CHECKPOINTS) {
    const directory = new URL(`${name}/`, root);
    const missing = existsSync(directory) ? false : `${name} is not on this machine`;
    test(`${name}: logits, padded batches, prompt logprobs and greedy tokens`, { skip: missing }, async () => {
      const { prompts, batches } = readJson(new URL("cases.json", directory)) as {
        prompts: readonly Prompt[];
        batches: readonly PaddedBatch[];
      };
      const model = await loadDirectory(new URL("checkpoint", directory));
      await checkLogits(model, prompts, directory);
      await checkPadded(model, batches, prompts, directory);
      checkGreedy(model, prompts);
      model.release();
    });
  }
});

interface Golden {
  readonly checkpoint: string;
  readonly prompt_token_ids: readonly number[];
  readonly completion_token_ids: readonly number[];
  readonly logprobs: readonly number[];
}

describe("tide-nano", () => {
  const url = new URL("../../models/train/golden.json", import.meta.url);
  const cases = (existsSync(url) ? readJson(url).cases : []) as readonly Golden[];
  for (const checkpoint of ["base", "trained"]) {
    test(`${checkpoint} answers as the numpy reference, in a batch`, { skip: cases.length === 0 }, async () => {
      const model = await loadDirectory(new URL(`../../models/tide-nano/${checkpoint}`, import.meta.url));
      const own = cases.filter((item) => item.checkpoint === checkpoint);
      assert.ok(own.length > 0);
      const { results } = runAll(
        createBatcher(model, { maxConcurrency: 8, maxQueue: 100 }),
        own.map(({ prompt_token_ids: promptIds }, key) => ({
          key,
          promptIds,
          samples: 1,
          sampling: sampling({ logprobs: 0, eosTokenIds: new Set([2]) }),
        })),
      );
      for (const [key, want] of own.entries()) {
        const got = results.get(`${key}/0`)!;
        assert.deepEqual(got.ids, want.completion_token_ids);
        for (const [at, logprob] of want.logprobs.entries()) {
          close(got.logprobs[at]!.logprob, logprob, LOGPROB_TOLERANCE, `logprob ${at} of case ${key}`);
        }
      }
      model.release();
    });
  }
});
