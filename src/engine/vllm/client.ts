/** HTTP calls to one vLLM server: bounded answers, errors that name the server, one repeat where that is safe. */
import { GatewayError } from "../../errors.ts";
import type { Exchange, ExchangeAnswer, ExchangeRequest, Fetch } from "../../ports.ts";
import { connectionError, connectionFault, statusError, tellsDeath } from "./faults.ts";

/** Largest answer that is read whole: a model list, token ids of a long prompt, prompt logprobs. Beyond it something is wrong. */
const ANSWER_LIMIT = 256 * 1024 * 1024;

/** Which server, how to reach it, and whom to tell that it is gone. */
export interface ClientOptions {
  /** Base URL without a trailing slash. */
  readonly url: string;
  readonly fetch: Fetch;
  /** Used for forwarded requests where it is there: cheaper than `fetch`. Plain HTTP only. */
  readonly exchange?: Exchange;
  readonly apiKey: string | undefined;
  /** Nobody listens there any more. */
  readonly onRefused: (reason: string) => void;
  /** The server says itself that its engine is dead or being shut down. */
  readonly onDeath: (reason: string) => void;
}

/** One call of ours (not a forwarded one). */
export interface CallInit {
  readonly method?: "GET" | "POST";
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Carried out at most once: over a connection of its own where the runtime allows, and never repeated. */
  readonly once?: boolean;
}

/** One server, spoken to over HTTP. */
export interface Client {
  readonly url: string;
  /**
   * As `fetch`, with failures turned into GatewayError; the answer is whatever came. `repeat`: once more after a reset,
   * for requests that may be carried out twice without harm.
   */
  send(target: string, init: RequestInit & { readonly signal: AbortSignal }, repeat: boolean): Promise<Response>;
  /** As `send`, over the `exchange` port; absent where that is. */
  readonly exchange?: (request: ExchangeRequest, signal: AbortSignal, repeat: boolean) => Promise<ExchangeAnswer>;
  /** A successful answer's body as JSON; undefined when empty. Throws GatewayError for any other status. */
  call(target: string, init: CallInit): Promise<unknown>;
  /** As `call`, with undefined for 404: the route does not exist there. */
  callIfThere(target: string, init: CallInit): Promise<{ readonly value: unknown } | undefined>;
  /** A successful answer's body as text, bounded. Throws GatewayError for any other status. */
  text(target: string, init: CallInit): Promise<string>;
  /** Status and text of any answer. Throws GatewayError only where there is none. */
  answer(target: string, init: CallInit): Promise<{ readonly status: number; readonly text: string }>;
  /** The answer, unread; throws GatewayError when the status is not a success. */
  open(target: string, init: CallInit): Promise<Response>;
  /** Tells whether the text of a 500 ends this server, and if so tells the owner. */
  notice(text: string): boolean;
}

/** Reads a body up to a limit; throws when there is more. */
export async function readText(response: Response, limit: number): Promise<string> {
  if (response.body === null) return "";
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  let text = "";
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    size += value.byteLength;
    if (size > limit) {
      await reader.cancel().catch(() => undefined);
      throw new GatewayError("upstream_failed", `An upstream answered with more than ${limit} bytes.`);
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** Creates the client of one server. */
export function createClient({ url, fetch, exchange, apiKey, onRefused, onDeath }: ClientOptions): Client {
  const authorization = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };

  function fail(signal: AbortSignal, thrown: unknown): never {
    if (signal.aborted) throw signal.reason;
    if (thrown instanceof GatewayError) throw thrown;
    const error = connectionError(url, thrown);
    if (connectionFault(thrown) === "refused") onRefused(error.message);
    throw error;
  }

  /**
   * uvicorn closes idle connections after 5 s, and a request may meet a connection that is just being closed.
   * No byte of an answer came, and what `repeat` is set for has no effect but its answer: once more is safe.
   */
  async function onceMore<T>(
    again: () => Promise<T>,
    signal: AbortSignal,
    repeat: boolean,
    thrown: unknown,
  ): Promise<T> {
    if (!repeat || signal.aborted || connectionFault(thrown) !== "reset") fail(signal, thrown);
    try {
      return await again();
    } catch (failed) {
      return fail(signal, failed);
    }
  }

  const client: Client = {
    url,
    send: (target, init, repeat) =>
      fetch(url + target, init).catch((thrown) =>
        // `keepalive: false` keeps Bun from taking another idle connection of the same age; elsewhere it does nothing.
        onceMore(() => fetch(url + target, { ...init, keepalive: false }), init.signal, repeat, thrown),
      ),
    ...(exchange === undefined
      ? {}
      : {
          exchange: (request, signal, repeat) =>
            exchange
              .send(url, request, signal)
              .catch((thrown) =>
                onceMore(() => exchange.send(url, { ...request, fresh: true }, signal), signal, repeat, thrown),
              ),
        }),
    notice(text) {
      const dead = tellsDeath(text);
      if (dead) onDeath(`its engine is dead: ${text.slice(0, 200)}`);
      return dead;
    },
    async open(target, init) {
      const response = await ask(target, init);
      if (response.ok) return response;
      return refuse(target, response.status, await readBody(response, init.signal));
    },
    async call(target, init) {
      const response = await ask(target, init);
      const text = await readBody(response, init.signal);
      return response.ok ? toJson(target, text) : refuse(target, response.status, text);
    },
    async text(target, init) {
      const response = await ask(target, init);
      const text = await readBody(response, init.signal);
      return response.ok ? text : refuse(target, response.status, text);
    },
    async answer(target, init) {
      const response = await ask(target, init);
      const text = await readBody(response, init.signal);
      if (response.status === 500) client.notice(text);
      return { status: response.status, text };
    },
    async callIfThere(target, init) {
      const response = await ask(target, init);
      const text = await readBody(response, init.signal);
      if (response.status === 404) return undefined;
      return response.ok ? { value: toJson(target, text) } : refuse(target, response.status, text);
    },
  };

  function ask(target: string, init: CallInit): Promise<Response> {
    const body = init.json === undefined ? null : JSON.stringify(init.json);
    const method = init.method ?? (body === null ? "GET" : "POST");
    const headers = new Headers({
      ...init.headers,
      ...authorization,
      "accept-encoding": "identity",
      ...(body === null ? {} : { "content-type": "application/json" }),
    });
    if (init.once !== true) return client.send(target, { method, headers, body, signal: init.signal }, true);
    return client.send(target, { method, headers, body, signal: init.signal, keepalive: false }, false);
  }

  function refuse(target: string, status: number, text: string): never {
    if (status === 500) client.notice(text);
    const [path = target] = target.split("?");
    throw statusError(url, path, status, text);
  }

  function toJson(target: string, text: string): unknown {
    if (text.trim() === "") return undefined;
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      throw new GatewayError("upstream_failed", `${target} of ${url} did not answer with JSON.`, { cause });
    }
  }

  async function readBody(response: Response, signal: AbortSignal): Promise<string> {
    try {
      return await readText(response, ANSWER_LIMIT);
    } catch (thrown) {
      if (thrown instanceof GatewayError) throw thrown;
      return fail(signal, thrown);
    }
  }

  return client;
}
