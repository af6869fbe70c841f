/**
 * What drawing a token costs: microseconds per row of 49,152 logits (SmolLM2's vocabulary), for each of the usual
 * settings. `bun benchmarks/engine/sampler.ts [--vocabulary N] [--rounds 9]`. The rows are random: a bell of logits, and
 * a few likely tokens above it.
 */
import { parseArgs } from "node:util";
import type { ResolvedSampling } from "../../src/worker/batch-types.ts";
import { sampleToken } from "../../src/worker/sampler.ts";

const { values } = parseArgs({
  options: { vocabulary: { type: "string", default: "49152" }, rounds: { type: "string", default: "9" } },
});
const [vocabulary, rounds] = [Number(values.vocabulary), Number(values.rounds)];
const ROWS = 16;
const DEFAULTS: ResolvedSampling = {
  maxTokens: 100,
  minTokens: 0,
  temperature: 0,
  topP: 1,
  topK: 0,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  seed: 1,
  logprobs: -1,
  promptLogprobs: -1,
  logitBias: new Map(),
  allowedTokenIds: null,
  badWords: [],
  eosTokenIds: new Set(),
  stopTokenIds: new Set(),
};
const SETTINGS: Readonly<Record<string, Partial<ResolvedSampling>>> = {
  greedy: {},
  "greedy, 5 logprobs": { logprobs: 5 },
  "temperature 1": { temperature: 1 },
  "temperature 0.8": { temperature: 0.8 },
  "temperature 1, logprob": { temperature: 1, logprobs: 0 },
  "temperature 0.8, top_p 0.95": { temperature: 0.8, topP: 0.95 },
  "temperature 0.8, top_p 0.95, top_k 50": { temperature: 0.8, topP: 0.95, topK: 50 },
  "temperature 1, top_k 2000": { temperature: 1, topK: 2000 },
  "temperature 1, min_p 0.05": { temperature: 1, minP: 0.05 },
};

let state = 7;
const draw = (): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};
const rows = Array.from({ length: ROWS }, () => {
  const row = Float32Array.from({ length: vocabulary }, () => (draw() + draw() + draw() + draw() - 2) * 5);
  for (let peak = 0; peak < 40; peak += 1) row[Math.floor(draw() * vocabulary)] = 6 + 12 * draw() ** 2;
  return row;
});
const history = { promptIds: [], outputIds: [], outputCounts: new Map<number, number>(), promptSet: new Set<number>() };
const row = new Float32Array(vocabulary);

/** Microseconds per row, the copy of the row included, which is what `copying` takes. */
function time(draws: () => void): number {
  const start = performance.now();
  for (const next of rows) {
    row.set(next);
    draws();
  }
  return ((performance.now() - start) / ROWS) * 1000;
}

const samples = new Map<string, number[]>([["copying", []]]);
for (let round = -20; round < rounds; round += 1) {
  for (const name of ["copying", ...Object.keys(SETTINGS)]) {
    const wanted = { ...DEFAULTS, ...SETTINGS[name] };
    const taken = time(name === "copying" ? () => {} : () => void sampleToken(row, wanted, history, 0));
    if (round >= 0) samples.set(name, [...(samples.get(name) ?? []), taken]);
  }
}
// The least of the rounds: what else runs on the machine can only add.
const least = (name: string): number => Math.min(...(samples.get(name) ?? []));
for (const name of Object.keys(SETTINGS)) {
  console.log(`${name.padEnd(40)}${(least(name) - least("copying")).toFixed(0).padStart(8)} µs`);
}
