/**
 * What becomes of an upstream's answer on its way through: short bodies are read whole (cheaper than any stream, and a
 * body that breaks off can still be asked for elsewhere), long ones and event streams are passed on chunk by chunk,
 * unmerged. Whatever ends the body ends the lease.
 */
import { GatewayError, toGatewayError } from "../errors.ts";
import type { Lease } from "../fleet/types.ts";
import type { Clock } from "../ports.ts";

/** Bodies with a stated length up to this are read whole. 4 MiB: the logprobs of some 40,000 tokens. */
const WHOLE_BODY_LIMIT = 4 * 1024 * 1024;

/** Statuses that carry no body; giving one to `Response` throws. */
const BODILESS = new Set([101, 204, 205, 304]);

interface Watched {
  lastChunk: number;
  readonly expire: () => void;
}

/** Ends streams on which an upstream has fallen silent. One timer for all of them: a timer per chunk costs more than the chunk. */
export interface StreamWatch {
  add(expire: () => void): { touch(): void; end(): void };
  readonly active: number;
}

/** Creates the watch; `idleMilliseconds` is the longest silence, checked about ten times in that time. */
export function createStreamWatch(clock: Clock, idleMilliseconds: number): StreamWatch {
  const watched = new Set<Watched>();
  const interval = Math.max(50, idleMilliseconds / 10);
  let ticking = false;
  const tick = (): void => {
    const now = clock.monotonic();
    for (const stream of watched) {
      if (now - stream.lastChunk > idleMilliseconds) {
        watched.delete(stream);
        stream.expire();
      }
    }
    ticking = watched.size > 0;
    if (ticking) clock.timer(interval, tick);
  };
  return {
    get active() {
      return watched.size;
    },
    add(expire) {
      const stream: Watched = { lastChunk: clock.monotonic(), expire };
      watched.add(stream);
      if (!ticking) {
        ticking = true;
        clock.timer(interval, tick);
      }
      return {
        touch() {
          stream.lastChunk = clock.monotonic();
        },
        end() {
          watched.delete(stream);
        },
      };
    },
  };
}

const broken = (lease: Lease, cause: unknown): GatewayError =>
  new GatewayError(
    "upstream_failed",
    `Replica ${lease.replica.id} broke off its answer: ${cause instanceof Error ? cause.message : String(cause)}`,
    {
      replica: lease.replica.id,
      cause,
    },
  );

/** Takes over the lease: it is released when the body has been passed on, broke off, or was given up by the client. */
export async function finishForward(
  response: Response,
  lease: Lease,
  signal: AbortSignal,
  streams: StreamWatch,
): Promise<Response> {
  const { status, headers } = response;
  if (response.body === null || BODILESS.has(status)) {
    lease.release("ok");
    return new Response(null, { status, headers });
  }
  const length = headers.get("content-length");
  if (length !== null && Number(length) <= WHOLE_BODY_LIMIT) {
    let bytes: ArrayBuffer;
    try {
      bytes = await response.arrayBuffer();
    } catch (cause) {
      throw signal.aborted ? toGatewayError(signal.reason) : broken(lease, cause);
    }
    // fetch rejects a short body on most runtimes, not on all.
    if (bytes.byteLength !== Number(length)) throw broken(lease, `${bytes.byteLength} of ${length} bytes came`);
    lease.release(status >= 500 ? "failed" : "ok");
    return new Response(bytes, { status, headers });
  }
  const stream = await passOn(response.body, lease, signal, streams, isEventStream(headers) ? toErrorEvent : null);
  return new Response(stream, { status, headers });
}

const isEventStream = (headers: Headers): boolean =>
  headers.get("content-type")?.startsWith("text/event-stream") === true;

/** How vLLM ends a stream that failed after its head. The leading blank line closes an event that was cut in two. */
function toErrorEvent(error: GatewayError): Uint8Array {
  const body = { error: { message: error.message, type: error.type, param: null, code: error.status } };
  return new TextEncoder().encode(`\n\ndata: ${JSON.stringify(body)}\n\ndata: [DONE]\n\n`);
}

/** Reads the first chunk before it answers, so that a stream which dies before it began can be moved. */
async function passOn(
  body: ReadableStream<Uint8Array>,
  lease: Lease,
  signal: AbortSignal,
  streams: StreamWatch,
  lastWords: ((error: GatewayError) => Uint8Array) | null,
): Promise<ReadableStream<Uint8Array>> {
  const reader = body.getReader();
  let expired = false;
  const watch = streams.add(() => {
    expired = true;
    void reader.cancel("silent for too long").catch(() => undefined);
  });
  const onAbort = (): void => void reader.cancel(signal.reason).catch(() => undefined);
  const finish = (outcome: "ok" | "failed"): void => {
    watch.end();
    signal.removeEventListener("abort", onAbort);
    lease.release(outcome);
  };
  const read = async (): Promise<Uint8Array | undefined> => {
    try {
      const next = await reader.read();
      if (!next.done) {
        watch.touch();
        return next.value;
      }
    } catch (cause) {
      finish(signal.aborted ? "ok" : "failed");
      throw signal.aborted ? toGatewayError(signal.reason) : broken(lease, cause);
    }
    finish(expired ? "failed" : "ok");
    if (signal.aborted) throw toGatewayError(signal.reason);
    if (expired) throw broken(lease, "no data within the idle limit of streams (--stream-idle-timeout)");
    return undefined;
  };
  signal.addEventListener("abort", onAbort, { once: true });
  let first = await read();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const chunk = first ?? (await read());
          first = undefined;
          if (chunk === undefined) controller.close();
          else controller.enqueue(chunk);
        } catch (error) {
          if (lastWords === null) return controller.error(error);
          controller.enqueue(lastWords(toGatewayError(error)));
          controller.close();
        }
      },
      async cancel(reason) {
        finish("ok");
        await reader.cancel(reason).catch(() => undefined);
      },
    },
    { highWaterMark: 0 },
  );
}
