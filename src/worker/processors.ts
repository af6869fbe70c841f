/**
 * What happens to logits before temperature: masks, biases and penalties, in the order of vLLM's V1 sampler
 * (`allowed_token_ids`, bad words, `min_tokens`, `logit_bias`, then penalties). Works in place.
 */
import type { ResolvedSampling } from "./batch-types.ts";

const MASKED = Number.NEGATIVE_INFINITY;

/** vLLM clamps each bias to this. */
const BIAS_LIMIT = 100;

/** The tokens of one sequence as the penalties see them. */
export interface TokenHistory {
  readonly promptIds: readonly number[];
  /** Output tokens, oldest first. */
  readonly outputIds: readonly number[];
  /** How often each output token came; complete. */
  readonly outputCounts: ReadonlyMap<number, number>;
  /** Distinct prompt tokens; only read when there is a repetition penalty. */
  readonly promptSet: ReadonlySet<number>;
}

function endsWith(tokens: readonly number[], word: readonly number[], length: number): boolean {
  const start = tokens.length - length;
  if (start < 0) return false;
  for (let index = 0; index < length; index++) {
    if (tokens[start + index] !== word[index]) return false;
  }
  return true;
}

function keepOnly(logits: Float32Array, ids: readonly number[]): void {
  const kept = ids.filter((id) => id < logits.length).map((id) => [id, logits[id]!] as const);
  logits.fill(MASKED);
  for (const [id, value] of kept) logits[id] = value;
}

function applyRepetitionPenalty(logits: Float32Array, penalty: number, history: TokenHistory): void {
  const apply = (id: number) => {
    const value = logits[id];
    if (value !== undefined) logits[id] = value > 0 ? value / penalty : value * penalty;
  };
  for (const id of history.promptSet) apply(id);
  for (const id of history.outputCounts.keys()) if (!history.promptSet.has(id)) apply(id);
}

/** True when this request changes logits before temperature at all. */
export function hasProcessors(sampling: ResolvedSampling): boolean {
  return (
    sampling.allowedTokenIds !== null ||
    sampling.badWords.length > 0 ||
    sampling.minTokens > 0 ||
    sampling.logitBias.size > 0 ||
    sampling.repetitionPenalty !== 1 ||
    sampling.frequencyPenalty !== 0 ||
    sampling.presencePenalty !== 0
  );
}

/** @param logits one row, [vocabulary]; changed in place */
export function applyProcessors(logits: Float32Array, sampling: ResolvedSampling, history: TokenHistory): void {
  const { outputIds, outputCounts } = history;
  if (sampling.allowedTokenIds !== null) keepOnly(logits, sampling.allowedTokenIds);
  for (const word of sampling.badWords) {
    const last = word.at(-1);
    if (last !== undefined && last < logits.length && endsWith(outputIds, word, word.length - 1)) {
      logits[last] = MASKED;
    }
  }
  if (outputIds.length < sampling.minTokens) {
    for (const id of sampling.eosTokenIds) if (id < logits.length) logits[id] = MASKED;
    for (const id of sampling.stopTokenIds) if (id < logits.length) logits[id] = MASKED;
  }
  for (const [id, bias] of sampling.logitBias) {
    if (id < logits.length) logits[id]! += Math.min(BIAS_LIMIT, Math.max(-BIAS_LIMIT, bias));
  }
  if (sampling.repetitionPenalty !== 1) applyRepetitionPenalty(logits, sampling.repetitionPenalty, history);
  const { frequencyPenalty, presencePenalty } = sampling;
  if (frequencyPenalty !== 0 || presencePenalty !== 0) {
    for (const [id, count] of outputCounts) logits[id]! -= frequencyPenalty * count + presencePenalty;
  }
}
