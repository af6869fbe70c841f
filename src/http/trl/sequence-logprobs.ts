/** Teacher scoring: `/get_sequence_logprobs/` → a request for prompt logprobs, and its two answer forms. */
import type { GenerateRequest, PositionLogprobs } from "../../contract/generation.ts";
import { SequenceLogprobsOptions } from "../../contract/trl/sequence-logprobs.ts";
import { invalidValue } from "../../errors.ts";
import { toBase64 } from "../../lib/base64.ts";
import type { CollectedAnswer } from "../collect.ts";
import { checkTokenBudget } from "../limits.ts";
import { checkTokenIds } from "../openai/to-prompts.ts";
import { validate } from "../validation.ts";
import { byRank, toNullable } from "./render.ts";

export interface ParsedScoring {
  readonly request: GenerateRequest;
  readonly prompts: number;
  readonly samples: 1;
  readonly sequences: readonly (readonly number[])[];
  readonly promptLengths: readonly number[];
  readonly top: number;
  readonly binary: boolean;
}

/** Numbers in one binary answer: 64 Mi, so that four arrays stay below a GiB. */
const CELL_LIMIT = 2 ** 26;

/** Throws GatewayError `invalid_value` naming the sequence. */
export function parseScoring(
  body: Record<string, unknown>,
  around: { readonly requestId: string; readonly maxTokensPerRequest: number },
): ParsedScoring {
  const { sequences, ...rest } = body;
  const options = validate(SequenceLogprobsOptions, rest);
  if (!Array.isArray(sequences)) throw invalidValue("sequences", sequences, "a list of token id lists");
  const lists = sequences.map((ids: unknown, index) => {
    if (!Array.isArray(ids) || ids.length === 0) throw invalidValue(`sequences.${index}`, ids, "a list of token ids");
    return checkTokenIds(ids, `sequences.${index}`);
  });
  const { prompt_lengths: lengths } = options;
  if (lengths.length !== lists.length) {
    throw invalidValue("prompt_lengths", lengths, `a list of ${lists.length} lengths, one per sequence`);
  }
  for (const [index, length] of lengths.entries()) {
    const most = lists[index]?.length ?? 0;
    if (length > most) throw invalidValue(`prompt_lengths.${index}`, length, `from 0 to the sequence's length ${most}`);
  }
  const longest = Math.max(0, ...lists.map((ids, index) => ids.length - (lengths[index] ?? 0)));
  const cells = lists.length * longest * options.top_logprobs;
  if (cells > CELL_LIMIT) {
    throw invalidValue("top_logprobs", options.top_logprobs, `small enough for ${CELL_LIMIT} numbers in one answer`);
  }
  checkTokenBudget({ prompts: lists.length, samples: 1, maxTokens: 1 }, around);
  return {
    request: {
      requestId: around.requestId,
      prompts: lists.map((ids) => ({ kind: "tokens", ids })),
      // One token must be made for the prompt to be scored; it is not shown.
      sampling: { maxTokens: 1, temperature: options.temperature, promptLogprobs: options.top_logprobs },
      echo: false,
    },
    prompts: lists.length,
    samples: 1,
    sequences: lists,
    promptLengths: lengths,
    top: options.top_logprobs,
    binary: options.response_format === "binary",
  };
}

type Positions = readonly (PositionLogprobs | null)[];

/** Per sequence the positions of its completion. */
function completionsOf(answer: CollectedAnswer, parsed: ParsedScoring): readonly Positions[] {
  return parsed.sequences.map((ids, index) => {
    const start = parsed.promptLengths[index] ?? 0;
    const logprobs = answer.prompts[index]?.logprobs ?? [];
    return ids.slice(start).map((_, offset) => logprobs[start + offset] ?? null);
  });
}

const NO_BINARY = {
  logprobs_b64: null,
  token_ids_b64: null,
  actual_logprobs_b64: null,
  actual_token_ids_b64: null,
  shape: null,
  completion_lengths: null,
};

function renderJson(completions: readonly Positions[]) {
  const each = <T>(read: (position: PositionLogprobs) => T[]): T[][][] =>
    completions.map((positions) => positions.map((position) => (position === null ? [] : read(position))));
  return {
    logprobs: each((position) => byRank(position).map((entry) => toNullable(entry.logprob))),
    logprob_token_ids: each((position) => byRank(position).map((entry) => entry.tokenId)),
    actual_logprobs: each((position) => [toNullable(position.logprob)]),
    actual_token_ids: each((position) => [position.tokenId]),
    ...NO_BINARY,
  };
}

function renderBinary(completions: readonly Positions[], top: number) {
  const rows = completions.length;
  const length = Math.max(0, ...completions.map((positions) => positions.length));
  const logprobs = new Float32Array(rows * length * top).fill(Number.NEGATIVE_INFINITY);
  const tokenIds = new Int32Array(rows * length * top);
  const actualLogprobs = new Float32Array(rows * length).fill(Number.NEGATIVE_INFINITY);
  const actualTokenIds = new Int32Array(rows * length);
  for (const [row, positions] of completions.entries()) {
    for (const [column, position] of positions.entries()) {
      if (position === null) continue;
      const cell = row * length + column;
      actualLogprobs[cell] = position.logprob;
      actualTokenIds[cell] = position.tokenId;
      for (const [rank, entry] of byRank(position).slice(0, top).entries()) {
        logprobs[cell * top + rank] = entry.logprob;
        tokenIds[cell * top + rank] = entry.tokenId;
      }
    }
  }
  return {
    logprobs: null,
    logprob_token_ids: null,
    logprobs_b64: toBase64(logprobs),
    token_ids_b64: toBase64(tokenIds),
    actual_logprobs_b64: toBase64(actualLogprobs),
    actual_token_ids_b64: toBase64(actualTokenIds),
    shape: [rows, length, top],
    completion_lengths: completions.map((positions) => positions.length),
  };
}

/** The answer's body in the form that was asked for. */
export function renderScoring(answer: CollectedAnswer, parsed: ParsedScoring) {
  const completions = completionsOf(answer, parsed);
  return parsed.binary ? renderBinary(completions, parsed.top) : renderJson(completions);
}
