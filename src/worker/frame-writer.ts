/**
 * Writes frames that are sent in one go as one piece: a step of a full batch sends a frame for every stream, and each
 * write is a system call here and a wake-up of the parent there.
 */

/** What a frame writer needs of a pipe. */
export interface FramePipe {
  readonly writableLength: number;
  write(bytes: Uint8Array): unknown;
}

/** See the file's head. */
export interface FrameWriter {
  /** Takes a frame; it is written, after those before it, as soon as what runs now has ended. */
  send(frame: Uint8Array): void;
  /** Bytes that are not through the pipe yet. */
  readonly waiting: number;
}

/** Frames from here on are written by themselves: copying them would cost more than a call. */
const LARGE_BYTES = 64 * 2 ** 10;

/** Creates a writer; nobody else may write to the pipe. */
export function createFrameWriter(pipe: FramePipe): FrameWriter {
  let frames: Uint8Array[] = [];
  let bytes = 0;
  const flush = (): void => {
    const [first] = frames;
    if (first === undefined) return;
    const whole = frames.length === 1 ? first : new Uint8Array(bytes);
    if (frames.length > 1) {
      let at = 0;
      for (const frame of frames) {
        whole.set(frame, at);
        at += frame.byteLength;
      }
    }
    frames = [];
    bytes = 0;
    pipe.write(whole);
  };
  return {
    get waiting() {
      return pipe.writableLength + bytes;
    },
    send(frame) {
      if (frame.byteLength >= LARGE_BYTES) {
        flush();
        pipe.write(frame);
        return;
      }
      if (frames.length === 0) queueMicrotask(flush);
      frames.push(frame);
      bytes += frame.byteLength;
    },
  };
}
