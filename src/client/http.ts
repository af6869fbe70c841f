/** One HTTP call of the client library: base URL, key, deadline, repeats with a reason, and failures as error classes. */
import { ConnectionError, ServerError } from "./errors.ts";
import { parseLenientJson } from "./lenient-json.ts";
import { type Failure, nextTry, type RetryEvent, type RetryRule, toFailure } from "./retry.ts";
import { sleep } from "./sleep.ts";

export interface Connection {
  /** Without a trailing slash. */
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  readonly fetch: typeof globalThis.fetch;
  /** Repeats of one call at most. */
  readonly retries: number;
  readonly onRetry: ((event: RetryEvent) => void) | undefined;
}

export interface CallInit {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. A stream can be sent only once. */
  readonly body?: BodyInit;
  readonly headers?: Readonly<Record<string, string>>;
  /** Deadline of the call with all its repeats. Left out: `signal` holds one. */
  readonly seconds?: number;
  /** The caller's own: when it aborts, the call rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Beyond "no connection came about", which always holds. Default: none. */
  readonly retry?: readonly RetryRule[];
}

/** An answer, read to its end. */
export interface Answer {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

/** Error bodies are read by people: more than this is never shown. */
const SHOWN_BODY_LIMIT = 2000;

/** The sentence and the code in whichever error body a dialect has. */
export function readProblem(text: string): {
  message: string;
  code: string | null;
  body: Record<string, unknown> | null;
} {
  try {
    const body: unknown = JSON.parse(text);
    if (isRecord(body)) {
      const inner = isRecord(body.error) ? body.error : body;
      const message = inner.message ?? inner.detail ?? body.error ?? text;
      const shown = typeof message === "string" ? message : JSON.stringify(message);
      return { message: shown, code: typeof inner.code === "string" ? inner.code : null, body };
    }
  } catch {
    // Not JSON: the text itself is the message.
  }
  return { message: text.slice(0, SHOWN_BODY_LIMIT), code: null, body: null };
}

/** Joins the caller's signal with a deadline in milliseconds. */
export function withDeadline(signal: AbortSignal | undefined, milliseconds: number): AbortSignal {
  const deadline = AbortSignal.timeout(milliseconds);
  return signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
}

/** The ServerError that an answer of status 400 or above stands for. */
export function toServerError({ url, status, text }: Answer): ServerError {
  const { message, code } = readProblem(text);
  return new ServerError(url, status, `${status} from ${url}: ${message}`, code);
}

/** Seconds of `Retry-After`; null without, and for a date. */
function retryAfter(headers: Headers): number | null {
  const seconds = Number(headers.get("retry-after") ?? "none");
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
}

async function once(connection: Connection, url: string, init: CallInit, signal: AbortSignal): Promise<Answer> {
  const headers = new Headers(init.headers);
  if (connection.apiKey !== undefined) headers.set("authorization", `Bearer ${connection.apiKey}`);
  const request: RequestInit & { duplex?: "half" } = { method: init.method, headers, signal };
  if (init.json !== undefined) {
    headers.set("content-type", "application/json");
    request.body = JSON.stringify(init.json);
  } else if (init.body !== undefined) {
    request.body = init.body;
    if (init.body instanceof ReadableStream) request.duplex = "half";
  }
  const response = await connection.fetch(url, request);
  return { url, status: response.status, headers: response.headers, text: await response.text() };
}

/** Timers hold 31 bits of milliseconds: 24 days. */
const TIMER_LIMIT = 2 ** 31 - 1;

/** A deadline that is given back: `AbortSignal.timeout` would keep its timer for an hour after the answer. */
function startDeadline(seconds: number | undefined): { readonly signal: AbortSignal; end(): void } {
  const controller = new AbortController();
  if (seconds === undefined) return { signal: controller.signal, end: () => undefined };
  const timer = setTimeout(() => controller.abort(), Math.min(seconds * 1000, TIMER_LIMIT));
  return { signal: controller.signal, end: () => clearTimeout(timer) };
}

/**
 * Sends, and sends again where a rule says why that is safe. Resolves with whatever the server answered at last.
 *
 * @throws ConnectionError without an answer, also at the deadline; the reason of `init.signal` when that aborted.
 */
export async function send(connection: Connection, path: string, init: CallInit): Promise<Answer> {
  const deadline = startDeadline(init.seconds);
  try {
    return await sendUntil(connection, `${connection.baseUrl}${path}`, init, deadline.signal);
  } finally {
    deadline.end();
  }
}

async function sendUntil(connection: Connection, url: string, init: CallInit, deadline: AbortSignal): Promise<Answer> {
  init.signal?.throwIfAborted();
  const signal = init.signal === undefined ? deadline : AbortSignal.any([init.signal, deadline]);
  const rules = init.retry ?? [];
  const repeatable = !(init.body instanceof ReadableStream);
  let last = "";
  for (let attempt = 2; ; attempt += 1) {
    let failure: Failure;
    let end: () => Answer;
    try {
      const answer = await once(connection, url, init, signal);
      if (answer.status < 400) return answer;
      const { status, headers } = answer;
      failure = { kind: "refused", message: `status ${status}`, status, retryAfter: retryAfter(headers) };
      end = () => answer;
    } catch (cause) {
      if (init.signal?.aborted === true) throw init.signal.reason;
      if (deadline.aborted) throw late(url, init.seconds, last, cause);
      failure = toFailure(cause);
      const { message } = failure;
      end = () => {
        throw new ConnectionError(url, `No answer from ${url}: ${message}`, cause);
      };
    }
    last = failure.message;
    const next = repeatable && attempt - 2 < connection.retries ? nextTry(rules, failure, attempt) : null;
    if (next === null) return end();
    connection.onRetry?.({ method: init.method, url, attempt, failure: failure.message, ...next });
    try {
      await sleep(next.delaySeconds * 1000, signal);
    } catch (cause) {
      if (init.signal?.aborted === true) throw init.signal.reason;
      throw late(url, init.seconds, last, cause);
    }
  }
}

const late = (url: string, seconds: number | undefined, last: string, cause: unknown): ConnectionError =>
  new ConnectionError(
    url,
    `No answer from ${url} within ${seconds} s${last === "" ? "" : ` (before: ${last})`}.`,
    cause,
  );

/** The JSON of an answer of status below 400. Throws ServerError with the server's own sentence, or when it is no JSON. */
export function toJson(answer: Answer): unknown {
  if (answer.status >= 400) throw toServerError(answer);
  try {
    return parseLenientJson(answer.text);
  } catch {
    const { url, status } = answer;
    throw new ServerError(url, status, `${url} answered ${status} with a body that is not JSON.`);
  }
}

/** `send` and `toJson` in one. */
export async function sendJson(
  connection: Connection,
  path: string,
  init: CallInit,
): Promise<{ json: unknown; answer: Answer }> {
  const answer = await send(connection, path, init);
  return { json: toJson(answer), answer };
}
