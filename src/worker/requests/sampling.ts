/**
 * Sampling parameters: defaults, bounds and messages of vLLM 0.32 (`SamplingParams._verify_args` and its callers).
 * Pure; draws nothing.
 */
import type { GenerateRequest } from "../../contract/generation.ts";
import { LOGPROBS_LIMIT, type SamplingParams } from "../../contract/sampling.ts";
import { GatewayError } from "../../errors.ts";
import { noTokenizer } from "../../text/no-tokenizer.ts";
import type { ResolvedSampling } from "../batch-types.ts";
import type { ServedModel } from "./served-model.ts";

/** vLLM's VLLM_MAX_N_SEQUENCES. */
const SAMPLES_LIMIT = 16_384;
/** Below this vLLM samples at exactly this temperature, for numerical stability. */
const LEAST_TEMPERATURE = 0.01;

/** Numbers as Python prints floats: 3 → "3.0". */
const float = (value: number): string => (Number.isInteger(value) ? `${value}.0` : String(value));

/** vLLM's two message forms: with and without the parameter behind. */
const refuse = (param: string, message: string): GatewayError => new GatewayError("invalid_value", message, { param });
const refuseValue = (param: string, message: string, value: string): GatewayError =>
  refuse(param, `${message} (parameter=${param}, value=${value})`);

function checkFloat(param: string, value: number, accepted: boolean, message: string): void {
  if (!accepted || Number.isNaN(value)) {
    throw refuseValue(param, `${param} ${message}, got ${float(value)}.`, float(value));
  }
}

function checkInteger(param: string, value: number, least: number, message: string): void {
  if (!Number.isInteger(value)) throw refuse(param, `${param} must be an integer, got ${value}.`);
  if (value < least) throw refuse(param, `${param} ${message}, got ${value}.`);
}

/** Candidates per token, or -1 for none; the caller's -1 means all. */
function checkLogprobs(param: string, value: number | undefined, model: ServedModel): number {
  if (value === undefined) return -1;
  checkInteger(param, value, -1, "must be non-negative or -1");
  const { vocabSize, maxLogprobs = LOGPROBS_LIMIT } = model;
  const limit = maxLogprobs === -1 ? vocabSize : maxLogprobs;
  const wanted = value === -1 ? vocabSize : value;
  if (wanted > limit) {
    const kind = param === "logprobs" ? "sample" : "prompt";
    throw refuseValue(
      param,
      `Requested ${kind} logprobs of ${wanted}, which is greater than max allowed: ${limit}`,
      String(value),
    );
  }
  return Math.min(wanted, vocabSize);
}

function toLogitBias(params: SamplingParams, vocabSize: number): ReadonlyMap<number, number> {
  const bias = new Map<number, number>();
  const outside: string[] = [];
  for (const [key, value] of Object.entries(params.logitBias ?? {})) {
    const id = Number(key);
    if (!/^\d+$/.test(key) || id >= vocabSize) outside.push(key);
    else if (!Number.isFinite(value)) throw refuse("logit_bias", `logit_bias must hold numbers, got ${value}.`);
    else bias.set(id, Math.min(100, Math.max(-100, value)));
  }
  if (outside.length > 0) {
    throw refuse(
      "logit_bias",
      `token_id(s) [${outside.slice(0, 10).join(", ")}] in logit_bias contain out-of-vocab token ids. Vocabulary size: ${vocabSize}`,
    );
  }
  return bias;
}

function toAllowed(params: SamplingParams, vocabSize: number): readonly number[] | null {
  const ids = params.allowedTokenIds;
  if (ids === undefined) return null;
  const shown = `[${ids.slice(0, 10).join(", ")}]`;
  if (ids.length === 0) throw refuseValue("allowed_token_ids", "allowed_token_ids is not None and empty!", shown);
  if (ids.some((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize)) {
    throw refuseValue("allowed_token_ids", "allowed_token_ids contains out-of-vocab token id!", shown);
  }
  return ids;
}

/** Each word with and without a space before it, as vLLM's `update_from_tokenizer`. */
function toBadWords(params: SamplingParams, model: ServedModel): readonly (readonly number[])[] {
  const out: number[][] = [];
  for (const word of params.badWords ?? []) {
    if (word === "") throw refuse("bad_words", "bad_words cannot contain an empty string.");
    const plain = model.tokenizer.encode(word.trimStart(), false);
    if (plain.length === 0) {
      const shown = `['${word}']`;
      throw refuseValue("bad_words", "bad_words entries must tokenize to at least one token.", shown);
    }
    const spaced = model.tokenizer.encode(` ${word.trimStart()}`, false);
    out.push(plain);
    if (spaced[0] !== plain[0] && spaced.length === plain.length) out.push(spaced);
  }
  return out;
}

/** What holds for the whole request, before the length of a prompt is known. */
export interface CheckedSampling {
  readonly samples: number;
  readonly stop: readonly string[];
  readonly includeStop: boolean;
  readonly skipSpecialTokens: boolean;
  readonly minTokens: number;
  /** Completes the parameters for a prompt of so many tokens. */
  readonly resolve: (promptLength: number) => ResolvedSampling;
  /** For prompts that nothing is drawn after. */
  readonly silent: () => ResolvedSampling;
}

/**
 * Applies defaults (the caller's word, then generation_config.json, then vLLM's) and checks every bound.
 *
 * @param drawSeed called when the caller gave no seed
 * @throws GatewayError `invalid_value` with vLLM's own message
 */
export function checkSampling(request: GenerateRequest, model: ServedModel, drawSeed: () => number): CheckedSampling {
  const params = request.sampling;
  const { defaults } = model;
  const samples = params.n ?? 1;
  checkInteger("n", samples, 1, "must be at least 1");
  if (samples > SAMPLES_LIMIT) throw refuse("n", `n must be at most ${SAMPLES_LIMIT}, got ${samples}.`);
  const presencePenalty = params.presencePenalty ?? 0;
  checkFloat("presence_penalty", presencePenalty, Math.abs(presencePenalty) <= 2, "must be in [-2, 2]");
  const frequencyPenalty = params.frequencyPenalty ?? 0;
  checkFloat("frequency_penalty", frequencyPenalty, Math.abs(frequencyPenalty) <= 2, "must be in [-2, 2]");
  const repetitionPenalty = params.repetitionPenalty ?? defaults.repetitionPenalty ?? 1;
  checkFloat("repetition_penalty", repetitionPenalty, repetitionPenalty > 0, "must be greater than zero");
  const asked = params.temperature ?? defaults.temperature ?? 1;
  checkFloat("temperature", asked, asked >= 0, "must be non-negative");
  checkFloat("temperature", asked, asked <= 2, "must be in [0, 2]");
  const temperature = asked === 0 ? 0 : Math.max(asked, LEAST_TEMPERATURE);
  const topP = params.topP ?? defaults.topP ?? 1;
  checkFloat("top_p", topP, topP > 0 && topP <= 1, "must be in (0, 1]");
  const topK = params.topK ?? defaults.topK ?? 0;
  checkInteger("top_k", topK, -1, "must be 0 (disable), or at least 1");
  const minP = params.minP ?? defaults.minP ?? 0;
  checkFloat("min_p", minP, minP >= 0 && minP <= 1, "must be in [0, 1]");
  const minTokens = params.minTokens ?? 0;
  checkInteger("min_tokens", minTokens, 0, "must be greater than or equal to 0");
  if (params.seed !== undefined) checkInteger("seed", params.seed, -(2 ** 63), "must be an integer of 64 bits");
  // With `echo` a completion of no tokens asks for the prompt back: one token is made, as vLLM does.
  const given = request.echo && params.maxTokens === 0 ? 1 : params.maxTokens;
  const wanted = given ?? defaults.maxTokens;
  if (wanted !== undefined && !(Number.isSafeInteger(wanted) && wanted >= 1)) {
    throw refuseValue("max_tokens", `max_tokens must be at least 1, got ${wanted}.`, String(wanted));
  }
  if (params.maxTokensField !== undefined && wanted !== undefined && wanted > model.maxModelLen) {
    throw refuseValue(
      params.maxTokensField,
      `${params.maxTokensField}=${wanted} cannot be greater than max_model_len=${model.maxModelLen}. Please request fewer output tokens.`,
      String(wanted),
    );
  }
  if (wanted !== undefined && minTokens > wanted) {
    throw refuseValue(
      "min_tokens",
      `min_tokens must be less than or equal to max_tokens=${wanted}, got ${minTokens}.`,
      String(minTokens),
    );
  }
  const logprobs = checkLogprobs("logprobs", params.logprobs, model);
  const promptLogprobs = checkLogprobs(
    "prompt_logprobs",
    params.promptLogprobs ?? (request.echo ? params.logprobs : undefined),
    model,
  );
  const stop = params.stop ?? [];
  if (stop.length > 0 && model.skipTokenizer) throw noTokenizer("stop");
  if (stop.includes("")) throw refuse("stop", "stop cannot contain an empty string.");
  const stopTokenIds = params.stopTokenIds ?? [];
  if (stopTokenIds.some((id) => !Number.isInteger(id))) {
    throw refuse("stop_token_ids", "stop_token_ids must contain only integers.");
  }
  const strange = stopTokenIds.filter((id) => id < 0 || id >= model.vocabSize).slice(0, 10);
  if (strange.length > 0) {
    const shown = `[${strange.join(", ")}]`;
    throw refuseValue(
      "stop_token_ids",
      `token_id(s) ${shown} in stop_token_ids contain out-of-vocab token ids. Vocabulary size: ${model.vocabSize}`,
      shown,
    );
  }
  const greedy = temperature === 0;
  if (greedy && samples > 1) throw refuse("n", `n must be 1 when using greedy sampling, got ${samples}.`);
  const logitBias = toLogitBias(params, model.vocabSize);
  const allowedTokenIds = toAllowed(params, model.vocabSize);
  const badWords = toBadWords(params, model);
  const ends = params.ignoreEos === true ? [] : model.eosTokenId === undefined ? [] : [model.eosTokenId];
  const stops = params.ignoreEos === true ? stopTokenIds : [...stopTokenIds, ...model.extraEosTokenIds];

  const complete = (maxTokens: number): ResolvedSampling => ({
    maxTokens,
    minTokens: Math.min(minTokens, maxTokens),
    temperature,
    // vLLM: greedy sampling looks at no other candidate.
    topP: greedy ? 1 : topP,
    topK: greedy || topK === -1 ? 0 : topK,
    minP: greedy ? 0 : minP,
    repetitionPenalty,
    presencePenalty,
    frequencyPenalty,
    // vLLM: -1 is no seed.
    seed: params.seed === undefined || params.seed === -1 ? drawSeed() : params.seed,
    logprobs,
    rawLogprobs: model.rawLogprobs === true,
    promptLogprobs,
    logitBias,
    allowedTokenIds,
    badWords,
    eosTokenIds: new Set(ends),
    stopTokenIds: new Set(stops),
  });
  const resolve = (promptLength: number): ResolvedSampling => {
    const room = model.maxModelLen - promptLength;
    const maxTokens = Math.min(wanted ?? room, room);
    if (maxTokens >= 1) return complete(maxTokens);
    throw new GatewayError(
      "context_length_exceeded",
      `max_tokens must be at least 1, got ${maxTokens}. (parameter=max_tokens, value=${maxTokens})`,
      { param: "max_tokens" },
    );
  };
  return {
    samples,
    stop,
    includeStop: params.includeStopStrInOutput ?? false,
    skipSpecialTokens: params.skipSpecialTokens ?? true,
    minTokens,
    resolve,
    silent: () => complete(0),
  };
}
