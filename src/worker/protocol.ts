/**
 * What parent and worker say to each other: message types and the two conversions that JSON needs (errors, and
 * infinite logprobs). Types and pure functions only; both ends import this and `frame.ts`, nothing else of the other.
 *
 * The parent numbers its calls; every answer carries that number. A call ends with exactly one `result` or `error`;
 * a `generate` call ends with an `events` message whose last event is of type `end`, or with `error`.
 */
import type { GenerateEvent, GenerateRequest, PositionLogprobs, Prompt } from "../contract/generation.ts";
import type { WeightDigest, WeightVersion } from "../contract/ids.ts";
import type {
  PauseMode,
  ResidencyDirective,
  ResidencyReport,
  ResidencySummary,
  TensorSpec,
  TokenizeResult,
  WeightSet,
} from "../engine/engine.ts";
import { ERROR_CODES, type ErrorCode, type ErrorDetails, GatewayError, toGatewayError } from "../errors.ts";
import { fromBase64, toBase64 } from "../lib/base64.ts";

/** Raised with every incompatible change; parent and worker of one build always agree. */
export const PROTOCOL_VERSION = 1;

export interface LoadOptions {
  readonly directory: string;
  readonly device: "auto" | "cpu" | "webgpu" | "cuda";
  readonly quantize: "auto" | "none" | "keep" | "int8" | "int4";
  /** Bytes that this worker may take; undefined = what is free, shared by so many of them. */
  readonly memoryBudget: number | undefined;
  readonly replicas: number;
  /** Serve token ids alone. */
  readonly skipTokenizer: boolean;
  /** Candidates per token at most; -1 = all; default: LOGPROBS_LIMIT. */
  readonly maxLogprobs?: number | undefined;
  /** Default `processed_logprobs`. */
  readonly logprobsMode?: "processed_logprobs" | "raw_logprobs" | undefined;
  readonly maxConcurrency: number;
  readonly maxModelLen: number | undefined;
  /** Sequences that may wait before `too_many_requests`. */
  readonly maxQueue: number;
  /** Tokens of those that wait before `too_many_requests`; default: no limit. */
  readonly maxQueuedTokens?: number | undefined;
  readonly version: WeightVersion;
  /** Over the directory's own weights, in order. */
  readonly sets: readonly WeightSet[];
  /** Where the weights are to be; default: all in memory. */
  readonly residency?: ResidencyDirective;
  /** Where weights on disk are kept; default: the system's directory for temporary files. */
  readonly spoolDirectory?: string | undefined;
}

/** What a loaded worker says of itself. */
export interface LoadedInfo {
  readonly maxModelLen: number;
  readonly vocabSize: number;
  readonly digest: WeightDigest;
  readonly weightBytes: number;
  readonly provider: string;
  /** What it runs on, in words. */
  readonly device?: string;
  /** Of `--device auto`: why it is none of those that come first. */
  readonly deviceFallback?: string;
  /** Operators that the CPU runs in place of the device. */
  readonly operatorsOnCpu?: string;
  /** How the matrices are held: "fp32", or how many as what. */
  readonly weightFormat?: string;
  /** Tokens that the KV cache holds, of all sequences together. */
  readonly kvCacheTokens?: number;
  readonly tensors: readonly TensorSpec[];
  readonly residency: ResidencyReport;
}

/** Calls and their results; `generate` aside. */
export interface Calls {
  load: { request: LoadOptions; result: LoadedInfo };
  tokenize: { request: { prompt: Prompt }; result: TokenizeResult };
  detokenize: { request: { tokenIds: readonly number[] }; result: { text: string } };
  stage: { request: { stage: string; set: WeightSet }; result: { digest: WeightDigest } };
  commit: { request: { stage: string; version: WeightVersion; mode: PauseMode }; result: { digest: WeightDigest } };
  discard: { request: { stage: string }; result: null };
  pause: { request: { mode: PauseMode; clearCache: boolean }; result: null };
  resume: { request: object; result: null };
  isPaused: { request: object; result: boolean };
  resetPrefixCache: { request: { resetRunning: boolean }; result: boolean };
  sleep: { request: { level: number; mode: PauseMode }; result: ResidencyReport };
  wakeUp: { request: { tags: readonly string[] | null }; result: ResidencyReport };
  isSleeping: { request: object; result: boolean };
  residency: { request: object; result: ResidencyReport };
  applyResidency: { request: { directive: ResidencyDirective }; result: ResidencyReport };
  gather: { request: { groups: readonly string[] | "all" }; result: ResidencyReport };
  releaseGathered: { request: object; result: ResidencyReport };
}
export type CallName = keyof Calls;

export type ToWorker =
  | { [Name in CallName]: { readonly type: Name; readonly id: number } & Calls[Name]["request"] }[CallName]
  | {
      readonly type: "generate";
      readonly id: number;
      readonly request: GenerateRequest;
      /** Events that may be sent before more credit comes. */
      readonly credit: number;
    }
  /** The reader has taken so many events of this call. */
  | { readonly type: "credit"; readonly id: number; readonly events: number }
  /** Nobody waits for this call any more; unknown ids are fine. */
  | { readonly type: "cancel"; readonly id: number }
  | { readonly type: "ping"; readonly sequence: number }
  /** Exit with code 0 at once. */
  | { readonly type: "stop" };

export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: Omit<ErrorDetails, "cause">;
}

/** JSON has no infinity: a masked token's logprob travels as null. */
type Finite<T> = T extends PositionLogprobs
  ? Omit<T, "logprob" | "top"> & { readonly logprob: number | null; readonly top: readonly WireLogprob[] }
  : never;
type WireLogprob = Omit<PositionLogprobs, "logprob" | "top"> & { readonly logprob: number | null };
export type WirePosition = Finite<PositionLogprobs>;

type Wired<T> = T extends { readonly logprobs?: readonly (infer P)[] }
  ? Omit<T, "logprobs"> & { readonly logprobs?: readonly (WirePosition | (null extends P ? null : never))[] }
  : T extends { readonly values: Float32Array }
    ? Omit<T, "values"> & { readonly values: string }
    : T;
/** A prompt with `more` is a part: the rest of its log probabilities comes in events of the same prompt. */
export type WireEvent = Wired<GenerateEvent> & { readonly more?: true };

export type FromWorker =
  | { readonly type: "hello"; readonly protocol: number; readonly pid: number; readonly runtime: string }
  | { readonly type: "result"; readonly id: number; readonly result: unknown }
  | { readonly type: "error"; readonly id: number; readonly error: WireError }
  | { readonly type: "progress"; readonly id: number; readonly bytesDone: number; readonly bytesTotal: number }
  /** All events of one call since the last such message: one step makes one message per call. */
  | { readonly type: "events"; readonly id: number; readonly events: readonly WireEvent[] }
  | {
      readonly type: "pong";
      readonly sequence: number;
      readonly running: number;
      readonly waiting: number;
      /** Sequences that had to leave the KV cache for others so far. */
      readonly preemptions?: number;
      /** null before a model is loaded. */
      readonly residency: ResidencySummary | null;
    }
  | {
      readonly type: "log";
      readonly level: "debug" | "info" | "warn" | "error";
      readonly message: string;
      readonly fields?: Readonly<Record<string, string | number | boolean | null>>;
    };

/** A report without its groups: small enough for every heartbeat. */
export function toSummary({ groups: _, ...summary }: ResidencyReport): ResidencySummary {
  return summary;
}

const toWireLogprob = (value: number): number | null => (Number.isFinite(value) ? value : null);
const fromWireLogprob = (value: number | null): number => value ?? Number.NEGATIVE_INFINITY;

/** Prepares an event for JSON. Vectors travel as base64 of little-endian float32: exact, and short. */
export function toWireEvent(event: GenerateEvent): WireEvent {
  if (event.type === "embedding") return { ...event, values: toBase64(event.values) };
  if ((event.type !== "delta" && event.type !== "prompt") || event.logprobs === undefined) return event as WireEvent;
  const logprobs = event.logprobs.map((position) =>
    position === null
      ? null
      : {
          ...position,
          logprob: toWireLogprob(position.logprob),
          top: position.top.map((token) => ({ ...token, logprob: toWireLogprob(token.logprob) })),
        },
  );
  return { ...event, logprobs } as WireEvent;
}

/** The event as it was before `toWireEvent`. */
export function fromWireEvent(event: WireEvent): GenerateEvent {
  if (event.type === "embedding") return { ...event, values: new Float32Array(fromBase64(event.values).buffer) };
  if ((event.type !== "delta" && event.type !== "prompt") || event.logprobs === undefined)
    return event as GenerateEvent;
  const logprobs = event.logprobs.map((position) =>
    position === null
      ? null
      : {
          ...position,
          logprob: fromWireLogprob(position.logprob),
          top: position.top.map((token) => ({ ...token, logprob: fromWireLogprob(token.logprob) })),
        },
  );
  return { ...event, logprobs } as GenerateEvent;
}

/** An error for the wire; what was not expected says its own text, because the worker's log has no request id. */
export function toWireError(thrown: unknown): WireError {
  const error = toGatewayError(thrown);
  const { cause, ...details } = error.details;
  if (thrown instanceof GatewayError) return { code: error.code, message: error.message, details };
  const reason = cause instanceof Error ? cause.message : String(cause);
  return { code: "internal", message: `The worker failed: ${reason}`, details };
}

/** The error again. An unknown code (a worker of another build) becomes `internal`. */
export function fromWireError(error: WireError): GatewayError {
  const code = Object.hasOwn(ERROR_CODES, error.code) ? error.code : "internal";
  return new GatewayError(code, error.message, error.details);
}
