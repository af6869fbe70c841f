/**
 * The `Fetch` port on Node. Node's own `fetch` gives up after 300 s without headers, always decompresses and keeps
 * idle sockets as long as the server says; undici's `request` does what it is told.
 */
import type { Readable } from "node:stream";
import { Agent, type Dispatcher, request } from "undici";
import type { Fetch } from "../../ports.ts";
import { identityUnlessAsked } from "./encoding.ts";

/** uvicorn closes idle sockets after 5 s; ours must go first, or a request meets a socket that is just being closed. */
const IDLE_SOCKET_MILLISECONDS = 4000;

/** Statuses whose `Response` must have no body. */
const BODILESS = new Set([101, 204, 205, 304]);

/** Bytes read ahead of the reader; then the upstream has to wait. */
const READ_AHEAD = 256 * 1024;

/**
 * The body at the reader's pace. What arrived before an upstream broke off is handed on first: a stream of Node's own
 * forgets it. Cancelling destroys the socket.
 */
function toStream(body: Readable): ReadableStream<Uint8Array> {
  const arrived: Uint8Array[] = [];
  let bytes = 0;
  let ended = false;
  let failure: Error | undefined;
  let wake = (): void => {};
  body.on("data", (chunk: Uint8Array) => {
    arrived.push(chunk);
    bytes += chunk.byteLength;
    if (bytes >= READ_AHEAD) body.pause();
    wake();
  });
  body.on("end", () => {
    ended = true;
    wake();
  });
  // Told also when nobody reads any more; without a listener it would be fatal.
  body.on("error", (error) => {
    failure = error;
    wake();
  });
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        while (arrived.length === 0 && !ended && failure === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        const chunk = arrived.shift();
        if (chunk !== undefined) {
          bytes -= chunk.byteLength;
          if (bytes < READ_AHEAD && body.isPaused()) body.resume();
          controller.enqueue(chunk);
        } else if (failure !== undefined) controller.error(failure);
        else controller.close();
      },
      cancel: (reason) => void body.destroy(reason instanceof Error ? reason : undefined),
    },
    { highWaterMark: 0 },
  );
}

/** Creates the port with a connection pool of its own. */
export function createUndiciFetch(): Fetch {
  const dispatcher = new Agent({
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: IDLE_SOCKET_MILLISECONDS,
    keepAliveMaxTimeout: IDLE_SOCKET_MILLISECONDS,
    // No limit of sockets for one upstream: the gateway's own limits decide how much runs at a time.
    connections: null,
    pipelining: 1,
  });
  return async (url, init) => {
    const sent: Record<string, string> = {};
    // `forEach`, since the server adapter's headers cannot be iterated on Node 22.
    new Headers(identityUnlessAsked(init).headers).forEach((value, name) => {
      sent[name] = value;
    });
    const answer = await request(url, {
      dispatcher,
      method: (init.method ?? "GET") as Dispatcher.HttpMethod,
      headers: sent,
      body: (init.body ?? null) as Dispatcher.DispatchOptions["body"],
      ...(init.signal ? { signal: init.signal } : {}),
    } as Parameters<typeof request<null>>[1]);
    const received = new Headers();
    for (const [name, value] of Object.entries(answer.headers)) {
      if (value === undefined) continue;
      for (const one of Array.isArray(value) ? value : [value]) received.append(name, one);
    }
    const bodiless = BODILESS.has(answer.statusCode) || init.method === "HEAD";
    if (bodiless) await answer.body.dump();
    const body = bodiless ? null : toStream(answer.body);
    return new Response(body, { status: answer.statusCode, statusText: answer.statusText, headers: received });
  };
}
