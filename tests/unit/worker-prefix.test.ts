/** Reuse of prefixes: counted, bounded, dropped with the weights, and never seen in an answer. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { createBatcher } from "../../src/worker/batch.ts";
import type { Batcher, BatchRequest, LoadedModel, ResolvedSampling } from "../../src/worker/batch-types.ts";
import { KvCache } from "../../src/worker/kv-cache.ts";
import { toDecoderModel } from "../../src/worker/load-model.ts";
import { PREFIX_BLOCK, PrefixCache } from "../../src/worker/prefix-cache.ts";
import { type Collected, collect, createCollected, loadDirectory, runAll, sampling } from "../support/batch.ts";

let base: LoadedModel;
let trained: LoadedModel;
before(async () => {
  base = await loadDirectory(new URL("../../models/tide-nano/base", import.meta.url));
  trained = await loadDirectory(new URL("../../models/tide-nano/trained", import.meta.url));
});
after(() => {
  base.release();
  trained.release();
});

const toPrompt = (seed: number, length: number, vocabulary = 500) =>
  Array.from({ length }, (_, at) => 3 + ((seed * 31 + at * 17) % (vocabulary - 3)));

let keys = 0;
const toRequest = (promptIds: readonly number[], over: Partial<ResolvedSampling> = {}, samples = 1): BatchRequest => ({
  key: keys++,
  promptIds,
  samples,
  sampling: sampling({ logprobs: 0, maxTokens: 20, ...over }),
});

/** A batcher that reuses nothing. */
const forgetful = (model = base) => createBatcher(model, { maxConcurrency: 4, maxQueue: 100, prefixCacheBytes: 0 });
const keeping = (prefixCacheBytes?: number, model = base) =>
  createBatcher(model, { maxConcurrency: 4, maxQueue: 100, prefixCacheBytes });

/** One request through a batcher: its tokens, and how many of the prompt were not computed. */
function ask(batcher: Batcher, request: BatchRequest) {
  const { results, prompts } = runAll(batcher, [request]);
  const { ids, logprobs } = results.get(`${request.key}/0`)!;
  const { cachedTokens, logprobs: promptLogprobs } = prompts.get(request.key)!;
  return { ids, logprobs: logprobs.map((entry) => entry!.logprob), cachedTokens, promptLogprobs };
}

const assertClose = (got: readonly number[], want: readonly number[]) => {
  assert.equal(got.length, want.length);
  for (const [at, value] of want.entries()) assert.ok(Math.abs(got[at]! - value) < 1e-4, `logprob ${at}`);
};

test("is found under its own salt only", () => {
  const batcher = keeping();
  const prompt = toPrompt(5, 40);
  const cachedOf = (cacheSalt: string | undefined): number =>
    ask(batcher, { ...toRequest(prompt), ...(cacheSalt === undefined ? {} : { cacheSalt }) }).cachedTokens;
  const salts = [undefined, "a", "b", '"', "0", "a:1"];
  assert.deepEqual(salts.map(cachedOf), [0, 0, 0, 0, 0, 0]);
  assert.deepEqual(salts.map(cachedOf), [32, 32, 32, 32, 32, 32]);
});

describe("a prompt that comes again", () => {
  test("is read but for its last block, and answered alike", () => {
    const batcher = keeping();
    for (const length of [1, 15, 16, 17, 32, 33, 300]) {
      const prompt = toPrompt(length, length);
      const want = ask(forgetful(), toRequest(prompt));
      const first = ask(batcher, toRequest(prompt));
      const second = ask(batcher, toRequest(prompt));
      assert.deepEqual([want.cachedTokens, first.cachedTokens], [0, 0]);
      // The last token always runs: its logits are what the answer starts from.
      assert.equal(second.cachedTokens, Math.floor((length - 1) / PREFIX_BLOCK) * PREFIX_BLOCK);
      for (const { ids, logprobs } of [first, second]) {
        assert.deepEqual(ids, want.ids);
        assertClose(logprobs, want.logprobs);
      }
    }
  });

  test("with the answer and more after it: the answer's tokens are reused as well", () => {
    const batcher = keeping();
    const prompt = toPrompt(3, 40);
    const { ids } = ask(batcher, toRequest(prompt, { maxTokens: 30 }));
    const next = [...prompt, ...ids, 7, 8, 9];
    const got = ask(batcher, toRequest(next));
    // 69 tokens of the first sequence were cached: its last one was never run.
    assert.equal(got.cachedTokens, 64);
    assert.deepEqual(got.ids, ask(forgetful(), toRequest(next)).ids);
  });

  test("while the first still runs, and by a queue of the same prompt", () => {
    const batcher = keeping();
    const collected = createCollected();
    const prompt = toPrompt(5, 50);
    const requests = Array.from({ length: 6 }, () => toRequest(prompt, { maxTokens: 12 }));
    runAll(batcher, requests, collected);
    const cached = requests.map(({ key }) => collected.prompts.get(key)!.cachedTokens);
    assert.deepEqual(cached, [0, 48, 48, 48, 48, 48]);
    const answers = requests.map(({ key }) => collected.results.get(`${key}/0`)!.ids);
    for (const answer of answers) assert.deepEqual(answer, answers[0]);
  });

  test("after a cancelled sequence", () => {
    const batcher = keeping();
    const request = toRequest(toPrompt(6, 40), { maxTokens: 100 });
    batcher.submit(request);
    for (let step = 0; step < 30; step++) batcher.step();
    batcher.cancel(request.key);
    assert.equal(ask(batcher, toRequest(request.promptIds)).cachedTokens, 32);
  });

  test("sharing only its start: as far as whole blocks agree", () => {
    const batcher = keeping();
    const prompt = toPrompt(7, 60);
    ask(batcher, toRequest(prompt));
    const other = prompt.with(35, 4);
    const got = ask(batcher, toRequest(other));
    assert.equal(got.cachedTokens, 32);
    assert.deepEqual(got.ids, ask(forgetful(), toRequest(other)).ids);
    assert.equal(ask(batcher, toRequest(prompt.with(0, 4))).cachedTokens, 0);
  });

  test("wanting log probabilities of its tokens: all are computed", () => {
    const batcher = keeping();
    const prompt = toPrompt(8, 40);
    ask(batcher, toRequest(prompt));
    const got = ask(batcher, toRequest(prompt, { promptLogprobs: 0 }));
    assert.equal(got.cachedTokens, 0);
    assert.equal(got.promptLogprobs!.length, 40);
    assert.ok(got.promptLogprobs!.slice(1).every((entry) => entry !== null));
  });

  test("with several samples: each as without reuse", () => {
    const batcher = keeping();
    const prompt = toPrompt(9, 40);
    ask(batcher, toRequest(prompt));
    const over = { temperature: 1, seed: 11 };
    const request = toRequest(prompt, over, 6);
    const got = runAll(batcher, [request]);
    const plain = toRequest(prompt, over, 6);
    const want = runAll(forgetful(), [plain]);
    assert.equal(got.prompts.get(request.key)!.cachedTokens, 32);
    for (let sample = 0; sample < 6; sample++) {
      const ids = (collected: Collected, { key }: BatchRequest) => collected.results.get(`${key}/${sample}`)!.ids;
      assert.deepEqual(ids(got, request), ids(want, plain));
    }
  });

  for (const name of ["mistral-window", "qwen3-tied-bf16"]) {
    test(`${name}: alike`, async () => {
      const model = await loadDirectory(new URL(`../fixtures/forward/${name}/checkpoint`, import.meta.url), 256);
      const prompt = toPrompt(2, 70, model.vocabSize);
      const batcher = keeping(undefined, model);
      ask(batcher, toRequest(prompt));
      const got = ask(batcher, toRequest(prompt, { maxTokens: 60 }));
      const want = ask(forgetful(model), toRequest(prompt, { maxTokens: 60 }));
      assert.equal(got.cachedTokens, 64);
      assert.deepEqual(got.ids, want.ids);
      assertClose(got.logprobs, want.logprobs);
      model.release();
    });
  }
});

describe("what ends reuse", () => {
  const prompt = toPrompt(4, 40);

  test("resetPrefixCache, also while sequences run; they go on", () => {
    const batcher = keeping();
    const want = ask(batcher, toRequest(prompt)).ids;
    const running = toRequest(prompt);
    const collected = createCollected();
    batcher.submit(running);
    collect(collected, batcher.step());
    batcher.resetPrefixCache();
    const later = toRequest(prompt);
    runAll(batcher, [later], collected);
    assert.equal(collected.prompts.get(running.key)!.cachedTokens, 32);
    assert.equal(collected.prompts.get(later.key)!.cachedTokens, 0);
    assert.deepEqual(collected.results.get(`${running.key}/0`)!.ids, want);
  });

  test("replaceModel: nothing of the old weights is found, and the new weights' own prefixes are", () => {
    const batcher = keeping();
    ask(batcher, toRequest(prompt));
    const running = toRequest(toPrompt(1, 40));
    batcher.submit(running);
    batcher.step();
    batcher.replaceModel(trained);
    while (!batcher.idle) batcher.step();
    const want = ask(forgetful(trained), toRequest(prompt));
    const first = ask(batcher, toRequest(prompt));
    const second = ask(batcher, toRequest(prompt));
    assert.deepEqual([first.cachedTokens, second.cachedTokens], [0, 32]);
    for (const { ids, logprobs } of [first, second]) {
      assert.deepEqual(ids, want.ids);
      assertClose(logprobs, want.logprobs);
    }
  });

  test("releaseCache: what runs is recomputed, and goes on as if nothing had happened", () => {
    const batcher = keeping();
    const collected = createCollected();
    const requests = [toRequest(prompt, {}, 2), toRequest(toPrompt(2, 9)), toRequest(toPrompt(3, 300))];
    const want = runAll(forgetful(), requests);
    for (const request of requests) batcher.submit(request);
    for (let step = 0; step < 6; step++) collect(collected, batcher.step());
    batcher.releaseCache();
    assert.deepEqual([batcher.running, batcher.idle], [0, false]);
    while (!batcher.idle) collect(collected, batcher.step());
    for (const [name, { ids }] of want.results) assert.deepEqual(collected.results.get(name)!.ids, ids, name);
    batcher.releaseCache();
    assert.equal(ask(batcher, toRequest(prompt)).cachedTokens, 0);
  });
});

describe("bounds", () => {
  test("the least recently used blocks go first, and never more than the budget is held", () => {
    const cache = new KvCache(toDecoderModel(base).config, { positions: 128, slots: 1, budgetBytes: 2 ** 30 });
    cache.reserve(1);
    const block = cache.tokenElements * PREFIX_BLOCK * 4;
    const prefixes = new PrefixCache(cache, 4 * block + 1);
    const [a, b] = [toPrompt(1, 64), toPrompt(2, 64)];
    prefixes.save(a, 32, 0);
    prefixes.save(b, 40, 0);
    assert.equal(prefixes.bytes, 4 * block);
    assert.equal(prefixes.restore(a, 64, 0), 32);
    prefixes.save(toPrompt(3, 64), 16, 0);
    // Of b the last block went: the first one is of use without it, not the other way round.
    assert.deepEqual([prefixes.restore(a, 64, 0), prefixes.restore(b, 64, 0)], [32, 16]);
    prefixes.save(toPrompt(4, 128), 128, 0);
    assert.equal(prefixes.bytes, 4 * block);
    assert.equal(prefixes.restore(toPrompt(4, 128), 128, 0), 64);
    prefixes.drop();
    assert.deepEqual([prefixes.bytes, prefixes.restore(toPrompt(4, 128), 128, 0)], [0, 0]);
  });

  test("what is restored is what was saved, in whatever slot", () => {
    const cache = new KvCache(toDecoderModel(base).config, { positions: 64, slots: 3, budgetBytes: 2 ** 30 });
    cache.reserve(3);
    const size = cache.tokenElements * 32;
    const values = Float32Array.from({ length: size }, (_, at) => at + 1);
    cache.copyIn(2, 0, 32, values);
    const prefixes = new PrefixCache(cache, 2 ** 20);
    const tokens = toPrompt(1, 40);
    prefixes.save(tokens, 40, 2);
    assert.equal(prefixes.restore(tokens, 40, 0), 32);
    const got = new Float32Array(size);
    cache.copyOut(0, 0, 32, got);
    assert.deepEqual(got, values);
    cache.copyOut(1, 0, 32, got);
    assert.ok(got.every((value) => value === 0));
  });

  test("random prompts that share starts, a cache of a few blocks, cancellations: every answer as without reuse", () => {
    const stems = [toPrompt(1, 40), toPrompt(2, 70), toPrompt(1, 20)];
    const toIds = (stem: number, length: number, tail: number) => [...stems[stem]!.slice(0, length), 3 + tail];
    const block = 2 * 4 * 2 * 32 * 4 * PREFIX_BLOCK;
    const answers = new Map<string, readonly number[]>();
    const expected = (promptIds: readonly number[]) => {
      const known = answers.get(promptIds.join());
      if (known !== undefined) return known;
      const { ids } = ask(forgetful(), toRequest(promptIds, { maxTokens: 12 }));
      answers.set(promptIds.join(), ids);
      return ids;
    };
    const event = fc.record({
      stem: fc.nat(2),
      length: fc.constantFrom(16, 17, 32, 40, 64, 70),
      tail: fc.nat(1),
      steps: fc.nat(8),
      cancel: fc.nat(4),
    });
    let reused = 0;
    fc.assert(
      fc.property(fc.array(event, { minLength: 6, maxLength: 14 }), fc.nat(9), (events, blocks) => {
        const batcher = keeping(blocks * block);
        const collected = createCollected();
        const live: BatchRequest[] = [];
        for (const { stem, length, tail, steps, cancel } of events) {
          const request = toRequest(toIds(stem, length, tail), { maxTokens: 12 });
          batcher.submit(request);
          live.push(request);
          for (let step = 0; step < steps; step++) collect(collected, batcher.step());
          if (cancel === 0) batcher.cancel(live.shift()!.key);
        }
        while (!batcher.idle) collect(collected, batcher.step());
        for (const { key, promptIds } of live) {
          assert.deepEqual(collected.results.get(`${key}/0`)!.ids, expected(promptIds));
          reused += collected.prompts.get(key)!.cachedTokens;
        }
      }),
      { numRuns: 30 },
    );
    assert.ok(reused > 0);
  });
});
