/**
 * What becomes of an upstream's answer on its way through. Short bodies are read whole: cheaper than any stream, and a
 * body that breaks off can still be asked for elsewhere. Long ones of a stated length are complete upstream when their
 * head is sent; the runtime hands them on natively and the lease ends with the head. Event streams, and bodies of
 * unknown length, are passed on chunk by chunk, unmerged, and the lease ends with them.
 */
import { GatewayError, toGatewayError } from "../errors.ts";
import type { Lease } from "../fleet/types.ts";
import type { Clock } from "../ports.ts";

/** Bodies with a stated length up to this are read whole; beyond it reading costs more than handing the body on. */
const WHOLE_BODY_LIMIT = 64 * 1024;

/** Statuses that carry no body; giving one to `Response` throws. */
const BODILESS = new Set([101, 204, 205, 304]);

interface Watched {
  /** Set by every chunk, cleared by every look: cheaper than a time per chunk. */
  alive: boolean;
  lastSeen: number;
  readonly expire: () => void;
}

/** Ends streams on which an upstream has fallen silent. One timer for all of them: a timer per chunk costs more than the chunk. */
export interface StreamWatch {
  add(expire: () => void): { alive: boolean; end(): void };
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
      if (stream.alive) {
        stream.alive = false;
        stream.lastSeen = now;
      } else if (now - stream.lastSeen > idleMilliseconds) {
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
      const stream = {
        alive: true,
        lastSeen: clock.monotonic(),
        expire,
        end: (): void => void watched.delete(stream),
      };
      watched.add(stream);
      if (!ticking) {
        ticking = true;
        clock.timer(interval, tick);
      }
      return stream;
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
export function finishForward(
  response: Response,
  lease: Lease,
  signal: AbortSignal,
  streams: StreamWatch,
): Promise<Response> | Response {
  const { status, headers } = response;
  // `response.body` is not looked at before it must be: asking for it turns a native hand-over into a stream.
  if (BODILESS.has(status)) {
    lease.release("ok");
    return new Response(null, { status, headers });
  }
  const length = headers.get("content-length");
  if (length !== null && Number(length) <= WHOLE_BODY_LIMIT) {
    return response.arrayBuffer().then(
      (bytes) => {
        // fetch rejects a short body on most runtimes, not on all.
        if (bytes.byteLength !== Number(length)) throw broken(lease, `${bytes.byteLength} of ${length} bytes came`);
        lease.release(status >= 500 ? "failed" : "ok");
        return new Response(bytes, { status, headers });
      },
      (cause: unknown) => {
        throw signal.aborted ? toGatewayError(signal.reason) : broken(lease, cause);
      },
    );
  }
  if (length !== null && !isEventStream(headers)) {
    lease.release(status >= 500 ? "failed" : "ok");
    return response;
  }
  if (response.body === null) {
    lease.release("ok");
    return response;
  }
  return passOn(response.body, lease, signal, streams, isEventStream(headers) ? toErrorEvent : null).then(
    (stream) => new Response(stream, { status, headers }),
  );
}

const isEventStream = (headers: Headers): boolean =>
  headers.get("content-type")?.startsWith("text/event-stream") === true;

/** How vLLM ends a stream that failed after its head. The leading blank line closes an event that was cut in two. */
function toErrorEvent(error: GatewayError): Uint8Array {
  const body = { error: { message: error.message, type: error.type, param: null, code: error.status } };
  return new TextEncoder().encode(`\n\ndata: ${JSON.stringify(body)}\n\ndata: [DONE]\n\n`);
}

/**
 * Reads the first chunk before it answers, so that a stream which dies before it began can be moved. The rest goes
 * chunk by chunk, one promise each: this runs for every token of every stream.
 */
async function passOn(
  body: ReadableStream<Uint8Array>,
  lease: Lease,
  signal: AbortSignal,
  streams: StreamWatch,
  lastWords: ((error: GatewayError) => Uint8Array) | null,
): Promise<ReadableStream<Uint8Array>> {
  const reader = body.getReader();
  type Read = Awaited<ReturnType<typeof reader.read>>;
  let expired = false;
  const watched = streams.add(() => {
    expired = true;
    void reader.cancel("silent for too long").catch(() => undefined);
  });
  const onAbort = (): void => void reader.cancel(signal.reason).catch(() => undefined);
  const finish = (outcome: "ok" | "failed"): void => {
    watched.end();
    signal.removeEventListener("abort", onAbort);
    lease.release(outcome);
  };
  /** Why a stream ended, if not by itself. */
  const failure = (cause?: unknown): GatewayError | undefined => {
    if (signal.aborted) return toGatewayError(signal.reason);
    if (expired) return broken(lease, "no data within the idle limit of streams (--stream-idle-timeout)");
    return cause === undefined ? undefined : broken(lease, cause);
  };
  signal.addEventListener("abort", onAbort, { once: true });

  let first: Read;
  try {
    first = await reader.read();
    const failed = first.done ? failure() : undefined;
    if (failed !== undefined) throw failed;
  } catch (cause) {
    finish(signal.aborted ? "ok" : "failed");
    throw cause instanceof GatewayError ? cause : failure(cause);
  }
  let controller: ReadableStreamDefaultController<Uint8Array>;
  const end = (error: GatewayError | undefined): void => {
    finish(error === undefined || signal.aborted ? "ok" : "failed");
    if (error !== undefined && lastWords === null) {
      controller.error(error);
      return;
    }
    if (error !== undefined && lastWords !== null) controller.enqueue(lastWords(error));
    controller.close();
  };
  const onRead = (read: Read): void => {
    if (read.done) {
      end(failure());
      return;
    }
    watched.alive = true;
    controller.enqueue(read.value);
  };
  const onFail = (cause: unknown): void => end(failure(cause ?? "the connection was lost"));
  return new ReadableStream<Uint8Array>({
    start(own) {
      controller = own;
      onRead(first);
    },
    pull: () => reader.read().then(onRead, onFail),
    async cancel(reason) {
      finish("ok");
      await reader.cancel(reason).catch(() => undefined);
    },
  });
}
