/**
 * What becomes of an upstream's answer on its way through. Short bodies are read whole: cheaper than any stream, and a
 * body that breaks off can still be asked for elsewhere. Long ones of a stated length that fetch gave are complete
 * upstream when their head is sent; the runtime hands them on natively and the lease ends with the head. Event streams,
 * bodies of unknown length, and long ones on sockets of our own are passed on piece by piece, unmerged, and the lease
 * ends with them.
 */
import { GatewayError, toGatewayError } from "../errors.ts";
import type { Lease } from "../fleet/types.ts";
import type { Exchange, ExchangeAnswer, StreamedBody } from "../ports.ts";
import type { StreamWatch } from "./stream-watch.ts";

/** Bodies with a stated length up to this are read whole; beyond it reading costs more than handing the body on. */
const WHOLE_BODY_LIMIT = 64 * 1024;

/** Longest first piece of a stream in which an error is looked for. */
const FIRST_ERROR_LIMIT = 4096;

/** Statuses that carry no body; giving one to `Response` throws. */
const BODILESS = new Set([101, 204, 205, 304]);

/** Headers that describe one hop; the runtime writes its own. */
const HOP_HEADERS = ["connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-authenticate", "trailer"];

const broken = (lease: Lease, cause: unknown): GatewayError =>
  new GatewayError(
    "upstream_failed",
    `Replica ${lease.replica.id} broke off its answer: ${cause instanceof Error ? cause.message : String(cause)}`,
    {
      replica: lease.replica.id,
      cause,
    },
  );

const SILENT = "no data within the idle limit of streams (--stream-idle-timeout)";

/** The call that an answer belongs to. */
export interface ForwardScope {
  /** Taken over: released when the body has been passed on, broke off, or was given up by the client. */
  readonly lease: Lease;
  readonly signal: AbortSignal;
  readonly streams: StreamWatch;
  readonly toBody: Exchange["toBody"] | undefined;
  /** What is added behind an event stream that ended well; null: nothing. */
  readonly lastLine?: () => Uint8Array | null;
}

/** The answer as a response of ours: its headers can be changed, and none of them is of the upstream's hop. */
export function finishForward(answer: Response | ExchangeAnswer, scope: ForwardScope): Promise<Response> | Response {
  return answer instanceof Response ? finishFetched(answer, scope) : finishExchanged(answer, scope);
}

/** The answer as a response, for a call that is no generation: no lease, no watch over its stream. */
export function toPlainResponse(answer: Response | ExchangeAnswer): Response {
  if (answer instanceof Response) return answer;
  const { status, headers, body } = answer;
  if (!(body instanceof Uint8Array)) {
    const events = { piece: () => undefined, end: () => null, left: () => undefined };
    return new Response(body.open(events), { status, headers });
  }
  return new Response(BODILESS.has(status) ? null : (body as Uint8Array<ArrayBuffer>), { status, headers });
}

const outcomeOf = (status: number): "ok" | "failed" => (status >= 500 ? "failed" : "ok");

function finishExchanged(answer: ExchangeAnswer, scope: ForwardScope): Promise<Response> | Response {
  const { status, headers, body } = answer;
  if (!(body instanceof Uint8Array)) return passStreamed(body, answer, scope);
  scope.lease.release(outcomeOf(status));
  if (BODILESS.has(status)) return new Response(null, { status, headers });
  const { toBody } = scope;
  return new Response(toBody === undefined ? (body as Uint8Array<ArrayBuffer>) : toBody(body), { status, headers });
}

/** As `passOn`, where pieces are pushed and the deadline is the exchange's own. */
async function passStreamed(
  body: StreamedBody,
  { status, headers }: ExchangeAnswer,
  { lease, signal, streams, lastLine }: ForwardScope,
): Promise<Response> {
  const lastWords = isEventStream(headers) ? toErrorEvent : null;
  let expired = false;
  const watched = streams.add(() => {
    expired = true;
    body.cancel(new Error("silent for too long"));
  });
  let finished = false;
  const finish = (outcome: "ok" | "failed"): void => {
    if (finished) return;
    finished = true;
    watched.end();
    signal.removeEventListener("abort", onAbort);
    lease.release(outcome);
  };
  // The exchange hears of it by itself; a stream that is dropped unread does not.
  const onAbort = (): void => finish("ok");
  signal.addEventListener("abort", onAbort, { once: true });
  const failure = (cause: unknown): GatewayError => {
    if (signal.aborted) return toGatewayError(signal.reason);
    return broken(lease, expired ? SILENT : cause);
  };
  try {
    refuseDying(await body.begun, lease);
  } catch (cause) {
    finish(signal.aborted ? "ok" : "failed");
    body.cancel(cause);
    throw cause instanceof GatewayError ? cause : failure(cause);
  }
  const stream = body.open({
    piece() {
      watched.alive = true;
    },
    end(error) {
      const ours = error === undefined || signal.aborted;
      finish(ours ? outcomeOf(status) : "failed");
      if (lastWords === null) return null;
      return error === undefined ? (lastLine?.() ?? null) : lastWords(failure(error));
    },
    left: () => finish("ok"),
  });
  return new Response(stream, { status, headers });
}

/** Throws when a stream's first event is the upstream's own word that it is dead. */
function refuseDying(first: Uint8Array | null, lease: Lease): void {
  const { saysDead } = lease.replica.engine;
  if (first === null || saysDead === undefined || first.byteLength > FIRST_ERROR_LIMIT) return;
  const text = new TextDecoder().decode(first);
  if (text.includes('"error"') && saysDead(text)) throw broken(lease, text.trim().slice(0, 300));
}

/** fetch's response, with headers that can be changed: on Bun the very same, so that its body is not touched. */
function withOwnHeaders(response: Response): Response {
  let own = response;
  try {
    response.headers.delete("connection");
  } catch {
    const { status, statusText, headers } = response;
    own = new Response(response.body, { status, statusText, headers: new Headers(headers) });
  }
  dropHopHeaders(own.headers);
  return own;
}

function dropHopHeaders(headers: Headers): void {
  for (const name of HOP_HEADERS) headers.delete(name);
}

function finishFetched(response: Response, scope: ForwardScope): Promise<Response> | Response {
  const { lease, signal } = scope;
  const { status } = response;
  // `response.body` is not looked at before it must be: asking for it turns a native hand-over into a stream.
  if (BODILESS.has(status)) {
    lease.release("ok");
    const headers = new Headers(response.headers);
    dropHopHeaders(headers);
    return new Response(null, { status, headers });
  }
  const length = response.headers.get("content-length");
  if (length !== null && Number(length) <= WHOLE_BODY_LIMIT) {
    return response.arrayBuffer().then(
      (bytes) => {
        // fetch rejects a short body on most runtimes, not on all.
        if (bytes.byteLength !== Number(length)) throw broken(lease, `${bytes.byteLength} of ${length} bytes came`);
        lease.release(outcomeOf(status));
        const whole = new Response(bytes, { status, headers: response.headers });
        dropHopHeaders(whole.headers);
        return whole;
      },
      (cause: unknown) => {
        throw signal.aborted ? toGatewayError(signal.reason) : broken(lease, cause);
      },
    );
  }
  if (length !== null && !isEventStream(response.headers)) {
    lease.release(outcomeOf(status));
    return withOwnHeaders(response);
  }
  if (response.body === null) {
    lease.release("ok");
    return withOwnHeaders(response);
  }
  const headers = new Headers(response.headers);
  dropHopHeaders(headers);
  return passOn(response.body, scope, isEventStream(headers) ? toErrorEvent : null).then(
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
  { lease, signal, streams, lastLine }: ForwardScope,
  lastWords: ((error: GatewayError) => Uint8Array) | null,
): Promise<ReadableStream<Uint8Array>> {
  const reader = body.getReader();
  type Read = Awaited<ReturnType<typeof reader.read>>;
  let expired = false;
  const watched = streams.add(() => {
    expired = true;
    void reader.cancel("silent for too long").catch(() => undefined);
  });
  let finished = false;
  const finish = (outcome: "ok" | "failed"): void => {
    if (finished) return;
    finished = true;
    watched.end();
    signal.removeEventListener("abort", onAbort);
    lease.release(outcome);
  };
  // Ends the lease by itself: a stream whose client left before its head is dropped unread, and never told so.
  const onAbort = (): void => {
    finish("ok");
    void reader.cancel(signal.reason).catch(() => undefined);
  };
  /** Why a stream ended, if not by itself. */
  const failure = (cause?: unknown): GatewayError | undefined => {
    if (signal.aborted) return toGatewayError(signal.reason);
    if (expired) return broken(lease, SILENT);
    return cause === undefined ? undefined : broken(lease, cause);
  };
  signal.addEventListener("abort", onAbort, { once: true });

  let first: Read;
  try {
    first = await reader.read();
    const failed = first.done ? failure() : undefined;
    if (failed !== undefined) throw failed;
    refuseDying(first.done ? null : first.value, lease);
  } catch (cause) {
    finish(signal.aborted ? "ok" : "failed");
    void reader.cancel(cause).catch(() => undefined);
    throw cause instanceof GatewayError ? cause : failure(cause);
  }
  let controller: ReadableStreamDefaultController<Uint8Array>;
  const end = (error: GatewayError | undefined): void => {
    finish(error === undefined || signal.aborted ? "ok" : "failed");
    if (error !== undefined && lastWords === null) {
      controller.error(error);
      return;
    }
    const last = lastWords === null ? null : error === undefined ? (lastLine?.() ?? null) : lastWords(error);
    if (last !== null) controller.enqueue(last);
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
