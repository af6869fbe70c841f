/** What a run writes, one JSON object per line, whichever trainer it was; `plot.ts` and the README's figures come from it. */

export interface RunLine {
  readonly kind: "run";
  readonly trainer: "typescript" | "python";
  readonly software: string;
  readonly seed: number;
  readonly steps: number;
  /** Sums per step. */
  readonly prompts: number;
  /** Samples per sum. */
  readonly samples: number;
  readonly rate: number;
  readonly updates: number;
}

/** Greedy accuracy on the held-out sums, asked through the gateway. */
export interface EvaluationLine {
  readonly kind: "evaluation";
  readonly step: number;
  readonly weight_version: number;
  readonly right: number;
  readonly of: number;
  readonly elapsed_s: number;
}

export interface StepLine {
  readonly kind: "step";
  readonly step: number;
  /** Of every rollout of this step, as the answers said. */
  readonly weight_version: number;
  /** Share of right answers among the samples. */
  readonly reward: number;
  /** Groups whose samples were not all right or all wrong: only they teach. */
  readonly teaching: number;
  /** |logprob of the gateway - logprob of the trainer|, over all sampled tokens of the step. */
  readonly logprob_delta_mean: number;
  readonly logprob_delta_max: number;
  readonly tokens: number;
  /** Share of tokens whose ratio was clipped. */
  readonly clipped: number;
  /** Of the weights after the step, as the gateway confirmed it. */
  readonly digest: string;
  readonly sample_s: number;
  readonly train_s: number;
  readonly sync_s: number;
  readonly elapsed_s: number;
}

export interface EndLine {
  readonly kind: "end";
  readonly elapsed_s: number;
  /** Processor time of the trainer alone. */
  readonly trainer_cpu_s: number;
}

export type LogLine = RunLine | EvaluationLine | StepLine | EndLine;

/** One line for people. */
export function toSentence(line: LogLine): string {
  if (line.kind === "run") {
    return `${line.trainer} trainer (${line.software}): ${line.steps} steps of ${line.prompts} sums × ${line.samples} samples, seed ${line.seed}`;
  }
  if (line.kind === "evaluation") {
    const share = ((100 * line.right) / line.of).toFixed(1);
    return `held-out sums: ${line.right} of ${line.of} right (${share} %) with weight version ${line.weight_version}`;
  }
  if (line.kind === "end") {
    return `done in ${line.elapsed_s.toFixed(0)} s; the trainer used ${line.trainer_cpu_s.toFixed(0)} s of processor time`;
  }
  const { step, weight_version, reward, logprob_delta_mean, logprob_delta_max, sample_s, train_s, sync_s } = line;
  const delta = `${logprob_delta_mean.toExponential(1)} (worst ${logprob_delta_max.toExponential(1)})`;
  const times = `${sample_s.toFixed(1)} + ${train_s.toFixed(1)} + ${sync_s.toFixed(1)} s`;
  const clipped = `${(100 * line.clipped).toFixed(1)} % clipped`;
  return `step ${step}: rollouts of version ${weight_version}, ${(100 * reward).toFixed(1)} % right, ${clipped}, mean |Δ logprob| ${delta}, sample + train + sync ${times}`;
}
