/**
 * Which calls may be sent again, and why that is safe. A call names its rules; without one it is sent once. A rule that
 * gives no reason does not exist: repeating a stateful call of unknown outcome can load weights twice or half.
 */

/** What came of one try. */
export type Failure =
  /** No connection came about: not a byte of the request was taken. */
  | { readonly kind: "unreached"; readonly message: string }
  /** The connection ended before the answer did; what the server did is unknown. */
  | { readonly kind: "lost"; readonly message: string }
  /** An answer of status 400 or above. */
  | { readonly kind: "refused"; readonly message: string; readonly status: number; readonly retryAfter: number | null };

export interface RetryRule {
  /** Why a repeat does no harm; told to `onRetry`. */
  readonly reason: string;
  readonly applies: (failure: Failure) => boolean;
}

/** What `onRetry` is told before each repeat. */
export interface RetryEvent {
  readonly method: string;
  readonly url: string;
  /** The try that comes now; the first repeat is 2. */
  readonly attempt: number;
  readonly delaySeconds: number;
  /** What went wrong. */
  readonly failure: string;
  /** Why a repeat is safe. */
  readonly reason: string;
}

/** Statuses of a server, or of a proxy before it, that could not serve just now. 500 is not one: it would fail again. */
const BUSY: ReadonlySet<number> = new Set([429, 502, 503]);

const isBusy = (failure: Failure): boolean => failure.kind === "refused" && BUSY.has(failure.status);

/** Holds for every call, stateful ones included. */
export const NOT_REACHED: RetryRule = {
  reason: "no connection came about, so the server has seen nothing of the request",
  applies: ({ kind }) => kind === "unreached",
};

export const READING: RetryRule = {
  reason: "reading changes nothing on the server",
  applies: (failure) => failure.kind === "lost" || isBusy(failure),
};

export const SAMPLING: RetryRule = {
  reason: "sampling changes nothing on the server, and nobody has seen the samples that were lost",
  applies: (failure) => failure.kind === "lost" || isBusy(failure),
};

export const RESETTING: RetryRule = {
  reason: "what is reset or closed twice is as if once",
  applies: (failure) => failure.kind === "lost" || isBusy(failure),
};

/** Only for Tidegate, and only when the body can be sent again. */
export const KEYED: RetryRule = {
  reason: "the request carries an Idempotency-Key: the gateway answers a repeat with the sync that it started first",
  applies: ({ kind }) => kind === "lost",
};

/** A second that doubles: 0.5, 1, 2, … */
const FIRST_DELAY_SECONDS = 0.5;
/** A server that asks for more patience than this is told to the caller instead. */
const RETRY_AFTER_LIMIT_SECONDS = 60;

/** How long to wait before try number `attempt`, and why it may be made; null when the failure is final. */
export function nextTry(
  rules: readonly RetryRule[],
  failure: Failure,
  attempt: number,
): { readonly delaySeconds: number; readonly reason: string } | null {
  const rule = [NOT_REACHED, ...rules].find(({ applies }) => applies(failure));
  if (rule === undefined) return null;
  const asked = failure.kind === "refused" ? failure.retryAfter : null;
  if (asked !== null && asked > RETRY_AFTER_LIMIT_SECONDS) return null;
  return { delaySeconds: asked ?? FIRST_DELAY_SECONDS * 2 ** (attempt - 2), reason: rule.reason };
}

/** Names by which Node, Bun and Deno say that no connection came about. */
const UNREACHED =
  /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|ConnectionRefused|FailedToOpenSocket|Connection refused|\(Connect\)|dns error/;

/** Every code and message of an error, of its causes, and of the errors that it gathers. */
function* texts(error: unknown, depth = 0): Iterable<string> {
  if (!(error instanceof Error) || depth > 4) return;
  if ("code" in error && typeof error.code === "string") yield error.code;
  yield error.message;
  if (error instanceof AggregateError) for (const one of error.errors) yield* texts(one, depth + 1);
  yield* texts(error.cause, depth + 1);
}

/** What a rejected `fetch` means. When in doubt the request counts as sent. */
export function toFailure(error: unknown): Failure {
  const all = [...texts(error)];
  const unreached = all.some((text) => UNREACHED.test(text));
  // The innermost cause says most: Node's own message is only "fetch failed".
  const message = all.at(-1) ?? String(error);
  return { kind: unreached ? "unreached" : "lost", message: message === "" ? (all[0] ?? "no reason given") : message };
}
