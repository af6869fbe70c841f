/** `wrap_as_list` of the Python original: whatever comes as arguments leaves as one list. */

/**
 * Positional values first, then keyword values in insertion order.
 *
 * @param args - Positional values, kept in order. Nested lists are not flattened.
 * @param kwargs - Keyword values; their names are dropped.
 * @returns A new array.
 *
 * Source: `wrap_as_list(*args, **kwargs)` of SakanaAI/RLT.
 *
 * @example
 * ```ts
 * import { wrapAsList } from "./wrap-as-list.ts";
 * const list = wrapAsList([1, [2]], { b: 3, a: 4 });
 * if (JSON.stringify(list) !== "[1,[2],3,4]") throw new Error(JSON.stringify(list));
 * ```
 */
export function wrapAsList<T>(args: readonly T[], kwargs: Readonly<Record<string, T>> = {}): T[] {
  return [...args, ...Object.values(kwargs)];
}
