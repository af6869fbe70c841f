/** Which prompts of a batch go together, and the request body that holds only those. Pure. */
import { readItems, type Span } from "../../lib/json-spans.ts";

/** Prompts `first` to `first + count - 1`. */
export interface Slice {
  readonly first: number;
  readonly count: number;
}

/**
 * Contiguous slices whose sizes differ by at most one, the first ones bigger: as TRL's server shares prompts out over
 * its data-parallel workers, and RLT's client over servers. Never an empty one.
 *
 * @example
 * ```ts
 * import { toSlices } from "./slices.ts";
 * const sizes = toSlices(257, 3).map(({ count }) => count);
 * if (sizes.join() !== "86,86,85") throw new Error(sizes.join());
 * ```
 */
export function toSlices(prompts: number, shares: number): Slice[] {
  const parts = Math.min(prompts, shares);
  const size = Math.floor(prompts / parts);
  const bigger = prompts % parts;
  let first = 0;
  return Array.from({ length: parts }, (_, index) => {
    const slice = { first, count: size + (index < bigger ? 1 : 0) };
    first += slice.count;
    return slice;
  });
}

/** A body that can be cut into slices, every byte outside of the lists and of the items kept as it was written. */
export interface SlicedBody {
  readonly prompts: number;
  take(slice: Slice): Uint8Array<ArrayBuffer>;
}

/** Bytes between the quotes of `[` and `-`, `0` to `9`: one prompt as token ids, not several. */
const isNumber = (byte: number | undefined): boolean =>
  byte === 0x2d || (byte !== undefined && byte >= 0x30 && byte <= 0x39);

/**
 * Finds the items of the lists, of which the first holds the prompts. undefined where there are fewer than two prompts,
 * or another list has another length: such a body goes to one server, which words the refusal.
 */
export function openBody(body: Uint8Array, lists: readonly Span[]): SlicedBody | undefined {
  let items: Span[][];
  try {
    items = lists.map((list) => readItems(body, list));
  } catch {
    return undefined;
  }
  const prompts = items[0]?.length ?? 0;
  if (prompts < 2 || isNumber(body[items[0]?.[0]?.start ?? 0])) return undefined;
  if (items.some(({ length }) => length !== prompts)) return undefined;
  const order = lists
    .map((list, index) => ({ list, items: items[index] ?? [] }))
    .sort((a, b) => a.list.start - b.list.start);
  return {
    prompts,
    take({ first, count }) {
      const pieces: Uint8Array[] = [];
      let at = 0;
      for (const { list, items: all } of order) {
        const start = all[first]?.start ?? list.start;
        const end = all[first + count - 1]?.end ?? list.start;
        pieces.push(body.subarray(at, list.start + 1), body.subarray(start, end));
        at = list.end - 1;
      }
      pieces.push(body.subarray(at));
      return concatenate(pieces);
    },
  };
}

/** One array out of many. */
export function concatenate(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}
