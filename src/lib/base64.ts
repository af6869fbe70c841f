/** Standard base64 with padding of a typed array's bytes. Pure; web-standard `btoa` in bounded pieces. */

/** A multiple of 3, so that pieces join without padding; small enough for one call's argument list. */
const PIECE = 3 * 8192;

/**
 * The array's own memory, little-endian: every processor that the supported runtimes run on is.
 *
 * @example
 * ```ts
 * import { toBase64 } from "./base64.ts";
 * if (toBase64(new Float32Array([1])) !== "AACAPw==") throw new Error("not little-endian float32");
 * ```
 */
export function toBase64(array: Float32Array | Int32Array | Uint8Array): string {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  const pieces: string[] = [];
  for (let start = 0; start < bytes.length; start += PIECE) {
    pieces.push(btoa(String.fromCharCode(...bytes.subarray(start, start + PIECE))));
  }
  return pieces.join("");
}

/**
 * The bytes of a standard base64 text. Throws DOMException `InvalidCharacterError` for anything else.
 *
 * @example
 * ```ts
 * import { fromBase64 } from "./base64.ts";
 * if (fromBase64("AACAPw==").join() !== "0,0,128,63") throw new Error("not the bytes of 1");
 * ```
 */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let at = 0; at < characters.length; at += 1) bytes[at] = characters.charCodeAt(at);
  return bytes;
}
