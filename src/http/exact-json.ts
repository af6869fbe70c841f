/**
 * A request body with its numbers as they were written, for what a chat template may print: Python tells `1.0` from `1`
 * and keeps every digit of an integer. Values are opaque where they are such numbers; only `JSON.stringify` reads them.
 */

interface RawJson {
  readonly rawJSON: (text: string) => unknown;
  readonly parse: (
    text: string,
    reviver: (key: string, value: unknown, context?: { readonly source?: string }) => unknown,
  ) => unknown;
}

/** Is there anything that may be such a number? Also true for text that looks like one: that only costs a second look. */
const ODD = /\d[.eE]|\d{16}/;

/** Longest number that is kept digit by digit: Python's own limit for ints. */
const DIGIT_LIMIT = 4300;

/**
 * undefined when there is nothing to keep. The bytes are known to be a JSON object in UTF-8.
 *
 * @example
 * ```ts
 * import { parseExactJson } from "./exact-json.ts";
 * const exact = parseExactJson(new TextEncoder().encode('{"size": 1.0}'));
 * if (JSON.stringify(exact) !== '{"size":1.0}') throw new Error("number changed");
 * ```
 */
export function parseExactJson(bytes: Uint8Array): Record<string, unknown> | undefined {
  const text = new TextDecoder().decode(bytes);
  const json = JSON as unknown as Partial<RawJson>;
  const { rawJSON, parse } = json;
  if (!ODD.test(text) || rawJSON === undefined || parse === undefined) return undefined;
  const exact = parse.call(JSON, text, (_key, value, context) => {
    const source = context?.source;
    if (typeof value !== "number" || source === undefined || source.length > DIGIT_LIMIT) return value;
    return String(value) === source ? value : rawJSON(source);
  });
  return exact as Record<string, unknown>;
}
