/**
 * A reading position in the bytes of a JSON text: skips strings, containers and words at the speed of a native byte
 * search. Decodes nothing, and validates no more than it needs to find the ends of things.
 */

/** `"` */
export const QUOTE = 0x22;
/** `,` */
export const COMMA = 0x2c;
/** `:` */
export const COLON = 0x3a;
/** `{` */
export const OPEN_BRACE = 0x7b;
/** `}` */
export const CLOSE_BRACE = 0x7d;
/** `[` */
export const OPEN_BRACKET = 0x5b;
/** `]` */
export const CLOSE_BRACKET = 0x5d;
const BACKSLASH = 0x5c;

/** Deeper than any request; vLLM's own parser stops at 200. Bounds the memory of the bracket stack. */
const DEPTH_LIMIT = 1024;

/** Bytes looked at one by one before a native search is worth its call. */
export const SHORT = 24;

const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** Why the bytes are no JSON, and where that became clear. */
export class Malformed {
  readonly reason: string;
  readonly offset: number;
  constructor(reason: string, offset: number) {
    this.reason = reason;
    this.offset = offset;
  }
}

/**
 * The bytes with a reading position. Knows for each structural byte its next place, so that every native search
 * starts where the last one ended: the whole scan is linear whatever the document holds.
 */
export class Cursor {
  readonly bytes: Uint8Array;
  position = 0;
  #openBrace = -1;
  #closeBrace = -1;
  #openBracket = -1;
  #closeBracket = -1;
  #quote = -1;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  skipSpace(): number | undefined {
    const { bytes } = this;
    let at = this.position;
    while (isSpace(bytes[at])) at += 1;
    this.position = at;
    return bytes[at];
  }

  #next(byte: number, known: number, from: number): number {
    if (known >= from) return known;
    const found = this.bytes.indexOf(byte, from);
    return found === -1 ? this.bytes.length : found;
  }

  /** Position at the opening quote; afterwards behind the closing one. Returns whether a backslash may be inside. */
  skipString(): boolean {
    const { bytes } = this;
    const { length } = bytes;
    const start = this.position + 1;
    let escaped = false;
    let at = start;
    for (;;) {
      for (let near = at + SHORT; at < near && at < length; ) {
        const byte = bytes[at];
        if (byte === QUOTE) {
          this.position = at + 1;
          return escaped;
        }
        if (byte === BACKSLASH) {
          escaped = true;
          at += 2;
          near = at + SHORT;
        } else at += 1;
      }
      const end = at < length ? this.#next(QUOTE, this.#quote, at) : length;
      if (end >= length) throw new Malformed("a string is not closed", start - 1);
      this.#quote = end;
      // A run of backslashes before the quote: an odd one escapes it. `at` itself is known to be unescaped.
      let before = end - 1;
      while (before >= at && bytes[before] === BACKSLASH) before -= 1;
      escaped = true;
      at = end + 1;
      if ((end - before) % 2 === 1) break;
    }
    this.position = at;
    return escaped;
  }

  /** Position at `{` or `[`; afterwards behind the bracket that closes it. */
  skipContainer(): void {
    const { bytes } = this;
    const start = this.position;
    const closers: number[] = [];
    let at = start;
    for (;;) {
      const byte = bytes[at];
      if (byte === QUOTE) {
        this.position = at;
        this.skipString();
        at = this.position;
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (closers.length === DEPTH_LIMIT) throw new Malformed(`nested deeper than ${DEPTH_LIMIT}`, at);
        closers.push(byte + 2);
        at += 1;
      } else {
        if (closers.pop() !== byte) throw new Malformed("a bracket does not match the one it closes", at);
        at += 1;
        if (closers.length === 0) break;
      }
      at = this.#nextStructural(at);
      if (at >= bytes.length) throw new Malformed("an object or array is not closed", start);
    }
    this.position = at;
  }

  #nextStructural(from: number): number {
    const { bytes } = this;
    const near = Math.min(from + SHORT, bytes.length);
    for (let at = from; at < near; at += 1) {
      const byte = bytes[at] as number;
      if (byte === QUOTE || byte === OPEN_BRACE || byte === CLOSE_BRACE) return at;
      if (byte === OPEN_BRACKET || byte === CLOSE_BRACKET) return at;
    }
    this.#quote = this.#next(QUOTE, this.#quote, near);
    this.#openBrace = this.#next(OPEN_BRACE, this.#openBrace, near);
    this.#closeBrace = this.#next(CLOSE_BRACE, this.#closeBrace, near);
    this.#openBracket = this.#next(OPEN_BRACKET, this.#openBracket, near);
    this.#closeBracket = this.#next(CLOSE_BRACKET, this.#closeBracket, near);
    return Math.min(this.#quote, this.#openBrace, this.#closeBrace, this.#openBracket, this.#closeBracket);
  }

  /** Position at the first byte of a number or word; afterwards at the byte that delimits it. */
  skipWord(): void {
    const { bytes } = this;
    let at = this.position;
    for (; at < bytes.length; at += 1) {
      const byte = bytes[at];
      if (byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET || isSpace(byte)) break;
    }
    if (at === this.position) throw new Malformed("a value is missing", at);
    this.position = at;
  }
}
