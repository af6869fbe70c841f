/** Bytes on their way from a pipe to a device: pieces in, pieces of the asked length out. The writer is bounded by credit. */

/** One reader, one writer. */
export class ByteQueue {
  readonly #pieces: Uint8Array[] = [];
  readonly #onTaken: (bytes: number) => void;
  #wake: (() => void) | undefined;

  /** `onTaken` is told how many bytes left the queue. */
  constructor(onTaken: (bytes: number) => void) {
    this.#onTaken = onTaken;
  }

  /** Adds a piece; kept, not copied. */
  push(piece: Uint8Array): void {
    if (piece.length > 0) this.#pieces.push(piece);
    this.#wake?.();
  }

  /** The next `bytes` bytes as they come; waits for them until the signal aborts. */
  async *take(bytes: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    for (let left = bytes; left > 0; ) {
      const first = this.#pieces[0];
      if (first === undefined) {
        await this.#more(signal);
        continue;
      }
      const piece = first.subarray(0, left);
      if (piece.length === first.length) this.#pieces.shift();
      else this.#pieces[0] = first.subarray(piece.length);
      left -= piece.length;
      yield piece;
      this.#onTaken(piece.length);
    }
  }

  #more(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const leave = (): void => reject(signal.reason);
      signal.addEventListener("abort", leave, { once: true });
      this.#wake = () => {
        this.#wake = undefined;
        signal.removeEventListener("abort", leave);
        resolve();
      };
    });
  }
}
