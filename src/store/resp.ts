/**
 * RESP2, the protocol of Redis and Valkey, as much of it as the store needs: commands as bytes, replies out of bytes.
 * Pure. Whoever answers is not trusted: every length is checked before anything is kept for it, and what is no RESP2
 * throws. Source: the Redis serialization protocol specification, version 2.
 */

/** An error that the server sent as its reply; `message` begins with its code (`WRONGPASS …`). */
export class ReplyError extends Error {
  override readonly name = "ReplyError";
}

/** A reply; null: nothing is there. */
export type Reply = string | number | null | ReplyError | readonly Reply[];

/** What is no RESP2, or larger than anything that was asked for. The connection is of no use any more. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** Bytes of one reply at most: a value of the store (a million characters of up to four bytes), or a page of keys. */
export const REPLY_LIMIT = 4 * 1_048_576 + 4096;
/** Elements of a list: a page of keys has 1000. */
const ELEMENT_LIMIT = 1024;
/** Lists in lists: no reply to a command of ours has any. */
const DEPTH_LIMIT = 2;
/** A status, a number, an error's words. */
const LINE_LIMIT = 8192;

const CR = 13;
const LF = 10;
const encoder = new TextEncoder();

/** A command: a list of bulk strings. */
export function toCommand(words: readonly string[]): Uint8Array {
  const pieces: Uint8Array[] = [encoder.encode(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = encoder.encode(word);
    pieces.push(encoder.encode(`$${bytes.byteLength}\r\n`), bytes, encoder.encode("\r\n"));
  }
  const whole = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}

/** Not all of a reply is there yet. */
const PARTIAL = Symbol("partial");

/** Takes bytes as they come and gives whole replies. */
export interface ReplyReader {
  /** Throws ProtocolError; nothing may be read after that. */
  push(bytes: Uint8Array): Reply[];
}

/** Creates a reader at the beginning of a connection. */
export function createReplyReader(): ReplyReader {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let kept = new Uint8Array(0);
  let at = 0;

  const text = (from: number, to: number): string => {
    try {
      return decoder.decode(kept.subarray(from, to));
    } catch {
      throw new ProtocolError("a text that is no UTF-8");
    }
  };

  function line(): string | typeof PARTIAL {
    for (let end = at; end < kept.length; end += 1) {
      if (end - at > LINE_LIMIT) throw new ProtocolError(`a line of more than ${LINE_LIMIT} bytes`);
      if (kept[end] !== CR) continue;
      if (end + 1 === kept.length) return PARTIAL;
      if (kept[end + 1] !== LF) throw new ProtocolError("a line that does not end with CR LF");
      const found = text(at, end);
      at = end + 2;
      return found;
    }
    return PARTIAL;
  }

  function number(least: number, most: number, what: string): number | typeof PARTIAL {
    const found = line();
    if (found === PARTIAL) return PARTIAL;
    const value = /^-?\d{1,20}$/.test(found) ? Number(found) : Number.NaN;
    if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
    throw new ProtocolError(`${what} ${found.slice(0, 40)}; accepted: ${least} to ${most}`);
  }

  function bulk(): string | null | typeof PARTIAL {
    const length = number(-1, REPLY_LIMIT, "a text of the length");
    if (length === PARTIAL) return PARTIAL;
    if (length === -1) return null;
    if (kept.length < at + length + 2) return PARTIAL;
    const end = at + length;
    if (kept[end] !== CR || kept[end + 1] !== LF) throw new ProtocolError("a text longer than it said");
    const found = text(at, end);
    at = end + 2;
    return found;
  }

  function list(depth: number): readonly Reply[] | null | typeof PARTIAL {
    if (depth >= DEPTH_LIMIT) throw new ProtocolError("lists in lists");
    const count = number(-1, ELEMENT_LIMIT, "a list of the length");
    if (count === PARTIAL) return PARTIAL;
    if (count === -1) return null;
    const found: Reply[] = [];
    while (found.length < count) {
      const element = reply(depth + 1);
      if (element === PARTIAL) return PARTIAL;
      found.push(element);
    }
    return found;
  }

  function reply(depth: number): Reply | typeof PARTIAL {
    const type = kept[at];
    if (type === undefined) return PARTIAL;
    at += 1;
    switch (String.fromCharCode(type)) {
      case "+":
        return line();
      case "-": {
        const words = line();
        return words === PARTIAL ? PARTIAL : new ReplyError(words);
      }
      case ":":
        return number(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, "the number");
      case "$":
        return bulk();
      case "*":
        return list(depth);
      default:
        throw new ProtocolError(`a reply that begins with byte ${type}`);
    }
  }

  return {
    push(bytes) {
      const joined = new Uint8Array(kept.length + bytes.length);
      joined.set(kept);
      joined.set(bytes, kept.length);
      kept = joined;
      const found: Reply[] = [];
      let whole = 0;
      for (;;) {
        at = whole;
        const next = reply(0);
        if (next === PARTIAL) break;
        found.push(next);
        whole = at;
      }
      kept = kept.slice(whole);
      if (kept.length > REPLY_LIMIT) throw new ProtocolError(`a reply of more than ${REPLY_LIMIT} bytes`);
      return found;
    },
  };
}
