/**
 * JSON as Python reads it: `1.0` stays a float and integers beyond 2^53 keep their digits, so that a template prints them
 * as the reference does. For values that go to templates; everything else is well served by JSON.parse.
 */
import { PyFloat } from "./jinja/values.ts";

type Reviver = (this: unknown, key: string, value: unknown, context?: { readonly source?: string }) => unknown;

/** Longest number that is read digit by digit: Python's own limit for ints. */
const DIGIT_LIMIT = 4300;

/** A number's value by the text it was written with; without the text (an older runtime) the value as it is. */
const revive: Reviver = (_key, value, context) => {
  const source = context?.source;
  if (typeof value !== "number" || source === undefined) return value;
  if (/[.eE]/.test(source)) return Number.isInteger(value) ? new PyFloat(value) : value;
  return Number.isSafeInteger(value) || source.length > DIGIT_LIMIT ? value : BigInt(source);
};

/**
 * Parses JSON; floats without a fraction come as PyFloat, large integers as bigint. Throws SyntaxError like JSON.parse.
 *
 * @example
 * ```ts
 * import { parsePythonJson } from "./json.ts";
 * const value = parsePythonJson('{"id": 12345678901234567890}') as { id: unknown };
 * if (value.id !== 12345678901234567890n) throw new Error("digits lost");
 * ```
 */
export function parsePythonJson(text: string): unknown {
  return JSON.parse(text, revive as (this: unknown, key: string, value: unknown) => unknown);
}
