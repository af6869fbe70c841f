/** One held-open generation lease: opens it, watches it, renews it, gives it back. The connection is part of the lease. */
import type { GenerationLease } from "../contract/control/generation-leases.ts";
import { ConnectionError, ServerError } from "./errors.ts";
import { type Connection, readProblem, sendJson } from "./http.ts";
import { RESETTING } from "./retry.ts";
import { sleep } from "./sleep.ts";

export interface HeldLease {
  /** As it was granted. */
  readonly lease: GenerationLease;
  /** Aborts when it ended without our doing; the reason says why. */
  readonly signal: AbortSignal;
  /** Idempotent. Resolves when the gateway gave the groups back, or when it cannot be asked any more. */
  release(): Promise<void>;
}

/** A release is tried this long; then the connection is cut, which releases as well. */
const RELEASE_SECONDS = 30;
/** The longest that a gateway takes. */
const LONGEST_SECONDS = "86400";
/** One event is some hundred bytes; a server that sends more without an end of it is none of ours. */
const EVENT_LIMIT = 2 ** 20;

/** Every `data:` of an event stream, parsed. */
async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<{ readonly lease: GenerationLease }> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of body) {
    text += decoder.decode(piece, { stream: true });
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const data = text.slice(0, end).match(/^data: (.*)$/m)?.[1];
      text = text.slice(end + 2);
      if (data !== undefined) yield JSON.parse(data);
    }
    if (text.length > EVENT_LIMIT) throw new Error("an event without an end");
  }
}

/** The answer is a stream, and the connection is not shared: no repeats, which would open a second lease. */
async function ask(connection: Connection, url: string, request: object, signal: AbortSignal): Promise<Response> {
  const headers = new Headers({
    "content-type": "application/json",
    accept: "text/event-stream, application/json",
    // The answer is open as long as the lease is held; the default would end it with the gateway's usual deadline.
    "x-request-timeout": LONGEST_SECONDS,
  });
  if (connection.apiKey !== undefined) headers.set("authorization", `Bearer ${connection.apiKey}`);
  const body = JSON.stringify({ ...request, stream: true });
  try {
    return await connection.fetch(url, { method: "POST", headers, body, signal });
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ConnectionError(url, `No answer from ${url}: ${why}`, cause);
  }
}

/**
 * Opens a lease and keeps it: `request.ttl_s` is renewed at half its time, for as long as the connection lives.
 *
 * @param signal - Until the lease is granted: ends the attempt. Afterwards the caller releases.
 * @throws ServerError with the gateway's own sentence, ConnectionError, or the signal's reason.
 */
export async function openLease(
  connection: Connection,
  request: Readonly<Record<string, unknown>> & { readonly ttl_s: number },
  signal: AbortSignal,
): Promise<HeldLease> {
  const path = "/api/generation-leases";
  const url = `${connection.baseUrl}${path}`;
  const life = new AbortController();
  const ended = new AbortController();
  const response = await ask(connection, url, request, AbortSignal.any([signal, life.signal]));
  if (response.status >= 400 || response.body === null) {
    const { message, code } = readProblem(await response.text());
    throw new ServerError(url, response.status, `${response.status} from ${url}: ${message}`, code);
  }
  const events = readEvents(response.body);
  let lease: GenerationLease;
  try {
    const first = await events.next();
    if (first.done === true) throw new ServerError(url, 200, `${url} ended before it granted a lease.`);
    ({ lease } = first.value);
    signal.throwIfAborted();
  } catch (error) {
    // Whatever was granted ends with its connection.
    life.abort();
    if (signal.aborted) throw signal.reason;
    throw error;
  }
  const own = `${path}/${lease.id}`;
  let releasing: Promise<void> | undefined;

  const watch = async (): Promise<string> => {
    try {
      for await (const { lease: now } of events) {
        if (now.state !== "active") return `${now.state}${now.reason === null ? "" : `: ${now.reason}`}`;
      }
      return "the connection ended";
    } catch (error) {
      return `the connection broke: ${error instanceof Error ? error.message : String(error)}`;
    }
  };
  const renew = async (): Promise<void> => {
    const ttl = request.ttl_s;
    while (!life.signal.aborted && !ended.signal.aborted) {
      await sleep((ttl * 1000) / 2, life.signal).catch(() => undefined);
      if (life.signal.aborted || ended.signal.aborted) return;
      // A renewal that fails is tried again at the next half: if that fails too, the lease has expired and says so.
      await sendJson(connection, own, {
        method: "PATCH",
        json: { ttl_s: ttl },
        seconds: ttl / 2,
        signal: life.signal,
      }).catch(() => undefined);
    }
  };
  void watch().then((why) => {
    if (releasing === undefined)
      ended.abort(new ServerError(url, 410, `Lease ${lease.id} has ended (${why}).`, "conflict"));
    life.abort();
  });
  void renew();

  const release = async (): Promise<void> => {
    try {
      // Deleting what has ended is fine; one that cannot be asked loses the connection, and with it the lease.
      await sendJson(connection, own, { method: "DELETE", seconds: RELEASE_SECONDS, retry: [RESETTING] });
    } catch {
      // Nothing to tell: every way from here gives the groups back.
    } finally {
      life.abort();
    }
  };
  return { lease, signal: ended.signal, release: () => (releasing ??= release()) };
}
