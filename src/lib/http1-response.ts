/**
 * Reads HTTP/1.1 answers out of the bytes of one connection (RFC 9112), piece by piece as they come. Pure: no socket, no
 * clock. Strict where leniency has been used for attacks: lengths, line ends, folded headers, two lengths that differ.
 * It never copies a body: pieces of it are handed on as views of what came.
 */

/** The head of an answer. Headers that describe one hop are left out; the runtime writes its own. */
export interface ResponseHead {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  /** Bytes of the body that follows: exact, or null while nobody knows (chunked, or until the connection ends). */
  readonly length: number | null;
}

/** What is told of an answer, in order: `head`, any number of `data`, `end`. */
export interface ResponseEvents {
  head(head: ResponseHead): void;
  data(piece: Uint8Array): void;
  /** The answer is complete. `reusable`: the connection may carry another request. */
  end(reusable: boolean): void;
}

/** The peer did not speak HTTP/1.1; the connection is of no more use. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** Bytes of a head, or of trailers: uvicorn's are under 1 KiB. */
const HEAD_LIMIT = 64 * 1024;
/** Characters of a line that tells a chunk's length, extensions included. */
const CHUNK_LINE_LIMIT = 1024;

const LF = 10;
const CR = 13;

/** Of one hop (RFC 9110, 7.6.1), but for the two that are read here. */
const HOP: ReadonlySet<string> = new Set([
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "trailer",
  "upgrade",
]);

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: (.*))?$/;
const LENGTH = /^\d{1,15}$/;
const CHUNK_LENGTH = /^([0-9A-Fa-f]{1,13})[ \t]*(?:;.*)?$/;

const decoder = new TextDecoder("latin1");
const BEYOND_A_BYTE = /[^\0-\xff]/;

/**
 * Bytes as characters 0 to 255, as header values are defined. What is called latin1 on the web is windows-1252, which
 * differs from 128 to 159; those are rare enough for the slow way.
 */
function toByteString(bytes: Uint8Array): string {
  const text = decoder.decode(bytes);
  if (!BEYOND_A_BYTE.test(text)) return text;
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

function join(left: Uint8Array | null, right: Uint8Array): Uint8Array {
  if (left === null) return right;
  const both = new Uint8Array(left.length + right.length);
  both.set(left);
  both.set(right, left.length);
  return both;
}

/** Where an empty line ends (exclusive), or -1: the end of a head. Starts to look at `from`. */
function endOfHead(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(LF, from); at !== -1; at = bytes.indexOf(LF, at + 1)) {
    if (at >= 3 && bytes[at - 1] === CR && bytes[at - 2] === LF && bytes[at - 3] === CR) return at + 1;
  }
  return -1;
}

interface Parsed {
  readonly head: ResponseHead;
  readonly chunked: boolean;
  readonly keep: boolean;
}

function parseLength(value: string, known: number | null): number {
  // "5, 5" is one length said twice; anything else with a comma is an attack or an accident.
  const lengths = new Set(value.split(",").map((part) => part.trim()));
  const [text = ""] = lengths;
  if (lengths.size !== 1 || !LENGTH.test(text)) throw new ProtocolError(`content-length is ${JSON.stringify(value)}`);
  const length = Number(text);
  if (known !== null && known !== length) throw new ProtocolError("two content-lengths differ");
  return length;
}

function parseHead(text: string, bodiless: boolean): Parsed {
  let end = text.indexOf("\r\n");
  const found = STATUS_LINE.exec(text.slice(0, end));
  if (found === null) throw new ProtocolError(`the first line is ${JSON.stringify(text.slice(0, Math.min(end, 80)))}`);
  const [, minor, code, statusText = ""] = found;
  const status = Number(code);
  const headers = new Headers();
  let length: number | null = null;
  let coding: string | null = null;
  let keep = minor === "1";
  let named: string | null = null;
  for (let at = end + 2; at < text.length; at = end + 2) {
    end = text.indexOf("\r\n", at);
    if (end === -1 || end === at) break;
    const colon = text.indexOf(":", at);
    if (colon <= at || colon > end) throw new ProtocolError("a header line has no name");
    const name = text.slice(at, colon).toLowerCase();
    const value = text.slice(colon + 1, end).trim();
    if (name === "content-length") {
      length = parseLength(value, length);
    } else if (name === "transfer-encoding") {
      coding = coding === null ? value.toLowerCase() : `${coding}, ${value.toLowerCase()}`;
    } else if (name === "connection") {
      named = value.toLowerCase();
      if (named === "close") keep = false;
    } else if (!HOP.has(name)) {
      try {
        headers.append(name, value);
      } catch {
        throw new ProtocolError(`a header is malformed: ${JSON.stringify(name.slice(0, 80))}`);
      }
    }
  }
  if (named !== null && named !== "close" && named !== "keep-alive") {
    for (const word of named.split(",")) {
      const name = word.trim();
      if (name === "close") keep = false;
      else if (/^[\w-]+$/.test(name)) headers.delete(name);
    }
  }
  if (coding !== null && coding !== "chunked")
    throw new ProtocolError(`transfer-encoding is ${JSON.stringify(coding)}`);
  // Both at once: the coding counts, and what follows on the connection is not trusted (RFC 9112, 6.3).
  if (coding !== null && length !== null) keep = false;
  const known = coding === null ? length : null;
  if (known !== null) headers.set("content-length", String(known));
  const chunked = coding !== null && !bodiless;
  return { head: { status, statusText, headers, length: bodiless ? 0 : known }, chunked, keep };
}

type State = "head" | "counted" | "chunk-line" | "chunk" | "chunk-end" | "trailers" | "rest" | "idle";

/** Creates the reader of one connection; call `begin` for each request that is sent on it. */
export class ResponseReader {
  #state: State = "idle";
  #events: ResponseEvents | null = null;
  #headless = false;
  #keep = false;
  /** Bytes left of the body or of the chunk. */
  #left = 0;
  /** A head or a line of which the rest has not come. */
  #held: Uint8Array | null = null;
  #looked = 0;

  /** An answer to this request is awaited. `head`: the method was HEAD, so no body will follow. */
  begin(events: ResponseEvents, head: boolean): void {
    this.#events = events;
    this.#headless = head;
    this.#state = "head";
    this.#held = null;
    this.#looked = 0;
  }

  /** True between `begin` and the last byte of its answer. */
  get busy(): boolean {
    return this.#state !== "idle";
  }

  /** Takes what came. Throws ProtocolError; then the connection must be closed. */
  push(bytes: Uint8Array): void {
    let rest: Uint8Array | null = bytes;
    while (rest !== null && rest.length > 0) rest = this.#step(rest);
  }

  /** The peer ended the connection. Returns whether that completes an answer; false = it broke off, or never began. */
  close(): boolean {
    if (this.#state !== "rest") return false;
    this.#finish(false);
    return true;
  }

  #finish(reusable: boolean): void {
    const events = this.#events;
    this.#events = null;
    this.#state = "idle";
    events?.end(reusable);
  }

  /** Takes some of the bytes and returns the others, null when none is left. */
  #step(bytes: Uint8Array): Uint8Array | null {
    switch (this.#state) {
      case "head":
        return this.#head(bytes);
      case "counted":
      case "chunk":
        return this.#body(bytes);
      case "chunk-line":
      case "chunk-end":
      case "trailers":
        return this.#line(bytes);
      case "rest":
        this.#events?.data(bytes);
        return null;
      case "idle":
        throw new ProtocolError("bytes came that nobody asked for");
    }
  }

  #head(bytes: Uint8Array): Uint8Array | null {
    const all = join(this.#held, bytes);
    const end = endOfHead(all, Math.max(0, this.#looked - 3));
    if (end === -1 || end > HEAD_LIMIT) {
      if (all.length > HEAD_LIMIT) throw new ProtocolError(`the head is longer than ${HEAD_LIMIT} bytes`);
      this.#held = all;
      this.#looked = all.length;
      return null;
    }
    this.#held = null;
    this.#looked = 0;
    const text = toByteString(all.subarray(0, end));
    const status = Number(text.slice(9, 12));
    const bodiless = this.#headless || status === 204 || status === 304;
    const { head, chunked, keep } = parseHead(text, bodiless);
    const rest = end === all.length ? null : all.subarray(end);
    if (head.status < 200) {
      // 100 and 103 announce another head; 101 would change the protocol, which nobody asked for.
      if (head.status === 101) throw new ProtocolError("the peer switched protocols unasked");
      return rest;
    }
    // Unknown length and not chunked: the body lasts as long as the connection.
    this.#keep = keep;
    this.#left = head.length ?? 0;
    this.#state = chunked ? "chunk-line" : head.length === null ? "rest" : "counted";
    this.#events?.head(head);
    if (this.#state === "counted" && this.#left === 0) this.#finish(keep && rest === null);
    return rest;
  }

  #body(bytes: Uint8Array): Uint8Array | null {
    const take = Math.min(this.#left, bytes.length);
    this.#left -= take;
    const rest = take === bytes.length ? null : bytes.subarray(take);
    this.#events?.data(rest === null ? bytes : bytes.subarray(0, take));
    if (this.#left > 0) return null;
    if (this.#state === "chunk") this.#state = "chunk-end";
    else if (this.#state === "counted") this.#finish(this.#keep && rest === null);
    return rest;
  }

  #line(bytes: Uint8Array): Uint8Array | null {
    const at = bytes.indexOf(LF);
    const limit = this.#state === "trailers" ? HEAD_LIMIT : CHUNK_LINE_LIMIT;
    const size = (this.#held?.length ?? 0) + (at === -1 ? bytes.length : at + 1);
    if (size > limit) throw new ProtocolError("a line between chunks is too long");
    if (at === -1) {
      this.#held = join(this.#held, bytes.slice());
      return null;
    }
    const line = join(this.#held, bytes.subarray(0, at + 1));
    this.#held = null;
    if (line[line.length - 2] !== CR) throw new ProtocolError("a line does not end in CR LF");
    const rest = at + 1 === bytes.length ? null : bytes.subarray(at + 1);
    this.#between(line, rest);
    return rest;
  }

  #between(line: Uint8Array, rest: Uint8Array | null): void {
    const empty = line.length === 2;
    if (this.#state === "trailers") {
      if (empty) this.#finish(this.#keep && rest === null);
      return;
    }
    if (this.#state === "chunk-end") {
      if (!empty) throw new ProtocolError("a chunk is longer than it said");
      this.#state = "chunk-line";
      return;
    }
    const found = CHUNK_LENGTH.exec(toByteString(line.subarray(0, line.length - 2)));
    if (found === null) throw new ProtocolError("a chunk's length is no hexadecimal number");
    this.#left = Number.parseInt(found[1] ?? "", 16);
    this.#state = this.#left === 0 ? "trailers" : "chunk";
  }
}
