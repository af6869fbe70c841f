/**
 * GRPO over a gateway, in TypeScript alone: sample groups, score them, compare logprobs, step, hand over the new weights. Everything it
 * asks of the server goes through `VLLMClient`.
 */
import process from "node:process";
import { type Completion, VLLMClient } from "../../../src/index.ts";
import type { LogLine } from "../log.ts";
import { createRandom, readSums, reward, type Sum, shuffled, toPrompt } from "../task.ts";
import { Adam } from "./adam.ts";
import { Arena } from "./matmul.ts";
import { type Group, Model } from "./model.ts";
import { readModel, toTensors } from "./weights.ts";

export interface TrainOptions {
  readonly url: string;
  /** Directory of the model that the gateway serves as version 0. */
  readonly model: string;
  /** The repository. */
  readonly root: URL;
  readonly seed: number;
  readonly steps: number;
  readonly prompts: number;
  readonly samples: number;
  readonly rate: number;
  /** Optimiser steps per batch of rollouts; from the second on the ratio of GRPO is not 1 any more. */
  readonly updates: number;
  /** Steps between two looks at the held-out sums; 0 = none at all. */
  readonly evaluateEvery: number;
  readonly onLine: (line: LogLine) => void;
}

/** Clipping of the ratio: wider above, so that unlikely right answers may grow (DAPO, Yu et al., 2025). */
const [CLIP_LOW, CLIP_HIGH] = [0.2, 0.28];
/** No logprob of a rollout may be further from the trainer's own, on average. */
const LOGPROB_TOLERANCE = 1e-3;
const MAX_TOKENS = 32;

/** One group with what was sampled and how good it was. */
interface Rollout {
  readonly group: Group;
  readonly sampled: readonly (readonly (number | null)[])[];
  /** Reward minus the group's mean, over its deviation (GRPO, Shao et al., 2024). All zero: nothing to learn. */
  readonly advantages: readonly number[];
  readonly rewards: readonly number[];
}

function toAdvantages(rewards: readonly number[]): number[] {
  const mean = rewards.reduce((sum, value) => sum + value, 0) / rewards.length;
  const squares = rewards.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / Math.max(1, rewards.length - 1));
  return rewards.map((value) => (value - mean) / (deviation + 1e-4));
}

function toRollouts(sums: readonly Sum[], completions: readonly Completion[], samples: number): Rollout[] {
  return sums.map((sum, index) => {
    const own = completions.slice(index * samples, (index + 1) * samples);
    const rewards = own.map(({ text }) => reward(sum, text));
    return {
      group: { prompt: own[0]!.promptTokenIds, completions: own.map(({ tokenIds }) => tokenIds) },
      sampled: own.map(({ logprobs }) => logprobs ?? []),
      advantages: toAdvantages(rewards),
      rewards,
    };
  });
}

/** Every sampled token's logprob, theirs against ours. Throws when the two programs do not compute the same model. */
function compareLogprobs(model: Model, rollouts: readonly Rollout[]): { mean: number; max: number; tokens: number } {
  let [total, max, tokens] = [0, 0, 0];
  for (const { group, sampled } of rollouts) {
    for (const [index, row] of model.run(group).entries()) {
      for (const [token, own] of row.entries()) {
        const delta = Math.abs(own - (sampled[index]![token] ?? Number.NaN));
        total += delta;
        max = Math.max(max, delta);
        tokens += 1;
      }
    }
  }
  const mean = total / tokens;
  if (!(mean <= LOGPROB_TOLERANCE)) {
    throw new Error(`mean |Δ logprob| is ${mean}; at most ${LOGPROB_TOLERANCE} shows that both have the same weights`);
  }
  return { mean, max, tokens };
}

/**
 * Adds the gradient of -Σ min(ρA, clip(ρ)A) / tokens, with ρ = exp(new logprob - sampled logprob) per token.
 *
 * @returns clipped tokens
 */
function addGradient(model: Model, { group, sampled, advantages }: Rollout, tokens: number): number {
  let clipped = 0;
  model.run(group, (logprobs) =>
    logprobs.map((row, index) =>
      row.map((logprob, token) => {
        const advantage = advantages[index]!;
        const ratio = Math.exp(logprob - (sampled[index]![token] ?? logprob));
        const flat = advantage > 0 ? ratio > 1 + CLIP_HIGH : ratio < 1 - CLIP_LOW;
        if (flat) clipped += 1;
        return flat ? 0 : (-advantage * ratio) / tokens;
      }),
    ),
  );
  return clipped;
}

/** Part `part` of `count`: every so manieth sample of each group, so that every update learns from all sums of the step. */
const toPart = (rollouts: readonly Rollout[], part: number, count: number): Rollout[] =>
  rollouts.flatMap(({ group, sampled, advantages, rewards }) => {
    const keep = (_: unknown, index: number): boolean => index % count === part;
    const completions = group.completions.filter(keep);
    if (completions.length === 0) return [];
    return [
      {
        group: { prompt: group.prompt, completions },
        sampled: sampled.filter(keep),
        advantages: advantages.filter(keep),
        rewards: rewards.filter(keep),
      },
    ];
  });

const tokensOf = (rollouts: readonly Rollout[]): number =>
  rollouts.reduce((sum, { group }) => sum + group.completions.reduce((all, { length }) => all + length, 0), 0);

/** Runs the whole training; resolves after its last step. Throws when logprobs or weight versions are not what they must be. */
export async function train(options: TrainOptions): Promise<void> {
  const { url, seed, steps, prompts, samples, updates, evaluateEvery, onLine } = options;
  const client = new VLLMClient({ baseUrl: url });
  await client.checkServer({ totalTimeout: 60 });
  const arena = new Arena();
  const { config, parameters } = await readModel(options.model, arena);
  const model = new Model(config, parameters, arena);
  const adam = new Adam(parameters.values(), { rate: options.rate, clipNorm: 1 });
  const { training, heldOut } = await readSums(options.root);
  const random = createRandom(seed);
  const software = `${"Bun" in globalThis ? "Bun" : "Deno" in globalThis ? "Deno" : "Node"}, no libraries`;
  onLine({ kind: "run", trainer: "typescript", software, seed, steps, prompts, samples, rate: options.rate, updates });
  const start = performance.now();
  const elapsed = (): number => (performance.now() - start) / 1000;

  const requireVersion = (completions: readonly Completion[], version: number): void => {
    for (const { weightVersion } of completions) {
      if (weightVersion !== String(version))
        throw new Error(`a rollout of version ${weightVersion} in step ${version + 1}`);
    }
  };
  const evaluate = async (step: number): Promise<void> => {
    const completions = await client.generateDetailed(heldOut.map(toPrompt), { temperature: 0, maxTokens: MAX_TOKENS });
    requireVersion(completions, step);
    const right = heldOut.filter((sum, index) => reward(sum, completions[index]!.text) === 1).length;
    onLine({ kind: "evaluation", step, weight_version: step, right, of: heldOut.length, elapsed_s: elapsed() });
  };

  if (evaluateEvery > 0) await evaluate(0);
  let queue: Sum[] = [];
  for (let step = 1; step <= steps; step += 1) {
    if (queue.length < prompts) queue = shuffled(training, random);
    const sums = queue.splice(0, prompts);
    const begin = performance.now();
    // A seed of its own for every sum: with one for all, the samples of all sums would take the same turns.
    const groups = sums.map((sum, index) =>
      client.generateDetailed([toPrompt(sum)], {
        n: samples,
        temperature: 1,
        maxTokens: MAX_TOKENS,
        logprobs: 0,
        seed: (seed * steps + step) * prompts + index,
      }),
    );
    const completions = (await Promise.all(groups)).flat();
    // The weights of step s - 1 are version s - 1: nothing else may have answered.
    requireVersion(completions, step - 1);
    const sampledAt = performance.now();
    const rollouts = toRollouts(sums, completions, samples);
    const { mean, max, tokens } = compareLogprobs(model, rollouts);
    const teaching = rollouts.filter(({ advantages }) => advantages.some((value) => value !== 0));
    let clipped = 0;
    for (let update = 0; update < updates && teaching.length > 0; update += 1) {
      const part = toPart(teaching, update, updates);
      const size = tokensOf(part);
      for (const rollout of part) clipped += addGradient(model, rollout, size);
      adam.step(model.gradients);
      model.changed();
    }
    const trainedAt = performance.now();
    const { version, digest } = await client.updateModelParams(toTensors(parameters.values()), {
      version: step,
      label: `grpo step ${step}`,
    });
    if (version !== step) throw new Error(`the gateway published version ${version} in step ${step}`);
    const rewards = rollouts.flatMap((rollout) => rollout.rewards);
    onLine({
      kind: "step",
      step,
      weight_version: step - 1,
      reward: rewards.reduce((sum, value) => sum + value, 0) / rewards.length,
      teaching: teaching.length,
      logprob_delta_mean: mean,
      logprob_delta_max: max,
      tokens,
      clipped: clipped / Math.max(1, tokensOf(teaching)),
      digest,
      sample_s: (sampledAt - begin) / 1000,
      train_s: (trainedAt - sampledAt) / 1000,
      sync_s: (performance.now() - trainedAt) / 1000,
      elapsed_s: elapsed(),
    });
    if (evaluateEvery > 0 && (step % evaluateEvery === 0 || step === steps)) await evaluate(step);
  }
  const { user, system } = process.cpuUsage();
  onLine({ kind: "end", elapsed_s: elapsed(), trainer_cpu_s: (user + system) / 1e6 });
}
