/** A KV cache with less room than its slots could take: who comes late waits or is recomputed, nobody starves, answers stay the same. */
import assert from "node:assert/strict";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { createBatcher } from "../../src/worker/batch.ts";
import type { BatchRequest, LoadedModel, ResolvedSampling } from "../../src/worker/batch-types.ts";
import { CACHE_PAGE, CacheRoom, shareCache } from "../../src/worker/cache-room.ts";
import { KvCache, slotBytes } from "../../src/worker/kv-cache.ts";
import { toDecoderModel } from "../../src/worker/load-model.ts";
import { discardMemory } from "../../src/worker/native/mapping.ts";
import { pinnedFloat32 } from "../../src/worker/native/memory.ts";
import { collect, createCollected, loadDirectory, runAll, sampling } from "../support/batch.ts";

const POSITIONS = 256;
let model: LoadedModel;
let sequenceBytes = 0;
before(async () => {
  model = await loadDirectory(new URL("../../models/tide-nano/base", import.meta.url), POSITIONS);
  sequenceBytes = slotBytes(toDecoderModel(model).config, POSITIONS);
});
after(() => model.release());

const request = (key: number, length: number, over: Partial<ResolvedSampling> = {}, samples = 1): BatchRequest => ({
  key,
  promptIds: Array.from({ length }, (_, at) => 3 + ((key * 31 + at * 17) % 500)),
  samples,
  sampling: sampling(over),
});
/** Room for so many whole sequences. */
const batcherOf = (sequences: number, maxConcurrency = 6, prefixCacheBytes: number | undefined = 0) =>
  createBatcher(model, {
    ...{ maxConcurrency, maxQueue: 100, prefixCacheBytes },
    kvCacheBytes: Math.floor(sequences * sequenceBytes),
  });

describe("sequences that do not fit together", () => {
  const long = [
    request(0, 20, { maxTokens: 200 }),
    request(1, 60, { maxTokens: 150, temperature: 1, seed: 5 }),
    request(2, 200, { maxTokens: 56 }),
    request(3, 10, { maxTokens: 240 }, 3),
    request(4, 255, { maxTokens: 1, promptLogprobs: 1 }),
    request(5, 90, { maxTokens: 100, temperature: 1.3, topP: 0.9, seed: 77 }, 2),
  ];

  for (const [sequences, prefixes] of [
    [1, 0],
    [1.6, 0],
    [2.5, undefined],
  ] as const) {
    test(`room for ${sequences}: all end, with the answers that they give alone`, () => {
      const batcher = batcherOf(sequences, 6, prefixes);
      const together = runAll(batcher, long);
      assert.ok(batcher.preemptions! > 0, "somebody had to make room");
      assert.deepEqual([batcher.running, batcher.waiting], [0, 0]);
      for (const item of long) {
        const alone = runAll(batcherOf(1, 1), [item]);
        for (const [name, { ids, finish }] of alone.results) {
          assert.deepEqual(together.results.get(name)!.ids, ids, name);
          assert.deepEqual(together.results.get(name)!.finish, finish, name);
        }
        assert.deepEqual(
          together.prompts.get(item.key)!.logprobs?.length,
          alone.prompts.get(item.key)!.logprobs?.length,
        );
      }
    });
  }

  test("the first to come is never sent back, and a long one is not overtaken for ever", () => {
    const batcher = batcherOf(1.2);
    const collected = createCollected();
    batcher.submit(request(0, 150, { maxTokens: 106 }));
    collect(collected, batcher.step());
    // Longer than what is free; short ones that would fit keep coming.
    batcher.submit(request(1, 200, { maxTokens: 20 }));
    let next = 2;
    const begun: number[] = [];
    const ended: number[] = [];
    for (let step = 0; next < 300 && !batcher.idle; step++) {
      if (step % 2 === 0) batcher.submit(request(next++, 5, { maxTokens: 3 }));
      const outputs = batcher.step();
      collect(collected, outputs);
      for (const { type, key } of outputs) {
        if (type === "prompt") begun.push(key);
        if (type === "finish") ended.push(key);
      }
      if (ended.includes(1)) break;
    }
    assert.equal(ended[0], 0);
    assert.deepEqual(begun.slice(0, 3), [1, 2, 3], "nobody overtook the one that waited for room");
    assert.ok(next < 300, "it ended while others kept coming");
    while (!batcher.idle) collect(collected, batcher.step());
    assert.equal(collected.results.size, next);
  });

  test("more slots than room cost no more memory than the room", () => {
    const { config } = toDecoderModel(model);
    const cache = new KvCache(config, { positions: POSITIONS, slots: 8, budgetBytes: 3 * sequenceBytes });
    cache.reserve(8);
    const block = new Float32Array(cache.tokenElements * POSITIONS).fill(1);
    const back = new Float32Array(block.length);
    for (let slot = 0; slot < 8; slot++) {
      const lengths = Array.from({ length: 8 }, (_, at) => (at === slot ? POSITIONS : 0));
      cache.keepWithin(3 * POSITIONS, lengths);
      cache.copyIn(slot, 0, POSITIONS, block);
      cache.copyOut(slot, 0, POSITIONS, back);
      assert.deepEqual(back, block, "what is in use stays");
    }
    assert.ok(cache.touchedTokens <= 3 * POSITIONS, `${cache.touchedTokens} tokens have memory`);
    cache.release();
  });
});

describe("room", () => {
  test("a sequence alone always fits; together they must, and each joins with a page to grow into", () => {
    fc.assert(
      fc.property(fc.nat(2000), fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 8 }), (tokens, lengths) => {
        const room = new CacheRoom(300 + tokens);
        const pages = lengths.reduce((sum, length) => sum + Math.ceil(length / CACHE_PAGE), 0);
        const fits = pages <= Math.ceil((300 + tokens) / CACHE_PAGE);
        assert.equal(room.holds(lengths), fits || lengths.length <= 1);
        const [next = 1, ...rest] = lengths;
        if (!room.admits(rest, next) || rest.length === 0) return;
        // Everybody may grow by a page before somebody must go.
        assert.ok(room.holds([next, ...rest].map((length) => length + CACHE_PAGE)));
      }),
    );
  });

  test("the budget is shared so that one sequence is always left", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4096 }),
        fc.integer({ min: 1, max: 64 }),
        fc.double({ min: 1, max: 100, noNaN: true }),
        fc.option(fc.nat(2 ** 30), { nil: undefined }),
        (positions, slots, times, wished) => {
          const sequence = positions * 1024;
          const budget = Math.floor(sequence * times);
          const { prefixBytes, tokens } = shareCache(budget, sequence, { positions, slots, wished });
          assert.ok(tokens >= positions && tokens <= slots * positions);
          assert.ok(prefixBytes >= 0 && prefixBytes + tokens * 1024 <= budget);
        },
      ),
    );
  });

  test("memory that is discarded is given back, and nothing beside it", { skip: process.platform !== "linux" }, () => {
    const bytes = 64 * 2 ** 20;
    const array = pinnedFloat32(bytes / 4).fill(1);
    const before = process.memoryUsage().rss;
    discardMemory(array, 1000, bytes - 1000);
    assert.ok(before - process.memoryUsage().rss > bytes / 2, "pages are gone");
    assert.deepEqual([array[0], array[249], array[array.length - 250], array.at(-1)], [1, 1, 1, 1]);
    assert.equal(array[array.length / 2], 0);
    array.fill(2);
    assert.equal(array[array.length / 2], 2);
  });
});
