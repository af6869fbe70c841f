/**
 * One connection to an upstream on Bun's sockets: a request goes out, its answer is read, and the connection is free
 * again or closed. Knows nothing of pools. Bun's own fetch works on a second thread and hands every piece over; here
 * everything happens where the data arrives, which is what makes it cheaper.
 */
import { ProtocolError, type ResponseEvents, type ResponseHead, ResponseReader } from "../../lib/http1-response.ts";
import type { ExchangeAnswer, ExchangeRequest } from "../../ports.ts";
import { BunStreamedBody } from "./bun-streamed-body.ts";

/** Answers with a stated length up to this are read whole: cheaper than passing them on, and they can still be moved. */
const WHOLE_LIMIT = 1024 * 1024;
/** Head and body up to this leave together, in one call; larger bodies leave by themselves, uncopied. */
const TOGETHER_LIMIT = 64 * 1024;
/** Where they are put together: a write is over when it returns, so one place serves all connections. */
const together = new Uint8Array(TOGETHER_LIMIT);

const VISIBLE = /^[\x21-\x7e]+$/;
const LINE_BREAK = /[\r\n\0]/;

const encoder = new TextEncoder();

/** An error as the runtime's own connections give them. */
export function connectionLost(code: "ECONNRESET" | "ECONNREFUSED", message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** Request line and headers as they go out. Throws TypeError for what would not be one request. */
export function toHead(host: string, { method, target, headers, body }: ExchangeRequest): string {
  if (!VISIBLE.test(method) || !VISIBLE.test(target)) throw new TypeError("A request line holds visible ASCII only.");
  let head = `${method} ${target} HTTP/1.1\r\nhost: ${host}\r\n`;
  for (const name in headers) {
    const value = headers[name] ?? "";
    if (LINE_BREAK.test(value)) throw new TypeError(`Header ${name} holds a line break.`);
    head += `${name}: ${value}\r\n`;
  }
  if (body !== null) head += `content-length: ${body.byteLength}\r\n`;
  return `${head}\r\n`;
}

/** Header values are characters 0 to 255, one byte each; nearly always they are ASCII, which has a fast way. */
function toBytes(head: string, into: Uint8Array): Uint8Array {
  const { read, written } = encoder.encodeInto(head, into);
  if (written === head.length && read === head.length) return into;
  for (let at = 0; at < head.length; at += 1) into[at] = head.charCodeAt(at);
  return into;
}

/** What the connection tells its owner. */
export interface ConnectionOwner {
  /** It can carry another request. */
  free(connection: BunConnection): void;
  gone(connection: BunConnection): void;
}

/** One socket. At most one exchange at a time. */
export class BunConnection implements ResponseEvents {
  /** Monotonic milliseconds of the last use; the owner's. */
  idleSince = 0;
  readonly #reader = new ResponseReader();
  readonly #owner: ConnectionOwner;
  #socket: Bun.Socket<BunConnection> | null = null;
  #closed = false;
  /** What the kernel has not taken yet. */
  #unsent: Uint8Array[] = [];
  #resolve: ((answer: ExchangeAnswer) => void) | null = null;
  #reject: ((error: unknown) => void) | null = null;
  #signal: AbortSignal | null = null;
  #answered = false;
  #head: ResponseHead | null = null;
  #whole: Uint8Array | null = null;
  #filled = 0;
  #stream: BunStreamedBody | null = null;
  readonly #onAbort = (): void => this.#fail(this.#signal?.reason);

  constructor(owner: ConnectionOwner) {
    this.#owner = owner;
  }

  opened(socket: Bun.Socket<BunConnection>): void {
    this.#socket = socket;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** One exchange; `head` is what `toHead` gave for the request. */
  send(head: string, request: ExchangeRequest, signal: AbortSignal): Promise<ExchangeAnswer> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#answered = false;
      this.#signal = signal;
      signal.addEventListener("abort", this.#onAbort);
      this.#reader.begin(this, request.method === "HEAD");
      this.#transmit(head, request.body);
    });
  }

  #transmit(head: string, body: Uint8Array | null): void {
    const size = head.length + (body?.byteLength ?? 0);
    if (size > TOGETHER_LIMIT) {
      this.#write(toBytes(head, new Uint8Array(head.length)));
      if (body !== null) this.#write(body);
      return;
    }
    toBytes(head, together);
    if (body !== null) together.set(body, head.length);
    this.#write(together.subarray(0, size));
  }

  #write(bytes: Uint8Array): void {
    if (this.#unsent.length > 0) {
      this.#unsent.push(bytes);
      return;
    }
    const taken = this.#socket?.write(bytes) ?? -1;
    if (taken < 0) this.#fail(connectionLost("ECONNRESET", "The connection was closed."));
    else if (taken < bytes.byteLength) {
      const left = bytes.subarray(taken);
      this.#unsent.push(left.buffer === together.buffer ? left.slice() : left);
    }
  }

  /** The socket takes more. */
  drained(): void {
    const waiting = this.#unsent;
    this.#unsent = [];
    for (const bytes of waiting) this.#write(bytes);
  }

  received(bytes: Uint8Array): void {
    this.#answered = true;
    try {
      this.#reader.push(bytes);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#fail(new Error(`The upstream does not speak HTTP/1.1: ${error.message}.`, { cause: error }));
    }
  }

  /** The peer closed it, or it broke. */
  ended(): void {
    if (this.#closed) return;
    if (this.#reader.busy && !this.#reader.close()) {
      this.#fail(
        this.#answered
          ? new Error("The answer broke off.")
          : connectionLost("ECONNRESET", "The connection was closed before an answer."),
      );
      return;
    }
    this.close();
  }

  /** Closes at once; idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#owner.gone(this);
    this.#socket?.terminate();
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    if (!this.#closed) this.#socket?.resume();
  }

  /** Gives up the exchange under way. */
  abandon(reason: unknown): void {
    this.#fail(reason);
  }

  #fail(error: unknown): void {
    const reject = this.#reject;
    const stream = this.#stream;
    this.#forget();
    this.close();
    if (stream !== null) stream.finish(error ?? new Error("The answer broke off."));
    else reject?.(error);
  }

  #forget(): void {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#signal = null;
    this.#resolve = null;
    this.#reject = null;
    this.#head = null;
    this.#whole = null;
    this.#stream = null;
  }

  // ResponseEvents

  head(head: ResponseHead): void {
    this.#head = head;
    this.#filled = 0;
    if (head.length !== null && head.length <= WHOLE_LIMIT) return;
    this.#stream = new BunStreamedBody(this);
    const { status, statusText, headers } = head;
    this.#resolve?.({ status, statusText, headers, body: this.#stream });
    this.#resolve = null;
    this.#reject = null;
  }

  data(piece: Uint8Array): void {
    if (this.#stream !== null) {
      this.#stream.push(piece);
      return;
    }
    const length = this.#head?.length ?? 0;
    // Nearly every short answer comes in one piece.
    if (this.#whole === null && piece.byteLength === length) this.#whole = piece;
    else {
      this.#whole ??= new Uint8Array(length);
      this.#whole.set(piece, this.#filled);
    }
    this.#filled += piece.byteLength;
  }

  end(reusable: boolean): void {
    const resolve = this.#resolve;
    const head = this.#head;
    const body = this.#whole ?? new Uint8Array(0);
    const stream = this.#stream;
    // An answer that came before the request was sent whole leaves the rest of it in the way.
    const keep = reusable && this.#unsent.length === 0;
    this.#forget();
    if (keep) this.#owner.free(this);
    else this.close();
    if (stream !== null) stream.finish(undefined);
    else if (head !== null) {
      const { status, statusText, headers } = head;
      resolve?.({ status, statusText, headers, body });
    }
  }
}
