/**
 * Frames on a pipe: u32 little-endian length of what follows, one kind byte, then the payload. Used by both ends;
 * knows nothing of what the payload says. Pure: no runtime, no ports.
 *
 * Kind 1 is a JSON value. Kind 2 is an object with bytes: u32 length of its JSON, the JSON, then the bytes, which the
 * reader gives back as its field `bytes`.
 */
import { GatewayError } from "../errors.ts";

/** UTF-8 JSON. */
export const FRAME_JSON = 1;
/** A JSON object, then bytes. */
export const FRAME_BYTES = 2;

/** Longest frame accepted. A request body is at most as large by default, and no answer of one step comes near it. */
export const FRAME_LIMIT = 64 * 2 ** 20;

/** Length field and kind. */
const HEAD = 5;
/** A length field. */
const LENGTH = 4;

const encoder = new TextEncoder();

/** One JSON value as a frame. Throws GatewayError `payload_too_large` when it would be over the limit. */
export function encodeFrame(value: unknown): Uint8Array {
  const payload = encoder.encode(JSON.stringify(value));
  const length = payload.byteLength + 1;
  if (length > FRAME_LIMIT) {
    throw new GatewayError(
      "payload_too_large",
      `A message to or from the worker must have at most ${FRAME_LIMIT} bytes, got ${length}.`,
    );
  }
  const frame = new Uint8Array(HEAD + payload.byteLength);
  new DataView(frame.buffer).setUint32(0, length, true);
  frame[4] = FRAME_JSON;
  frame.set(payload, HEAD);
  return frame;
}

/**
 * An object with bytes beside it, in two pieces to be written one after the other: the bytes are not copied.
 * Throws GatewayError `payload_too_large` when it would be over the limit.
 */
export function encodeBytesFrame(header: object, bytes: Uint8Array): [Uint8Array, Uint8Array] {
  const json = encoder.encode(JSON.stringify(header));
  const length = 1 + LENGTH + json.byteLength + bytes.byteLength;
  if (length > FRAME_LIMIT) {
    throw new GatewayError("payload_too_large", `A frame must have at most ${FRAME_LIMIT} bytes, got ${length}.`);
  }
  const head = new Uint8Array(HEAD + LENGTH + json.byteLength);
  const view = new DataView(head.buffer);
  view.setUint32(0, length, true);
  head[4] = FRAME_BYTES;
  view.setUint32(HEAD, json.byteLength, true);
  head.set(json, HEAD + LENGTH);
  return [head, bytes];
}

const decoder = new TextDecoder("utf-8", { fatal: true });

const parseJson = (payload: Uint8Array): unknown => JSON.parse(decoder.decode(payload));

function parseBytes(payload: Uint8Array): unknown {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const length = payload.byteLength < LENGTH ? Number.POSITIVE_INFINITY : view.getUint32(0, true);
  if (length > payload.byteLength - LENGTH) throw new RangeError("A frame whose JSON is longer than the frame.");
  const header = parseJson(payload.subarray(LENGTH, LENGTH + length));
  return { ...(header as object), bytes: payload.subarray(LENGTH + length) };
}

/**
 * Takes bytes as they arrive, in any cut, and gives whole messages.
 *
 * @example
 * ```ts
 * import { encodeFrame, FrameReader } from "./frame.ts";
 * const reader = new FrameReader();
 * const bytes = encodeFrame({ type: "ping" });
 * const none = reader.push(bytes.subarray(0, 3));
 * const [message] = reader.push(bytes.subarray(3));
 * if (none.length !== 0 || JSON.stringify(message) !== '{"type":"ping"}') throw new Error("not framed");
 * ```
 */
export class FrameReader {
  #chunks: Uint8Array[] = [];
  #buffered = 0;

  /** Bytes of an unfinished frame. */
  get pending(): number {
    return this.#buffered;
  }

  /**
   * The messages that are now complete, in order. Throws when the stream is not made of frames (a length of zero or
   * over the limit, an unknown kind, broken UTF-8 or JSON): nothing after that can be trusted.
   */
  push(chunk: Uint8Array): unknown[] {
    if (chunk.byteLength > 0) {
      this.#chunks.push(chunk);
      this.#buffered += chunk.byteLength;
    }
    const out: unknown[] = [];
    while (this.#buffered >= HEAD) {
      const head = this.#peek(HEAD);
      const length = new DataView(head.buffer, head.byteOffset, HEAD).getUint32(0, true);
      if (length < 1 || length > FRAME_LIMIT)
        throw new RangeError(`A frame of ${length} bytes; at most ${FRAME_LIMIT}.`);
      const kind = head[4];
      if (kind !== FRAME_JSON && kind !== FRAME_BYTES) throw new RangeError(`A frame of unknown kind ${kind}.`);
      if (this.#buffered < 4 + length) break;
      this.#take(HEAD);
      const payload = this.#take(length - 1);
      out.push(kind === FRAME_JSON ? parseJson(payload) : parseBytes(payload));
    }
    return out;
  }

  /** The first `count` bytes in one piece, left in place. */
  #peek(count: number): Uint8Array {
    const first = this.#chunks[0];
    if (first !== undefined && first.byteLength >= count) return first;
    const joined = this.#take(count);
    this.#chunks.unshift(joined);
    this.#buffered += count;
    return joined;
  }

  #take(count: number): Uint8Array {
    const first = this.#chunks[0];
    this.#buffered -= count;
    if (first !== undefined && first.byteLength >= count) {
      if (first.byteLength === count) this.#chunks.shift();
      else this.#chunks[0] = first.subarray(count);
      return first.subarray(0, count);
    }
    const out = new Uint8Array(count);
    let filled = 0;
    let used = 0;
    while (filled < count) {
      const chunk = this.#chunks[used] as Uint8Array;
      const part = chunk.subarray(0, count - filled);
      out.set(part, filled);
      filled += part.byteLength;
      if (part.byteLength === chunk.byteLength) used += 1;
      else this.#chunks[used] = chunk.subarray(part.byteLength);
    }
    this.#chunks.splice(0, used);
    return out;
  }
}
