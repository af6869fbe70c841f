/**
 * A mixed load: prompts that share starts, greedy and seeded sampling, several samples, stop tokens, prompt log
 * probabilities, cancellations, resets and releases of the cache, in random arrival. Every answer is that of the request alone.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { createBatcher } from "../../src/worker/batch.ts";
import type { BatchRequest, LoadedModel } from "../../src/worker/batch-types.ts";
import { collect, createCollected, loadDirectory, runAll, sampling } from "../support/batch.ts";

const REQUESTS = 120;

/** Of the longest request. */
const CONTEXT = 256;

let model: LoadedModel;
before(async () => {
  model = await loadDirectory(new URL("../../models/tide-nano/base", import.meta.url), CONTEXT);
});
after(() => model.release());

const token = fc.integer({ min: 3, max: 511 });
const stems = fc.array(fc.array(token, { minLength: 200, maxLength: 200 }), { minLength: 6, maxLength: 6 });
const request = fc.record({
  stem: fc.nat(5),
  length: fc.integer({ min: 1, max: 200 }),
  tail: fc.array(token, { maxLength: 5 }),
  samples: fc.constantFrom(1, 1, 1, 1, 2, 5),
  greedy: fc.boolean(),
  seed: fc.nat(),
  maxTokens: fc.integer({ min: 1, max: 50 }),
  stop: token,
  promptLogprobs: fc.constantFrom(-1, -1, -1, -1, 2),
});
const event = fc.record({
  steps: fc.nat(9),
  cancel: fc.option(fc.nat(REQUESTS - 1), { freq: 8 }),
  action: fc.constantFrom(...Array(30).fill("none"), "reset", "release"),
});

type Plan = typeof request extends fc.Arbitrary<infer T> ? T : never;

function toRequest(key: number, stem: readonly number[], plan: Plan): BatchRequest {
  const { length, tail, samples, greedy, seed, maxTokens, stop, promptLogprobs } = plan;
  const chosen = greedy ? { stopTokenIds: new Set([stop]) } : { temperature: 1, topP: 0.9, seed };
  return {
    key,
    promptIds: [...stem.slice(0, length), ...tail],
    samples,
    sampling: sampling({ ...chosen, maxTokens, promptLogprobs }),
  };
}

for (const [name, kvCacheBytes] of [
  ["", undefined],
  [", in a cache that holds little more than one sequence of them", 2 ** 19 + 2 ** 18],
] as const) {
  test(`every answer of a mixed load is that of the request alone, and nothing is left behind${name}`, () =>
    runMixedLoad(kvCacheBytes));
}

function runMixedLoad(kvCacheBytes: number | undefined): void {
  let reused = 0;
  let preemptions = 0;
  const plans = fc.array(fc.tuple(request, event), { minLength: REQUESTS, maxLength: REQUESTS });
  fc.assert(
    fc.property(stems, plans, (starts, arrivals) => {
      const batcher = createBatcher(model, { maxConcurrency: 6, maxQueue: 10_000, kvCacheBytes });
      const collected = createCollected();
      const requests: BatchRequest[] = [];
      const cancelled = new Set<number>();
      for (const [key, [plan, { steps, cancel, action }]] of arrivals.entries()) {
        const made = toRequest(key, starts[plan.stem]!, plan);
        requests.push(made);
        batcher.submit(made);
        for (let step = 0; step < steps; step++) collect(collected, batcher.step());
        if (cancel !== null && cancel <= key) {
          batcher.cancel(cancel);
          cancelled.add(cancel);
        }
        if (action === "reset") batcher.resetPrefixCache();
        if (action === "release") batcher.releaseCache();
      }
      while (!batcher.idle) collect(collected, batcher.step());
      assert.deepEqual([batcher.running, batcher.waiting], [0, 0]);
      preemptions = batcher.preemptions ?? 0;
      for (const made of requests) {
        if (cancelled.has(made.key)) continue;
        const alone = runAll(createBatcher(model, { maxConcurrency: 1, maxQueue: 9, prefixCacheBytes: 0 }), [made]);
        reused += collected.prompts.get(made.key)!.cachedTokens;
        for (const [name, { ids, finish }] of alone.results) {
          assert.deepEqual(collected.results.get(name)!.ids, ids, name);
          assert.deepEqual(collected.results.get(name)!.finish, finish, name);
        }
      }
    }),
    // One load of fixed content: shrinking a hundred requests would take an hour and explain nothing.
    { numRuns: 1, seed: 4, endOnFailure: true },
  );
  assert.ok(reused > 1000 || kvCacheBytes !== undefined, `prefixes were reused: ${reused} tokens`);
  assert.equal(preemptions > 0, kvCacheBytes !== undefined, `${preemptions} sequences were sent back`);
}
