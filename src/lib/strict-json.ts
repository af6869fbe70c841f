/**
 * A JSON reader that hides nothing: doubled keys stay visible and numbers keep their text. For headers of untrusted
 * files, where `JSON.parse` would silently keep the last of two equal keys and round 64-bit integers.
 * Same grammar as serde_json (RFC 8259; lone surrogate escapes refused; at most 128 levels).
 */

/** A number as written. */
export class JsonNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }

  /** The value when it is an integer from 0 to 2^53 − 1 written without sign, fraction or exponent; else undefined. */
  get natural(): number | undefined {
    if (!/^\d{1,16}$/.test(this.text)) return undefined;
    const value = Number(this.text);
    return Number.isSafeInteger(value) ? value : undefined;
  }
}

/** An object as written: entries in order, doubled keys included. */
export class JsonObject {
  readonly entries: readonly (readonly [key: string, value: JsonValue])[];
  constructor(entries: readonly (readonly [string, JsonValue])[]) {
    this.entries = entries;
  }
}

export type JsonValue = string | boolean | null | JsonNumber | JsonObject | readonly JsonValue[];

/** serde_json's own limit; also keeps our recursion off the end of the stack. */
const DEPTH_LIMIT = 128;

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const SPACE = /[ \n\r\t]*/y;

/**
 * Reads one JSON text. Throws SyntaxError with the position.
 *
 * @example
 * ```ts
 * import { JsonObject, parseStrictJson } from "./strict-json.ts";
 * const value = parseStrictJson('{"a":1,"a":2}');
 * if (!(value instanceof JsonObject) || value.entries.length !== 2) throw new Error("a doubled key was hidden");
 * ```
 */
export function parseStrictJson(text: string): JsonValue {
  let at = 0;

  const fail = (what: string): SyntaxError => new SyntaxError(`${what} at character ${at}`);
  const space = (): void => {
    SPACE.lastIndex = at;
    SPACE.test(text);
    at = SPACE.lastIndex;
  };

  const string = (): string => {
    let end = at + 1;
    for (;;) {
      const quote = text.indexOf('"', end);
      if (quote < 0) throw fail("unterminated string");
      let slashes = 0;
      while (text.charCodeAt(quote - 1 - slashes) === 0x5c && quote - 1 - slashes > at) slashes += 1;
      end = quote + 1;
      if (slashes % 2 === 0) break;
    }
    let value: unknown;
    try {
      value = JSON.parse(text.slice(at, end));
    } catch {
      throw fail("invalid string");
    }
    if (typeof value !== "string" || !value.isWellFormed()) throw fail("lone surrogate in string");
    at = end;
    return value;
  };

  const word = <T extends boolean | null>(spelled: string, value: T): T => {
    if (!text.startsWith(spelled, at)) throw fail("unexpected character");
    at += spelled.length;
    return value;
  };

  const number = (): JsonNumber => {
    NUMBER.lastIndex = at;
    const found = NUMBER.exec(text)?.[0];
    if (found === undefined) throw fail("unexpected character");
    if (!Number.isFinite(Number(found))) throw fail("number out of range");
    at += found.length;
    return new JsonNumber(found);
  };

  /** Reads `item` separated by commas until `close`; `at` is on the opening bracket. */
  const list = (close: string, item: () => void): void => {
    at += 1;
    space();
    if (text[at] === close) {
      at += 1;
      return;
    }
    for (;;) {
      item();
      space();
      const next = text[at];
      at += 1;
      if (next === close) return;
      if (next !== ",") {
        at -= 1;
        throw fail(next === undefined ? "unexpected end" : "expected a comma");
      }
      space();
    }
  };

  const value = (depth: number): JsonValue => {
    if (depth > DEPTH_LIMIT) throw fail("nested too deeply");
    switch (text[at]) {
      case '"':
        return string();
      case "{": {
        const entries: [string, JsonValue][] = [];
        list("}", () => {
          if (text[at] !== '"') throw fail("key must be a string");
          const key = string();
          space();
          if (text[at] !== ":") throw fail("expected a colon");
          at += 1;
          space();
          entries.push([key, value(depth + 1)]);
        });
        return new JsonObject(entries);
      }
      case "[": {
        const items: JsonValue[] = [];
        list("]", () => items.push(value(depth + 1)));
        return items;
      }
      case "t":
        return word("true", true);
      case "f":
        return word("false", false);
      case "n":
        return word("null", null);
      case undefined:
        throw fail("unexpected end");
      default:
        return number();
    }
  };

  space();
  const result = value(1);
  space();
  if (at !== text.length) throw fail("trailing characters");
  return result;
}
