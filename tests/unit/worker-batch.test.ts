/** Continuous batching over the shipped model: who shares a batch changes nothing, and every sequence ends as it should. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { GatewayError } from "../../src/errors.ts";
import { createBatcher } from "../../src/worker/batch.ts";
import type { BatchRequest, LoadedModel, ResolvedSampling } from "../../src/worker/batch-types.ts";
import { collect, createCollected, loadDirectory, runAll, sampling } from "../support/batch.ts";

const directory = (name: string) => new URL(`../../models/tide-nano/${name}`, import.meta.url);

let base: LoadedModel;
let trained: LoadedModel;
before(async () => {
  base = await loadDirectory(directory("base"));
  trained = await loadDirectory(directory("trained"));
});
after(() => {
  base.release();
  trained.release();
});

/** Some token ids, different for each seed. */
const toPrompt = (seed: number, length: number) => Array.from({ length }, (_, at) => 3 + ((seed * 31 + at * 17) % 500));

const request = (key: number, over: Partial<ResolvedSampling> = {}, length = 5 + key, samples = 1): BatchRequest => ({
  key,
  promptIds: toPrompt(key, length),
  samples,
  sampling: sampling({ logprobs: 3, maxTokens: 24, ...over }),
});

const batcherOf = (maxConcurrency: number, model = base) => createBatcher(model, { maxConcurrency, maxQueue: 100 });

const hasCode = (code: string) => (error: unknown) => error instanceof GatewayError && error.code === code;

describe("batch composition", () => {
  test("greedy: alone, among 8, and with a queue give the same tokens and logprobs", () => {
    const requests = Array.from({ length: 12 }, (_, key) => request(key, { maxTokens: 8 + 3 * key }));
    const together = runAll(batcherOf(8), requests);
    const queued = runAll(batcherOf(3), requests);
    for (const item of requests) {
      const alone = runAll(batcherOf(1), [item]).results.get(`${item.key}/0`)!;
      for (const other of [together, queued]) {
        const got = other.results.get(`${item.key}/0`)!;
        assert.deepEqual(got.ids, alone.ids);
        for (const [at, entry] of alone.logprobs.entries()) {
          assert.ok(Math.abs(got.logprobs[at]!.logprob - entry!.logprob) < 1e-4);
        }
      }
    }
  });

  test("seeded sampling: the same draws whatever else runs; other seeds and samples differ", () => {
    const over = { temperature: 1.5, topP: 0.95, seed: 99, maxTokens: 20 };
    const alone = runAll(batcherOf(1), [request(4, over, 9, 2)]).results;
    const noise = [request(0, { temperature: 1, seed: 5 }), request(1), request(2, { temperature: 2, seed: 6 })];
    const crowded = runAll(batcherOf(5), [...noise, request(4, over, 9, 2)]).results;
    for (const name of ["4/0", "4/1"]) assert.deepEqual(crowded.get(name)!.ids, alone.get(name)!.ids);
    assert.notDeepEqual(alone.get("4/0")!.ids, alone.get("4/1")!.ids);
    const reseeded = runAll(batcherOf(1), [request(4, { ...over, seed: 100 }, 9)]).results;
    assert.notDeepEqual(reseeded.get("4/0")!.ids, alone.get("4/0")!.ids);
  });

  test("random arrivals, lengths and cancellations leave the others' greedy answers alone", () => {
    const expected = new Map<number, readonly number[]>();
    const toItem = (key: number) => request(key, { maxTokens: 2 + ((key * 7) % 15) }, 1 + ((key * 5) % 23));
    for (let key = 0; key < 10; key++) {
      expected.set(key, runAll(batcherOf(1), [toItem(key)]).results.get(`${key}/0`)!.ids);
    }
    const events = fc.array(fc.record({ steps: fc.nat(4), cancel: fc.nat(9), cancels: fc.boolean() }), {
      minLength: 10,
      maxLength: 10,
    });
    fc.assert(
      fc.property(events, fc.integer({ min: 1, max: 6 }), (plan, slots) => {
        const batcher = batcherOf(slots);
        const collected = createCollected();
        const cancelled = new Set<number>();
        for (const [key, event] of plan.entries()) {
          batcher.submit(toItem(key));
          for (let step = 0; step < event.steps; step++) collect(collected, batcher.step());
          if (!event.cancels || event.cancel > key || collected.results.get(`${event.cancel}/0`)?.finish) continue;
          batcher.cancel(event.cancel);
          cancelled.add(event.cancel);
        }
        while (!batcher.idle) collect(collected, batcher.step());
        for (const [key, ids] of expected) {
          const got = collected.results.get(`${key}/0`);
          if (cancelled.has(key)) assert.equal(got?.finish ?? null, null);
          else assert.deepEqual(got?.ids, ids);
        }
      }),
      { numRuns: 25 },
    );
  });

  test("a prompt of several chunks is read between the steps of others, and equals the unchunked answer's tokens", () => {
    const long = { ...request(1, { maxTokens: 4, promptLogprobs: 1 }, 700) };
    const alone = runAll(batcherOf(1), [long]);
    const batcher = batcherOf(2);
    const collected = createCollected();
    batcher.submit(request(0, { maxTokens: 40 }));
    collect(collected, batcher.step());
    batcher.submit(long);
    const order: string[] = [];
    while (!batcher.idle) {
      const outputs = batcher.step();
      collect(collected, outputs);
      order.push(
        ...outputs.filter((output) => output.type !== "finish").map((output) => `${output.type}${output.key}`),
      );
    }
    assert.ok(order.indexOf("prompt1") >= 2, `decoding went on while the prompt was read: ${order.slice(0, 6)}`);
    assert.deepEqual(collected.results.get("1/0")!.ids, alone.results.get("1/0")!.ids);
    assert.equal(collected.prompts.get(1)!.logprobs!.length, 700);
  });
});

describe("samples of one prompt", () => {
  test("more samples than slots: each as if alone, one prompt output", () => {
    const collected = runAll(batcherOf(3), [request(0, { maxTokens: 10 }, 12, 7), request(1)]);
    const alone = runAll(batcherOf(1), [request(0, { maxTokens: 10 }, 12)]).results.get("0/0")!.ids;
    for (let sample = 0; sample < 7; sample++) assert.deepEqual(collected.results.get(`0/${sample}`)!.ids, alone);
    assert.equal(collected.prompts.size, 2);
  });

  test("one sample is cancelled, the others go on", () => {
    const batcher = batcherOf(4);
    const collected = createCollected();
    batcher.submit(request(0, {}, 6, 3));
    collect(collected, batcher.step());
    batcher.cancel(0, 1);
    while (!batcher.idle) collect(collected, batcher.step());
    assert.equal(collected.results.get("0/1")!.finish, null);
    assert.deepEqual(collected.results.get("0/2")!.ids, collected.results.get("0/0")!.ids);
    assert.equal(collected.results.get("0/2")!.finish!.reason, "length");
  });
});

describe("how sequences end", () => {
  const greedy = () => runAll(batcherOf(1), [request(3)]).results.get("3/0")!.ids;

  test("eos and stop tokens end with stop; only stop tokens are named", () => {
    const ids = greedy();
    const second = ids[1]!;
    const first = ids.indexOf(second);
    const eos = runAll(batcherOf(1), [request(3, { eosTokenIds: new Set([second]) })]).results.get("3/0")!;
    assert.deepEqual([eos.finish!.reason, eos.finish!.stopTokenId], ["stop", null]);
    const stop = runAll(batcherOf(1), [request(3, { stopTokenIds: new Set([second]) })]).results.get("3/0")!;
    assert.deepEqual([stop.finish!.reason, stop.finish!.stopTokenId], ["stop", second]);
    assert.deepEqual(stop.ids, ids.slice(0, first + 1));
  });

  test("min_tokens holds eos and stop tokens off", () => {
    const eosTokenIds = new Set([greedy()[0]!]);
    const got = runAll(batcherOf(1), [request(3, { eosTokenIds, minTokens: 6 })]).results.get("3/0")!;
    assert.ok(got.ids.length >= 6);
    assert.ok(!eosTokenIds.has(got.ids[0]!));
  });

  test("the context's end is a length, and max_tokens 0 only reads the prompt", async () => {
    const short = await loadDirectory(directory("base"), 16);
    const full = runAll(batcherOf(2, short), [request(0, { maxTokens: 100 }, 10)]).results.get("0/0")!;
    assert.equal(full.ids.length, 6);
    assert.equal(full.finish!.reason, "length");
    const none = runAll(batcherOf(2, short), [request(0, { maxTokens: 0, promptLogprobs: 2 }, 16)]);
    assert.equal(none.prompts.get(0)!.logprobs!.length, 16);
    assert.deepEqual(none.results.get("0/0")!.ids, []);
    assert.throws(() => batcherOf(1, short).submit(request(0, {}, 16)), hasCode("context_length_exceeded"));
    short.release();
  });

  test("abortAll ends what runs and what waits", () => {
    const batcher = batcherOf(1);
    const collected = createCollected();
    batcher.submit(request(0));
    batcher.submit(request(1, {}, 5, 2));
    collect(collected, batcher.step());
    batcher.abortAll();
    assert.equal(batcher.idle, false);
    while (!batcher.idle) collect(collected, batcher.step());
    assert.deepEqual([...collected.results].map(([name, result]) => [name, result.finish?.reason]).sort(), [
      ["0/0", "abort"],
      ["1/0", "abort"],
      ["1/1", "abort"],
    ]);
    batcher.submit(request(0));
    assert.equal(batcher.waiting, 1);
  });
});

describe("limits", () => {
  test("a full queue refuses, and takes again when there is room", () => {
    const batcher = createBatcher(base, { maxConcurrency: 1, maxQueue: 1 });
    batcher.submit(request(0));
    batcher.submit(request(1));
    assert.throws(() => batcher.submit(request(2)), hasCode("too_many_requests"));
    batcher.cancel(1);
    batcher.submit(request(2));
  });

  test("bad prompts are refused by name", () => {
    for (const promptIds of [[], [512], [-1], [1.5]]) {
      assert.throws(() => batcherOf(1).submit({ ...request(0), promptIds }), hasCode("invalid_value"));
    }
  });

  test("a cache over the budget is refused with what would fit", () => {
    assert.throws(
      () => createBatcher(base, { maxConcurrency: 8, maxQueue: 1, kvCacheBytes: 2 ** 20 }),
      (error: unknown) =>
        hasCode("limit_exceeded")(error) &&
        /one sequence of 1024 tokens takes 2\.0 MiB, more than the 1\.0 MiB .*--max-model-len 512\./.test(
          String(error),
        ),
    );
  });
});

describe("replaceModel", () => {
  test("running sequences go on with the new weights, as if those had read all tokens so far", () => {
    const batcher = batcherOf(3);
    const collected = createCollected();
    const requests = [request(0, {}, 8, 2), request(1), request(2), request(3)];
    for (const item of requests) batcher.submit(item);
    for (let step = 0; step < 8; step++) collect(collected, batcher.step());
    const before = new Map([...collected.results].map(([name, { ids }]) => [name, [...ids]]));
    assert.equal(batcher.replaceModel(trained), base);
    while (!batcher.idle) collect(collected, batcher.step());
    for (const item of requests) {
      for (let sample = 0; sample < item.samples; sample++) {
        const name = `${item.key}/${sample}`;
        const kept = before.get(name) ?? [];
        const got = collected.results.get(name)!.ids;
        assert.equal(got.length, 24);
        if (kept.length === 24) continue;
        const promptIds = [...item.promptIds, ...kept];
        const rest = { ...item, promptIds, samples: 1, sampling: sampling({ maxTokens: 24 - kept.length }) };
        const want = runAll(batcherOf(1, trained), [rest]).results.get(`${item.key}/0`)!.ids;
        assert.deepEqual(got, [...kept, ...want]);
      }
    }
  });
});
