/** Teacher scoring: logprobs of completions that exist already, in the shapes of TRL's `get_sequence_logprobs`. */
import { mapConcurrently } from "./concurrently.ts";
import { requireLegacyPath, type ServerFacts } from "./detect.ts";
import { ServerError } from "./errors.ts";
import { type Connection, sendJson } from "./http.ts";
import { SAMPLING } from "./retry.ts";

export interface SequenceLogprobsOptions {
  /** Candidates per token; default 100. */
  readonly topLogprobs?: number;
  /** Default 1; must be positive. */
  readonly temperature?: number;
  /** Sequences per request; default 0 = all in one. */
  readonly chunkSize?: number;
  /** Requests in flight; default 4. */
  readonly maxConcurrentRequests?: number;
  readonly signal?: AbortSignal;
}

/** Per sequence, per completion token. Lists of candidates are padded to `topLogprobs` with -Infinity and id 0. */
export interface SequenceLogprobs {
  /** [sequence][token][topLogprobs], by falling probability. */
  readonly logprobs: readonly (readonly (readonly number[])[])[];
  /** Same shape. */
  readonly logprobTokenIds: readonly (readonly (readonly number[])[])[];
  /** [sequence][token][1]: of the token that stands there; -Infinity when the server does not tell. */
  readonly actualLogprobs: readonly (readonly (readonly number[])[])[];
  readonly actualTokenIds: readonly (readonly (readonly number[])[])[];
}

export interface ScoreCall {
  readonly connection: Connection;
  readonly facts: ServerFacts;
  readonly seconds: number;
}

type Position = Readonly<Record<string, { readonly logprob: number | null; readonly rank: number }>>;

/** One sequence's rows of the four lists. */
interface Scored {
  readonly logprobs: number[][];
  readonly logprobTokenIds: number[][];
  readonly actualLogprobs: number[][];
  readonly actualTokenIds: number[][];
}

const NONE = Number.NEGATIVE_INFINITY;

/** `prompt_logprobs` of vLLM → the completion's part of it. */
function toScored(
  positions: readonly (Position | null)[],
  sequence: readonly number[],
  start: number,
  top: number,
): Scored {
  const scored: Scored = { logprobs: [], logprobTokenIds: [], actualLogprobs: [], actualTokenIds: [] };
  for (let place = start; place < sequence.length; place += 1) {
    const position = positions[place] ?? {};
    const ranked = Object.entries(position)
      .sort(([, a], [, b]) => a.rank - b.rank)
      .slice(0, top);
    const padding = top - ranked.length;
    const id = sequence[place] as number;
    scored.logprobs.push([
      ...ranked.map(([, { logprob }]) => logprob ?? NONE),
      ...new Array<number>(padding).fill(NONE),
    ]);
    scored.logprobTokenIds.push([...ranked.map(([token]) => Number(token)), ...new Array<number>(padding).fill(0)]);
    scored.actualLogprobs.push([position[String(id)]?.logprob ?? NONE]);
    scored.actualTokenIds.push([id]);
  }
  return scored;
}

interface Chunk {
  readonly sequences: readonly (readonly number[])[];
  readonly promptLengths: readonly number[];
}

async function scoreWithVllm(call: ScoreCall, chunk: Chunk, top: number, temperature: number, signal: AbortSignal) {
  const { json, answer } = await sendJson(call.connection, "/v1/completions", {
    method: "POST",
    json: {
      ...(call.facts.model === null ? {} : { model: call.facts.model }),
      prompt: chunk.sequences,
      max_tokens: 1,
      temperature,
      prompt_logprobs: top,
    },
    seconds: call.seconds,
    signal,
    retry: [SAMPLING],
  });
  const { choices } = json as { choices?: readonly { prompt_logprobs?: readonly (Position | null)[] }[] };
  return chunk.sequences.map((sequence, index) => {
    const positions = choices?.[index]?.prompt_logprobs;
    if (positions === undefined || positions === null || positions.length !== sequence.length) {
      const sentence = `${answer.url} gave no prompt_logprobs for sequence ${index} of the request.`;
      throw new ServerError(answer.url, answer.status, sentence);
    }
    return toScored(positions, sequence, chunk.promptLengths[index] as number, top);
  });
}

/** base64 of little-endian 32-bit values. */
function toView(base64: unknown, url: string, name: string): DataView {
  if (typeof base64 !== "string") throw new ServerError(url, 200, `${url} answered without ${name}.`);
  return new DataView(Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)).buffer);
}

async function scoreWithTrl(call: ScoreCall, chunk: Chunk, top: number, temperature: number, signal: AbortSignal) {
  const path = "/get_sequence_logprobs/";
  requireLegacyPath(call.connection.baseUrl, call.facts, path, "1.1");
  const { json, answer } = await sendJson(call.connection, path, {
    method: "POST",
    json: {
      sequences: chunk.sequences,
      prompt_lengths: chunk.promptLengths,
      top_logprobs: top,
      temperature,
      response_format: "binary",
    },
    seconds: call.seconds,
    signal,
    retry: [SAMPLING],
  });
  const body = json as Record<string, unknown>;
  const [batch, length, width] = (body.shape ?? []) as readonly number[];
  if (batch !== chunk.sequences.length || length === undefined || width !== top) {
    const shown = JSON.stringify(body.shape ?? null);
    throw new ServerError(
      answer.url,
      200,
      `${answer.url} answered with shape ${shown}; [${chunk.sequences.length}, …, ${top}] was asked for.`,
    );
  }
  const view = (name: string): DataView => toView(body[name], answer.url, name);
  const [all, ids, actual] = [view("logprobs_b64"), view("token_ids_b64"), view("actual_logprobs_b64")];
  return chunk.sequences.map((sequence, row): Scored => {
    const start = chunk.promptLengths[row] as number;
    const places = sequence.slice(start).map((_, place) => row * length + place);
    const candidates = places.map((place) => Array.from({ length: top }, (_, rank) => 4 * (place * top + rank)));
    return {
      logprobs: candidates.map((offsets) => offsets.map((offset) => all.getFloat32(offset, true))),
      logprobTokenIds: candidates.map((offsets) => offsets.map((offset) => ids.getInt32(offset, true))),
      actualLogprobs: places.map((place) => [actual.getFloat32(4 * place, true)]),
      actualTokenIds: sequence.slice(start).map((id) => [id]),
    };
  });
}

function check(
  sequences: Chunk["sequences"],
  promptLengths: readonly number[],
  options: Required<Pick<SequenceLogprobsOptions, "topLogprobs" | "temperature" | "chunkSize">>,
): void {
  const { topLogprobs, temperature, chunkSize } = options;
  if (!(temperature > 0)) throw new RangeError(`temperature must be positive, got ${temperature}`);
  if (!Number.isInteger(topLogprobs) || topLogprobs < 1) {
    throw new RangeError(`topLogprobs must be an integer of at least 1, got ${topLogprobs}`);
  }
  if (!Number.isInteger(chunkSize)) throw new RangeError(`chunkSize must be an integer, got ${chunkSize}`);
  if (sequences.length !== promptLengths.length) {
    throw new RangeError(
      `promptLengths must have one entry per sequence: ${sequences.length}, got ${promptLengths.length}`,
    );
  }
  for (const [index, length] of promptLengths.entries()) {
    const size = sequences[index]?.length ?? 0;
    if (!Number.isInteger(length) || length < 0 || length > size) {
      throw new RangeError(`promptLengths[${index}] must be between 0 and ${size}, got ${length}`);
    }
  }
}

/** See `VLLMClient.getSequenceLogprobs`. */
export async function scoreSequences(
  call: () => Promise<ScoreCall>,
  sequences: readonly (readonly number[])[],
  promptLengths: readonly number[],
  options: SequenceLogprobsOptions,
): Promise<SequenceLogprobs> {
  const { topLogprobs = 100, temperature = 1, chunkSize = 0, maxConcurrentRequests = 4, signal } = options;
  check(sequences, promptLengths, { topLogprobs, temperature, chunkSize });
  if (sequences.length === 0) return { logprobs: [], logprobTokenIds: [], actualLogprobs: [], actualTokenIds: [] };
  const ready = await call();
  const size = chunkSize > 0 ? chunkSize : sequences.length;
  const chunks = Array.from({ length: Math.ceil(sequences.length / size) }, (_, index): Chunk => {
    const [from, to] = [index * size, (index + 1) * size];
    return { sequences: sequences.slice(from, to), promptLengths: promptLengths.slice(from, to) };
  });
  const score = ready.facts.kind === "trl" ? scoreWithTrl : scoreWithVllm;
  const scored = await mapConcurrently(chunks, maxConcurrentRequests, signal, (chunk, either) =>
    score(ready, chunk, topLogprobs, temperature, either),
  );
  const rows = scored.flat();
  return {
    logprobs: rows.map(({ logprobs }) => logprobs),
    logprobTokenIds: rows.map(({ logprobTokenIds }) => logprobTokenIds),
    actualLogprobs: rows.map(({ actualLogprobs }) => actualLogprobs),
    actualTokenIds: rows.map(({ actualTokenIds }) => actualTokenIds),
  };
}
