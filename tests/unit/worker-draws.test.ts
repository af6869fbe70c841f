/**
 * 100,000 draws under each filter against the distribution that the filter's definition gives, by Pearson's χ². The
 * expectation is computed here in double precision, from the definitions alone (tests/fixtures/sampling/README.md): no
 * code is shared with the sampler. Each case is drawn again with its filter left out, and that must be told apart.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ResolvedSampling } from "../../src/worker/batch-types.ts";
import type { TokenHistory } from "../../src/worker/processors.ts";
import { sampleToken } from "../../src/worker/sampler.ts";
import { sampling } from "../support/batch.ts";

const DRAWS = 100_000;
/** One in a million sound samplers would fail; the seeds are fixed, so that this one never does. */
const NORMAL_QUANTILE = 4.753;
/** Cells that expect fewer draws than this are counted together: χ² holds only for large ones. */
const LEAST_EXPECTED = 10;

/** The χ² distribution's quantile at 1 − 10⁻⁶, by Wilson and Hilferty (1931): 5 % too high at 4 degrees of freedom, less beyond. */
function criticalValue(degrees: number): number {
  const spread = 2 / (9 * degrees);
  return degrees * (1 - spread + NORMAL_QUANTILE * Math.sqrt(spread)) ** 3;
}

const VOCABULARY = 40;
/** Logits from 2.6 down to −2.6 in an order without order, no two alike: exact in float32. */
const LOGITS = Array.from({ length: VOCABULARY }, (_, id) => (((id * 17) % VOCABULARY) - 19.5) / 7.5).map(Math.fround);
const PROMPT = [3, 8, 8, 21, 30];
const OUTPUT = [5, 8, 5, 33, 12, 5, 26];
const EOS = 14;

const HISTORY: TokenHistory = {
  promptIds: PROMPT,
  outputIds: OUTPUT,
  outputCounts: new Map(OUTPUT.map((id) => [id, OUTPUT.filter((other) => other === id).length])),
  promptSet: new Set(PROMPT),
};

const toProbabilities = (logits: readonly number[]): number[] => {
  const weights = logits.map(Math.exp);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
};

/** What a definition keeps of the distribution; everything else is impossible. */
const keep = (logits: readonly number[], kept: (id: number) => boolean): number[] =>
  logits.map((logit, id) => (kept(id) ? logit : Number.NEGATIVE_INFINITY));

/** Token ids by probability, best first. */
const ranked = (logits: readonly number[]): number[] =>
  [...logits.keys()].sort((left, right) => (logits[right] ?? 0) - (logits[left] ?? 0));

const inPrompt = (id: number): boolean => PROMPT.includes(id);
const countOf = (id: number): number => OUTPUT.filter((other) => other === id).length;

const topP = (logits: readonly number[], mass: number): number[] => {
  const probabilities = toProbabilities(logits);
  let before = 0;
  const nucleus = new Set<number>();
  for (const id of ranked(logits)) {
    if (before >= mass) break;
    nucleus.add(id);
    before += probabilities[id] ?? 0;
  }
  return keep(logits, (id) => nucleus.has(id));
};

const topK = (logits: readonly number[], count: number): number[] => {
  const best = new Set(ranked(logits).slice(0, count));
  return keep(logits, (id) => best.has(id));
};

const minP = (logits: readonly number[], share: number): number[] => {
  const probabilities = toProbabilities(logits);
  const floor = share * Math.max(...probabilities);
  return keep(logits, (id) => (probabilities[id] ?? 0) >= floor);
};

interface Case {
  readonly name: string;
  readonly params: Partial<ResolvedSampling>;
  /** The logits whose softmax the draws must follow. */
  readonly expected: (logits: readonly number[]) => readonly number[];
}

const cases: readonly Case[] = [
  { name: "temperature", params: { temperature: 0.6 }, expected: (all) => all.map((logit) => logit / 0.6) },
  { name: "a high temperature", params: { temperature: 1.7 }, expected: (all) => all.map((logit) => logit / 1.7) },
  { name: "top_k", params: { topK: 7 }, expected: (all) => topK(all, 7) },
  { name: "top_p", params: { topP: 0.8 }, expected: (all) => topP(all, 0.8) },
  { name: "min_p", params: { minP: 0.15 }, expected: (all) => minP(all, 0.15) },
  {
    name: "repetition_penalty",
    params: { repetitionPenalty: 1.6 },
    expected: (all) =>
      all.map((logit, id) => (inPrompt(id) || countOf(id) > 0 ? (logit > 0 ? logit / 1.6 : logit * 1.6) : logit)),
  },
  {
    name: "presence_penalty",
    params: { presencePenalty: 1.5 },
    expected: (all) => all.map((logit, id) => (countOf(id) > 0 ? logit - 1.5 : logit)),
  },
  {
    name: "frequency_penalty",
    params: { frequencyPenalty: -0.7 },
    expected: (all) => all.map((logit, id) => logit + 0.7 * countOf(id)),
  },
  {
    name: "logit_bias",
    params: {
      logitBias: new Map([
        [2, 1.5],
        [19, -2],
        [31, -100],
      ]),
    },
    expected: (all) =>
      all.map(
        (logit, id) =>
          logit +
          (new Map([
            [2, 1.5],
            [19, -2],
            [31, -100],
          ]).get(id) ?? 0),
      ),
  },
  {
    name: "allowed_token_ids",
    params: { allowedTokenIds: [1, 5, 9, 22, 39] },
    expected: (all) => keep(all, (id) => [1, 5, 9, 22, 39].includes(id)),
  },
  {
    name: "bad_words",
    // One token, one that goes on from the output's end, and one that does not.
    params: { badWords: [[7], [5, 26, 11], [4, 26, 18]] },
    expected: (all) => keep(all, (id) => id !== 7 && id !== 11),
  },
  {
    name: "min_tokens",
    params: { minTokens: OUTPUT.length + 1, eosTokenIds: new Set([EOS]), stopTokenIds: new Set([2, 35]) },
    expected: (all) => keep(all, (id) => id !== EOS && id !== 2 && id !== 35),
  },
  {
    name: "min_p, top_k and top_p, in this order, of a temperature",
    params: { temperature: 1.4, minP: 0.08, topK: 20, topP: 0.75 },
    expected: (all) =>
      topP(
        topK(
          minP(
            all.map((logit) => logit / 1.4),
            0.08,
          ),
          20,
        ),
        0.75,
      ),
  },
  {
    name: "all of them",
    params: {
      ...{ temperature: 0.8, topP: 0.9, topK: 25, minP: 0.02, repetitionPenalty: 1.2, presencePenalty: 0.4 },
      ...{ frequencyPenalty: 0.3, logitBias: new Map([[6, 2]]), badWords: [[10]] },
    },
    expected: (all) => {
      const biased = keep(all, (id) => id !== 10).map((logit, id) => logit + (id === 6 ? 2 : 0));
      const repeated = biased.map((logit, id) =>
        inPrompt(id) || countOf(id) > 0 ? (logit > 0 ? logit / 1.2 : logit * 1.2) : logit,
      );
      const penalised = repeated.map((logit, id) => logit - 0.3 * countOf(id) - (countOf(id) > 0 ? 0.4 : 0));
      return topP(
        topK(
          minP(
            penalised.map((logit) => logit / 0.8),
            0.02,
          ),
          25,
        ),
        0.9,
      );
    },
  },
];

/** How often each token is drawn: over seeds, and over the samples of one seed. */
function draw(params: Partial<ResolvedSampling>): number[] {
  const counts = new Array<number>(VOCABULARY).fill(0);
  const row = new Float32Array(VOCABULARY);
  for (let index = 0; index < DRAWS; index += 1) {
    row.set(LOGITS);
    const wanted = sampling({ temperature: 1, seed: 4000 + (index >> 6), ...params });
    const drawn = sampleToken(row, wanted, HISTORY, index & 63);
    assert.ok(drawn !== null);
    counts[drawn.tokenId]! += 1;
  }
  return counts;
}

/** χ² of the counts, and what it must stay below. Infinity where something impossible was drawn. */
function compare(
  counts: readonly number[],
  logits: readonly number[],
): { readonly chi: number; readonly limit: number } {
  const probabilities = toProbabilities(logits);
  let chi = 0;
  let cells = 0;
  const rest = { expected: 0, drawn: 0 };
  const add = (drawn: number, expected: number): void => {
    chi += (drawn - expected) ** 2 / expected;
    cells += 1;
  };
  for (const [id, drawn] of counts.entries()) {
    const expected = (probabilities[id] ?? 0) * DRAWS;
    if (expected === 0 && drawn > 0) chi = Number.POSITIVE_INFINITY;
    if (expected >= LEAST_EXPECTED) add(drawn, expected);
    else {
      rest.expected += expected;
      rest.drawn += drawn;
    }
  }
  if (rest.expected > 0) add(rest.drawn, Math.max(rest.expected, Number.MIN_VALUE));
  return { chi, limit: criticalValue(cells - 1) };
}

describe("100,000 draws follow the distribution that the definitions give", () => {
  const untouched = draw({});

  test("no filter", () => {
    const { chi, limit } = compare(untouched, LOGITS);
    assert.ok(chi < limit, `χ² ${chi} is not below ${limit}`);
  });

  for (const { name, params, expected } of cases) {
    test(name, () => {
      const wanted = expected(LOGITS);
      const { chi, limit } = compare(draw(params), wanted);
      assert.ok(chi < limit, `χ² ${chi} is not below ${limit}`);
      const without = compare(untouched, wanted);
      assert.ok(without.chi > 10 * without.limit, `left out, it is not noticed: χ² ${without.chi}`);
    });
  }
});
