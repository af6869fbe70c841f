/** HTTP calls of a communicator: never repeated, since none of them may be done twice; ended by a signal only. */
import { ConnectionError, ServerError } from "./errors.ts";

/** Where the servers are. */
export interface Peer {
  /** Without a trailing slash. */
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  readonly fetch: typeof globalThis.fetch;
}

/** An answer below 400, read to its end. */
export interface PeerAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** undefined when the body is empty or no JSON. */
  readonly json: unknown;
}

/** Error bodies are read by people: more than this is never shown. */
const SHOWN_LIMIT = 2000;

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Joins the caller's signal with a deadline in milliseconds. */
export function bounded(signal: AbortSignal | undefined, milliseconds: number): AbortSignal {
  const deadline = AbortSignal.timeout(milliseconds);
  return signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
}

/**
 * GET, or POST when there is a `body` (null = an empty one).
 *
 * @throws ServerError with the server's own sentence and code, ConnectionError, or the signal's reason.
 */
export async function ask(
  peer: Peer,
  path: string,
  { body, signal }: { readonly body?: unknown; readonly signal: AbortSignal },
): Promise<PeerAnswer> {
  const url = `${peer.baseUrl}${path}`;
  const headers = new Headers();
  if (peer.apiKey !== undefined) headers.set("authorization", `Bearer ${peer.apiKey}`);
  const init: RequestInit = { method: body === undefined ? "GET" : "POST", headers, signal, redirect: "manual" };
  if (body !== undefined && body !== null) {
    headers.set("content-type", "application/json");
    init.body = JSON.stringify(body);
  }
  let response: Response;
  let text: string;
  try {
    response = await peer.fetch(url, init);
    text = await response.text();
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw new ConnectionError(url, `No answer from ${url}: ${cause instanceof Error ? cause.message : cause}`, cause);
  }
  const json = parse(text);
  if (response.status < 300) return { status: response.status, headers: response.headers, json };
  const outer = isRecord(json) ? json : {};
  const inner = isRecord(outer.error) ? outer.error : outer;
  const message = inner.message ?? inner.detail ?? outer.error ?? text.slice(0, SHOWN_LIMIT);
  const shown = typeof message === "string" ? message : JSON.stringify(message);
  const code = typeof inner.code === "string" ? inner.code : null;
  throw new ServerError(url, response.status, `${response.status} from ${url}: ${shown}`, code);
}
