/**
 * The one error class that crosses rooms, the closed list of its codes, and the table that gives each code its
 * HTTP status, its OpenAI/vLLM `type` word and whether a repeat can help. Rendering per dialect: `http/problem.ts`.
 */

interface CodeFacts {
  readonly status: number;
  /** The `type` of an OpenAI-shaped error body, in vLLM's words. */
  readonly type: string;
  /** True when the very same request may succeed later. */
  readonly retryable: boolean;
}

const bad = { status: 400, type: "BadRequestError", retryable: false } as const;

/** Every code there is. The OpenAPI document lists them; adding one is an API change. */
export const ERROR_CODES = {
  malformed_json: bad,
  missing_field: bad,
  invalid_value: bad,
  unknown_field: bad,
  unsupported: bad,
  context_length_exceeded: bad,
  limit_exceeded: bad,
  weights_malformed: bad,
  weights_truncated: bad,
  weights_missing_tensor: bad,
  weights_unexpected_tensor: bad,
  weights_duplicate_tensor: bad,
  weights_dtype_mismatch: bad,
  weights_shape_mismatch: bad,
  weights_non_finite: bad,
  weights_digest_mismatch: bad,
  source_unreadable: bad,
  unauthorized: { status: 401, type: "AuthenticationError", retryable: false },
  forbidden: { status: 403, type: "PermissionDeniedError", retryable: false },
  not_found: { status: 404, type: "NotFoundError", retryable: false },
  model_not_found: { status: 404, type: "NotFoundError", retryable: false },
  method_not_allowed: { status: 405, type: "BadRequestError", retryable: false },
  conflict: { status: 409, type: "ConflictError", retryable: false },
  sync_in_progress: { status: 409, type: "ConflictError", retryable: true },
  insufficient_memory: { status: 409, type: "ConflictError", retryable: true },
  idempotency_conflict: { status: 409, type: "ConflictError", retryable: false },
  version_unavailable: { status: 412, type: "PreconditionFailedError", retryable: true },
  payload_too_large: { status: 413, type: "BadRequestError", retryable: false },
  unsupported_media_type: { status: 415, type: "BadRequestError", retryable: false },
  replica_failed: { status: 424, type: "FailedDependencyError", retryable: false },
  store_unavailable: { status: 424, type: "FailedDependencyError", retryable: true },
  sync_failed: { status: 424, type: "FailedDependencyError", retryable: false },
  too_many_requests: { status: 429, type: "RateLimitError", retryable: true },
  client_closed: { status: 499, type: "ClientClosedRequest", retryable: false },
  internal: { status: 500, type: "InternalServerError", retryable: false },
  upstream_failed: { status: 502, type: "BadGatewayError", retryable: true },
  no_replica: { status: 503, type: "ServiceUnavailableError", retryable: true },
  draining: { status: 503, type: "ServiceUnavailableError", retryable: true },
  deadline_exceeded: { status: 504, type: "DeadlineExceededError", retryable: true },
} as const satisfies Record<string, CodeFacts>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface ErrorDetails {
  /** The request field at fault, as the caller wrote it (`messages.0.role`). */
  readonly param?: string;
  /** The request is wrong by its form alone (types, missing fields): vLLM's schema refuses it before anything looks at it. */
  readonly malformed?: boolean;
  /** Which phase of a weight sync. */
  readonly phase?: string;
  readonly replica?: string;
  /** The tensor at fault. */
  readonly tensor?: string;
  /** What the upstream said, already cut to a bounded length. */
  readonly upstream?: string;
  /** Seconds after which a repeat makes sense (`Retry-After`). */
  readonly retryAfter?: number;
  /** How much memory more would have been enough. */
  readonly missingBytes?: number;
  readonly cause?: unknown;
}

/**
 * An expected failure. `message` names field, value and what is accepted; it never holds a secret or a stack.
 *
 * @example
 * ```ts
 * import { GatewayError } from "./errors.ts";
 * const error = new GatewayError("sync_in_progress", "Sync ws_1 is running. Wait for it or DELETE it.");
 * if (error.status !== 409 || !error.retryable) throw new Error("table changed");
 * ```
 */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly code: ErrorCode;
  readonly status: number;
  readonly retryable: boolean;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.status = ERROR_CODES[code].status;
    this.retryable = ERROR_CODES[code].retryable;
    this.details = details;
  }

  /** The OpenAI/vLLM `type` word. */
  get type(): string {
    return ERROR_CODES[this.code].type;
  }
}

/** Long values are cut: an error message is read by a person. */
const SHOWN_VALUE_LIMIT = 80;

/** Shows a value as JSON, bounded. */
export function showValue(value: unknown): string {
  let text: string;
  try {
    text = JSON.stringify(value) ?? String(value);
  } catch {
    text = String(value);
  }
  return text.length > SHOWN_VALUE_LIMIT ? `${text.slice(0, SHOWN_VALUE_LIMIT)}…` : text;
}

/**
 * The standard refusal of one field: what it is called, what was sent, what is accepted.
 *
 * @example
 * ```ts
 * import { invalidValue } from "./errors.ts";
 * const error = invalidValue("temperature", -1, "a number from 0 to 2");
 * if (error.message !== "temperature must be a number from 0 to 2, got -1.") throw error;
 * ```
 */
export function invalidValue(param: string, value: unknown, accepted: string): GatewayError {
  return new GatewayError("invalid_value", `${param} must be ${accepted}, got ${showValue(value)}.`, { param });
}

/** As `invalidValue`, of a value whose type is wrong: see `ErrorDetails.malformed`. */
export function malformedValue(param: string, value: unknown, accepted: string): GatewayError {
  const { code, message, details } = invalidValue(param, value, accepted);
  return new GatewayError(code, message, { ...details, malformed: true });
}

/** Turns anything thrown into a GatewayError; what was not expected becomes `internal` and keeps its cause for the log. */
export function toGatewayError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  return new GatewayError("internal", "An unexpected error occurred; the log has it under this request id.", {
    cause: thrown,
  });
}
