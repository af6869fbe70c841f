/** The sampler against reference cases (tests/fixtures/sampling), its generator against published vectors, and properties. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { ResolvedSampling } from "../../src/worker/batch-types.ts";
import { sumExp, writeExp } from "../../src/worker/exp-sum.ts";
import { applyFilters, GREEDY_TEMPERATURE } from "../../src/worker/filters.ts";
import { toRawLogprobs } from "../../src/worker/logprobs.ts";
import { applyProcessors, type TokenHistory } from "../../src/worker/processors.ts";
import { drawUniform, threefry2x32 } from "../../src/worker/random.ts";
import { sampleToken } from "../../src/worker/sampler.ts";
import { argmax, kthLargest, largestIndices } from "../../src/worker/select.ts";
import { sampling } from "../support/batch.ts";

interface Case {
  readonly name: string;
  readonly input: {
    readonly logits: readonly number[];
    readonly prompt_token_ids: readonly number[];
    readonly output_token_ids: readonly number[];
    readonly params: {
      readonly [key: string]: unknown;
      readonly stop_token_ids?: readonly number[];
      readonly eos_token_id?: number;
      readonly logit_bias?: Readonly<Record<string, number>>;
    };
  };
  readonly expected: {
    readonly penalised_logits: readonly (number | null)[];
    readonly raw_logprobs: readonly number[];
    readonly greedy_token_id?: number;
    readonly allowed?: readonly number[];
    readonly probabilities?: readonly number[];
    readonly processed_logprobs?: readonly number[];
  };
}

const { cases } = JSON.parse(readFileSync(new URL("../fixtures/sampling/cases.json", import.meta.url), "utf8")) as {
  cases: readonly Case[];
};

function toSampling(params: Case["input"]["params"]): ResolvedSampling {
  const get = <T>(name: string, fallback: T) => (params[name] ?? fallback) as T;
  return sampling({
    temperature: get("temperature", 1),
    topP: get("top_p", 1),
    topK: Math.max(0, get("top_k", 0)),
    minP: get("min_p", 0),
    minTokens: get("min_tokens", 0),
    repetitionPenalty: get("repetition_penalty", 1),
    presencePenalty: get("presence_penalty", 0),
    frequencyPenalty: get("frequency_penalty", 0),
    allowedTokenIds: get<readonly number[]>("allowed_token_ids", []).length > 0 ? get("allowed_token_ids", null) : null,
    badWords: get("bad_words_token_ids", []),
    logitBias: new Map(Object.entries(params.logit_bias ?? {}).map(([id, bias]) => [Number(id), bias])),
    stopTokenIds: new Set(params.stop_token_ids),
    eosTokenIds: new Set(params.eos_token_id === undefined ? [] : [params.eos_token_id]),
    logprobs: 0,
  });
}

/** Raw logprobs are of the row as it came, whichever token is drawn from what became of it. */
function checkRaw(logits: Float32Array, wanted: ResolvedSampling, history: TokenHistory, expected: readonly number[]) {
  const drawn = sampleToken(logits, { ...wanted, logprobs: expected.length, rawLogprobs: true }, history, 3);
  assert.ok(drawn?.logprobs);
  const { tokenId, logprob, rank, topIds, topLogprobs } = drawn.logprobs;
  assert.equal(tokenId, drawn.tokenId);
  close(logprob, expected[tokenId]!, 1e-4, `raw logprob of ${tokenId}`);
  assert.equal(rank, 1 + expected.filter((other) => other > expected[tokenId]!).length);
  for (const [at, id] of topIds.entries()) close(topLogprobs[at]!, expected[id]!, 1e-4, `raw logprob of ${id}`);
}

function toHistory(input: Pick<Case["input"], "prompt_token_ids" | "output_token_ids">): TokenHistory {
  const outputCounts = new Map<number, number>();
  for (const id of input.output_token_ids) outputCounts.set(id, (outputCounts.get(id) ?? 0) + 1);
  return {
    promptIds: input.prompt_token_ids,
    outputIds: input.output_token_ids,
    outputCounts,
    promptSet: new Set(input.prompt_token_ids),
  };
}

const close = (got: number, want: number, tolerance: number, what: string) =>
  assert.ok(Math.abs(got - want) <= tolerance, `${what}: ${got} is not ${want} ± ${tolerance}`);

describe("sampling filters against the reference", () => {
  for (const { name, input, expected } of cases) {
    test(name, () => {
      const wanted = toSampling(input.params);
      const history = toHistory(input);
      const logits = Float32Array.from(input.logits);
      applyProcessors(logits, wanted, history);
      for (const [id, value] of expected.penalised_logits.entries()) {
        if (value === null) assert.equal(logits[id], Number.NEGATIVE_INFINITY, `logit ${id}`);
        else close(logits[id]!, value, 1e-4 * Math.max(1, Math.abs(value)), `logit ${id}`);
      }
      if (expected.greedy_token_id !== undefined) {
        assert.ok(wanted.temperature < GREEDY_TEMPERATURE);
        const sampled = sampleToken(Float32Array.from(input.logits), wanted, history, 0);
        assert.equal(sampled?.tokenId, expected.greedy_token_id);
        checkRaw(Float32Array.from(input.logits), wanted, history, expected.raw_logprobs);
        return;
      }
      applyFilters(logits, wanted);
      const allowed = [...logits.keys()].filter((id) => logits[id]! > Number.NEGATIVE_INFINITY);
      assert.deepEqual(allowed, expected.allowed);
      for (const [index, id] of allowed.entries()) {
        const { logprob } = toRawLogprobs(logits, id, 0);
        close(Math.exp(logprob), expected.probabilities![index]!, 1e-5, `probability of ${id}`);
        close(logprob, expected.processed_logprobs![index]!, 1e-4, `logprob of ${id}`);
      }
      const drawn = sampleToken(Float32Array.from(input.logits), wanted, history, 3);
      assert.ok(expected.allowed!.includes(drawn!.tokenId));
      checkRaw(Float32Array.from(input.logits), wanted, history, expected.raw_logprobs);
    });
  }
});

describe("draws", () => {
  test("threefry2x32 gives Random123's known answers", () => {
    assert.deepEqual(threefry2x32(0, 0, 0, 0), [0x6b200159, 0x99ba4efe]);
    assert.deepEqual(threefry2x32(-1, -1, -1, -1), [0x1cb996fc, 0xbb002be7]);
    assert.deepEqual(threefry2x32(0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3), [0xc4923a9c, 0x483df7a0]);
  });

  test("depends on seed, sample and position, all 53 bits of the seed", () => {
    const draws = [drawUniform(7, 0, 0), drawUniform(7, 1, 0), drawUniform(7, 0, 1), drawUniform(8, 0, 0)];
    draws.push(drawUniform(7 + 2 ** 40, 0, 0), drawUniform(-7, 0, 0));
    assert.equal(new Set(draws).size, draws.length);
    assert.equal(drawUniform(7, 0, 0), draws[0]);
  });

  test("follows the distribution", () => {
    const logits = Float32Array.from([0.1, 0.2, 0.3, 0.4], Math.log);
    const counts = [0, 0, 0, 0];
    const draws = 20_000;
    for (let position = 0; position < draws; position++) {
      const history = { ...toHistory({ prompt_token_ids: [], output_token_ids: [] }), outputIds: { length: position } };
      const wanted = sampling({ temperature: 1, seed: 11 });
      counts[sampleToken(logits.slice(), wanted, history as unknown as TokenHistory, 0)!.tokenId]!++;
    }
    for (const [id, count] of counts.entries()) close(count / draws, (id + 1) / 10, 0.02, `share of ${id}`);
  });

  test("no token left: null, greedy or not", () => {
    const history = toHistory({ prompt_token_ids: [], output_token_ids: [] });
    for (const temperature of [0, 1]) {
      const wanted = sampling({ temperature, allowedTokenIds: [1], logitBias: new Map(), badWords: [[1]] });
      assert.equal(sampleToken(Float32Array.from([1, 2, 3]), wanted, history, 0), null);
      assert.equal(sampleToken(new Float32Array(3).fill(Number.NaN), sampling({ temperature }), history, 0), null);
    }
  });
});

describe("selection", () => {
  const rows = fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 1, maxLength: 80 });

  test("largestIndices, kthLargest and argmax agree with a sort", () => {
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 100 }), (values, k) => {
        const row = Float32Array.from(values);
        const sorted = [...row.keys()].sort((a, b) => row[b]! - row[a]! || a - b);
        assert.deepEqual([...largestIndices(row, k)], sorted.slice(0, k));
        assert.equal(argmax(row), sorted[0]);
        const at = Math.min(k, values.length);
        assert.equal(kthLargest(row, at), row[sorted[at - 1]!]);
      }),
    );
  });

  test("top_p keeps what a full sort keeps", () => {
    fc.assert(
      fc.property(rows, fc.double({ min: 0.01, max: 0.999, noNaN: true }), (values, topP) => {
        const row = Float32Array.from(values);
        const max = Math.max(...row);
        const total = row.reduce((sum, value) => sum + Math.exp(value - max), 0);
        const order = [...row.keys()].sort((a, b) => row[b]! - row[a]! || b - a);
        const kept = new Set<number>();
        let before = 0;
        for (const id of order) {
          if (kept.size > 0 && before / total >= topP) break;
          kept.add(id);
          before += Math.exp(row[id]! - max);
        }
        applyFilters(row, sampling({ temperature: 1, topP }));
        const survivors = [...row.keys()].filter((id) => row[id]! > Number.NEGATIVE_INFINITY);
        assert.deepEqual(new Set(survivors), kept);
      }),
    );
  });

  test("the k-th largest of long rows, whatever k: negative numbers, both zeros, NaN and infinities among them", () => {
    const value = fc.oneof(
      fc.float({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom(0, -0, Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 1.5, -1.5),
    );
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 300, maxLength: 900 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, share) => {
          const row = Float32Array.from(values);
          const sorted = [...row]
            .map((each) => (Number.isNaN(each) ? Number.NEGATIVE_INFINITY : each))
            .sort((a, b) => b - a);
          for (const k of [1 + Math.floor(share * (row.length - 1)), 256, 257])
            assert.ok(kthLargest(row, k) === sorted[k - 1], `k = ${k}`);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("temperature, min_p, top_k and top_p together keep what their definitions keep, one after the other", () => {
    const logit = fc.oneof(
      fc.float({ min: -30, max: 30, noNaN: true }),
      fc.constantFrom(0, -0, 2, 2.5, Number.NEGATIVE_INFINITY),
    );
    const settings = fc.record({
      temperature: fc.constantFrom(0.01, 0.3, 0.7, 1, 1.3, 5),
      minP: fc.constantFrom(0, 0, 0.001, 0.1, 1),
      topK: fc.constantFrom(0, 0, 1, 3, 40, 300),
      topP: fc.constantFrom(1, 1, 0.999, 0.9, 0.5, 0.001),
    });
    fc.assert(
      fc.property(fc.array(logit, { minLength: 1, maxLength: 400 }), settings, (values, wanted) => {
        const row = Float32Array.from(values);
        if (argmax(row) < 0) return;
        const scaled = row.map((each) => each / Math.max(0.01, wanted.temperature));
        const max = Math.max(...scaled);
        let ids = [...scaled.keys()].filter((id) => scaled[id]! > Number.NEGATIVE_INFINITY);
        // Where the definition itself is within rounding of its cut, either side is right.
        const near = new Set(
          ids.filter((id) => Math.abs(Math.exp(scaled[id]! - max) - wanted.minP) < 1e-9 * wanted.minP),
        );
        if (wanted.minP > 0) ids = ids.filter((id) => near.has(id) || Math.exp(scaled[id]! - max) >= wanted.minP);
        if (wanted.topK > 0 && wanted.topK < row.length) {
          const cut = ids.map((id) => scaled[id]!).sort((a, b) => b - a)[Math.min(ids.length, wanted.topK) - 1]!;
          ids = ids.filter((id) => scaled[id]! >= cut);
        }
        if (wanted.topP < 1) {
          const total = ids.reduce((mass, id) => mass + Math.exp(scaled[id]! - max), 0);
          let before = 0;
          const kept: number[] = [];
          for (const id of ids.toSorted((a, b) => scaled[b]! - scaled[a]! || b - a)) {
            if (Math.abs(before / total - wanted.topP) < 1e-9) near.add(id);
            if (kept.length > 0 && before / total >= wanted.topP) break;
            kept.push(id);
            before += Math.exp(scaled[id]! - max);
          }
          ids = kept.sort((a, b) => a - b);
        }
        const got = row.slice();
        applyFilters(got, sampling(wanted));
        const survivors = [...got.keys()].filter((id) => got[id]! > Number.NEGATIVE_INFINITY);
        if (near.size === 0) assert.deepEqual(survivors, ids);
        for (const id of survivors) assert.ok(got[id] === scaled[id]);
        const drawn = sampleToken(
          row.slice(),
          sampling({ ...wanted, seed: values.length }),
          toHistory({ prompt_token_ids: [], output_token_ids: [] }),
          0,
        );
        assert.ok(survivors.includes(drawn!.tokenId));
      }),
      { numRuns: 2000 },
    );
  });

  test("sums of exponentials are those of Math.exp, from 0 down to where nothing is left", () => {
    const below = fc.array(fc.float({ min: -720, max: 0, noNaN: true }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(below, fc.constantFrom(1, 0.5), (values, divisor) => {
        const row = Float32Array.from(values, (value) => value * divisor);
        const target = new Float64Array(row.length);
        const total = writeExp(row, row.length, divisor, 0, target);
        for (const [at, value] of row.entries()) {
          assert.equal(value, Math.fround(Math.fround(values[at]! * divisor) / divisor));
          if (value > -700) close(target[at]! / Math.exp(value), 1, 1e-10, `e^${value}`);
          else assert.equal(target[at], 0);
        }
        assert.equal(
          total,
          target.reduce((mass, weight) => mass + weight, 0),
        );
        assert.equal(sumExp(row, 0), total);
      }),
    );
    assert.equal(
      writeExp(new Float32Array([Number.NaN, Number.NEGATIVE_INFINITY, 0]), 3, 1, 0, new Float64Array(3)),
      1,
    );
  });

  test("logprobs name rank and best candidates, ties to the lower id", () => {
    const { rank, topIds, logprob, topLogprobs } = toRawLogprobs(Float32Array.from([1, 3, 3, 2]), 3, 3);
    assert.equal(rank, 3);
    assert.deepEqual([...topIds], [1, 2, 3]);
    close(logprob, topLogprobs[2]!, 1e-6, "own logprob among the candidates");
  });
});
