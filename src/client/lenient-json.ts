/** JSON as Python servers write it: vLLM and TRL put bare NaN and Infinity where a logprob is none. */

/**
 * Parses JSON; a bare `NaN` reads as null, `Infinity` and `-Infinity` as the numbers. Throws SyntaxError for the rest.
 *
 * @example
 * ```ts
 * import { parseLenientJson } from "./lenient-json.ts";
 * const value = parseLenientJson('{"a": [NaN, -Infinity], "b": "NaN"}') as { a: (number | null)[]; b: string };
 * if (value.a[0] !== null || value.a[1] !== Number.NEGATIVE_INFINITY || value.b !== "NaN") throw new Error("read wrongly");
 * ```
 */
export function parseLenientJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!/NaN|Infinity/.test(text)) throw error;
    // Texts are matched first, so that what stands inside them stays. 1e999 is how JSON spells infinity.
    return JSON.parse(
      text.replaceAll(/"(?:[^"\\]|\\.)*"|\bNaN\b|\bInfinity\b/g, (found) => {
        if (found.startsWith('"')) return found;
        return found === "NaN" ? "null" : "1e999";
      }),
    );
  }
}
