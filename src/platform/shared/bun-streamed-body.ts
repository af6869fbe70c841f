/**
 * A body on its way from a socket to a `Response`, on Bun's direct streams: each piece is written to the client in the
 * very turn in which it came. A client that reads slowly pauses the socket; one that leaves closes it.
 */
import type { BodyEvents, StreamedBody } from "../../ports.ts";

/** Bytes kept while nobody reads yet; then the socket is paused. */
const AHEAD_LIMIT = 64 * 1024;

/** Where a body comes from. */
export interface BodySource {
  pause(): void;
  resume(): void;
  /** Gives up the exchange; `finish` follows with this reason. */
  abandon(reason: unknown): void;
}

/** Bun's writer of a direct stream, as far as it is used. */
interface DirectController {
  /** A promise while the client takes nothing more. */
  write(piece: Uint8Array): number | Promise<number>;
  flush(): unknown;
  end(): unknown;
}

/** One body; see `StreamedBody`. */
export class BunStreamedBody implements StreamedBody {
  readonly begun: Promise<Uint8Array | null>;
  readonly #source: BodySource;
  #begin: (first: Uint8Array | null) => void = () => undefined;
  #break: (error: unknown) => void = () => undefined;
  #waiting: Uint8Array[] = [];
  #ahead = 0;
  #paused = false;
  #sink: DirectController | null = null;
  #events: BodyEvents | null = null;
  #over = false;
  #error: unknown;
  #pulled: { resolve(): void; reject(error: unknown): void } | null = null;

  constructor(source: BodySource) {
    this.#source = source;
    this.begun = new Promise((resolve, reject) => {
      this.#begin = resolve;
      this.#break = reject;
    });
    // Whoever gives the body up before it began must not leave an unhandled rejection behind.
    this.begun.catch(() => undefined);
  }

  /** A piece came. */
  push(piece: Uint8Array): void {
    const sink = this.#sink;
    if (sink === null || this.#paused) {
      this.#begin(piece);
      // A piece is a view of what the socket gave, which is this body's alone.
      this.#waiting.push(piece);
      this.#ahead += piece.byteLength;
      if (this.#ahead > AHEAD_LIMIT) this.#source.pause();
      return;
    }
    this.#write(sink, piece);
  }

  #write(sink: DirectController, piece: Uint8Array): void {
    const written = sink.write(piece);
    sink.flush();
    this.#events?.piece();
    if (typeof written === "number") return;
    this.#paused = true;
    this.#source.pause();
    written.then(
      () => this.#resume(),
      // The client is gone; `cancel` tells.
      () => undefined,
    );
  }

  #resume(): void {
    this.#paused = false;
    this.#drain();
    if (!this.#paused && !this.#over) this.#source.resume();
  }

  /** Writes what waited, and the end when it has come. */
  #drain(): void {
    const sink = this.#sink;
    while (sink !== null && !this.#paused) {
      const piece = this.#waiting.shift();
      if (piece === undefined) break;
      this.#ahead -= piece.byteLength;
      this.#write(sink, piece);
    }
    if (this.#over && !this.#paused) this.#end();
  }

  /** The body is over: whole, or broken off by `error`. */
  finish(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    // Both do nothing once the body has begun.
    if (error === undefined) this.#begin(null);
    else this.#break(error);
    if (this.#sink !== null && !this.#paused) this.#end();
  }

  #end(): void {
    const sink = this.#sink;
    const pulled = this.#pulled;
    if (sink === null || pulled === null) return;
    this.#pulled = null;
    const last = this.#events?.end(this.#error) ?? null;
    if (this.#error !== undefined && last === null) {
      pulled.reject(this.#error);
      return;
    }
    if (last !== null) void sink.write(last);
    sink.end();
    pulled.resolve();
  }

  open(events: BodyEvents): ReadableStream<Uint8Array> {
    this.#events = events;
    const source = {
      type: "direct" as const,
      pull: (controller: unknown): Promise<void> =>
        new Promise((resolve, reject) => {
          this.#sink = controller as DirectController;
          this.#pulled = { resolve, reject };
          const held = this.#ahead > AHEAD_LIMIT;
          this.#drain();
          if (held && !this.#paused && !this.#over) this.#source.resume();
        }),
      cancel: (): void => {
        if (this.#pulled === null && this.#over) return;
        this.#pulled = null;
        this.#events = null;
        this.#over = true;
        this.#waiting = [];
        events.left();
        this.#source.abandon(new Error("The client left."));
      },
    };
    return new ReadableStream<Uint8Array>(source as unknown as UnderlyingSource<Uint8Array>);
  }

  cancel(reason: unknown): void {
    this.#source.abandon(reason);
  }
}
