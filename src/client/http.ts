/** One HTTP call of the client library: base URL, key, deadline, and failures turned into its error classes. */
import { ConnectionError, ServerError } from "./errors.ts";

export interface Connection {
  /** Without a trailing slash. */
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  readonly fetch: typeof globalThis.fetch;
}

export interface CallInit {
  readonly method: "GET" | "POST";
  readonly body?: BodyInit;
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends the call. The caller owns the deadline. */
  readonly signal: AbortSignal;
}

/** Joins the caller's signal with a deadline in milliseconds. */
export function withDeadline(signal: AbortSignal | undefined, milliseconds: number): AbortSignal {
  const deadline = AbortSignal.timeout(milliseconds);
  return signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
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

/** Sends; rejects with ConnectionError when there is no answer, with the signal's reason when that aborted. */
export async function send(connection: Connection, path: string, init: CallInit): Promise<Response> {
  const url = `${connection.baseUrl}${path}`;
  const headers = new Headers(init.headers);
  if (connection.apiKey !== undefined) headers.set("authorization", `Bearer ${connection.apiKey}`);
  const request: RequestInit & { duplex?: "half" } = { method: init.method, headers, signal: init.signal };
  if (init.body !== undefined) {
    request.body = init.body;
    if (init.body instanceof ReadableStream) request.duplex = "half";
  }
  try {
    return await connection.fetch(url, request);
  } catch (cause) {
    if (init.signal.aborted) throw init.signal.reason;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ConnectionError(url, `No answer from ${url}: ${why}`, cause);
  }
}

/** Like `send`, and a status of 400 and above is a ServerError with the server's own sentence. */
export async function sendJson(
  connection: Connection,
  path: string,
  init: CallInit,
): Promise<{ json: unknown; response: Response }> {
  const response = await send(connection, path, init);
  const text = await response.text();
  const url = `${connection.baseUrl}${path}`;
  if (response.status >= 400) {
    const problem = readProblem(text);
    throw new ServerError(url, response.status, `${response.status} from ${url}: ${problem.message}`, problem.code);
  }
  try {
    return { json: JSON.parse(text), response };
  } catch {
    throw new ServerError(url, response.status, `${url} answered ${response.status} with a body that is not JSON.`);
  }
}
