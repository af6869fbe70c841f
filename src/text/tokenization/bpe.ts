/** Byte-pair encoding as tokenizers 0.23 does it (`models/bpe`): symbols of a piece, merged by rank, leftmost first. */
import { GatewayError } from "../../errors.ts";
import { type Json, list, text } from "./parts.ts";

/**
 * A piece of text → ids. `lengths`: gets for each id how many UTF-8 bytes of the piece it takes; how the library counts them, a
 * byte of its own is one, and what is left out is no part of any.
 */
export type Model = (piece: string, out: number[], lengths?: number[]) => void;

/** In `lengths`: the same bytes as the id before. */
export const SAME = -1;

/** Pieces remembered, and the longest of them: words repeat, long runs do not. */
const CACHE_LIMIT = 10_000;
const CACHED_LENGTH = 256;

/** From this number of symbols on a queue of merges pays; below, looking at all pairs is quicker. */
const QUEUE_FROM = 48;

const utf8 = new TextEncoder();

/** Bytes of a text in UTF-8. */
export const byteLength = (value: string): number => utf8.encode(value).length;

/** `<0xNN>` ids of a text's bytes, or undefined when one is missing. */
export function fallbackIds(value: string, vocabulary: ReadonlyMap<string, number>): number[] | undefined {
  const ids: number[] = [];
  for (const byte of utf8.encode(value)) {
    const id = vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
    if (id === undefined) return undefined;
    ids.push(id);
  }
  return ids;
}

interface Merge {
  readonly rank: number;
  readonly at: number;
  readonly left: number;
  readonly right: number;
}

/** A binary heap of merges by rank, then place. */
class MergeQueue {
  readonly #items: Merge[] = [];
  #before(a: Merge, b: Merge): boolean {
    return a.rank < b.rank || (a.rank === b.rank && a.at < b.at);
  }
  push(item: Merge): void {
    const items = this.#items;
    let at = items.push(item) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!this.#before(item, items[up] as Merge)) break;
      items[at] = items[up] as Merge;
      at = up;
    }
    items[at] = item;
  }
  pop(): Merge | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return top;
    let at = 0;
    while (true) {
      let child = at * 2 + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && this.#before(items[child + 1] as Merge, items[child] as Merge)) child += 1;
      if (!this.#before(items[child] as Merge, last)) break;
      items[at] = items[child] as Merge;
      at = child;
    }
    items[at] = last;
    return top;
  }
}

/** Builds the model. Throws GatewayError `unsupported` for a merge of tokens that are not in the vocabulary. */
export function createBpe(model: Json, vocabulary: ReadonlyMap<string, number>): Model {
  const prefix = text(model.continuing_subword_prefix);
  const suffix = text(model.end_of_word_suffix);
  const unknown = typeof model.unk_token === "string" ? vocabulary.get(model.unk_token) : undefined;
  const [fuse, fallback, ignoreMerges] = [
    model.fuse_unk === true,
    model.byte_fallback === true,
    model.ignore_merges === true,
  ];
  /** Greater than any id, so that a pair is one exact number. */
  let base = 1;
  for (const id of vocabulary.values()) if (id >= base) base = id + 1;
  const ranks = new Map<number, number>();
  const merges = list(model.merges);
  const made = new Int32Array(merges.length);
  for (const [rank, merge] of merges.entries()) {
    const cut = typeof merge === "string" ? merge.indexOf(" ") : -1;
    const [a, b] = typeof merge === "string" ? [merge.slice(0, cut), merge.slice(cut + 1)] : list(merge).map(String);
    const left = vocabulary.get(a ?? "");
    const right = vocabulary.get(b ?? "");
    const joined = vocabulary.get(`${a}${(b ?? "").slice(prefix.length)}`);
    if (left === undefined || right === undefined || joined === undefined) {
      throw new GatewayError(
        "unsupported",
        `The tokenizer's merge ${rank} (${JSON.stringify(merge)}) is out of its vocabulary.`,
      );
    }
    ranks.set(left * base + right, rank);
    made[rank] = joined;
  }

  const symbols = (piece: string, lengths?: number[]): number[] => {
    const ids: number[] = [];
    let pending = false;
    let pendingBytes = 0;
    const flush = (): void => {
      if (pending && unknown !== undefined) {
        ids.push(unknown);
        lengths?.push(pendingBytes);
      }
      pending = false;
      pendingBytes = 0;
    };
    const decorated = prefix !== "" || suffix !== "";
    for (let at = 0; at < piece.length; ) {
      const c = String.fromCodePoint(piece.codePointAt(at) ?? 0);
      const end = at + c.length;
      const spelled = decorated ? (at > 0 ? prefix : "") + c + (end === piece.length ? suffix : "") : c;
      at = end;
      const id = vocabulary.get(spelled);
      if (id !== undefined) {
        flush();
        ids.push(id);
        lengths?.push(byteLength(c));
        continue;
      }
      const bytes = fallback ? fallbackIds(spelled, vocabulary) : undefined;
      if (bytes !== undefined) {
        ids.push(...bytes);
        lengths?.push(...bytes.map(() => 1));
        continue;
      }
      if (unknown === undefined) continue;
      if (!fuse) flush();
      pending = true;
      if (lengths !== undefined) pendingBytes += byteLength(c);
    }
    flush();
    return ids;
  };

  /** The right one of two merged symbols gives its bytes to the left one. */
  const mergeShort = (ids: number[], lengths?: number[]): number[] => {
    while (ids.length > 1) {
      let best = Number.POSITIVE_INFINITY;
      let at = -1;
      for (let index = 0; index + 1 < ids.length; index += 1) {
        const rank = ranks.get((ids[index] ?? 0) * base + (ids[index + 1] ?? 0));
        if (rank !== undefined && rank < best) {
          best = rank;
          at = index;
        }
      }
      if (at < 0) break;
      ids[at] = made[best] ?? 0;
      ids.splice(at + 1, 1);
      if (lengths !== undefined) lengths[at] = (lengths[at] ?? 0) + (lengths.splice(at + 1, 1)[0] ?? 0);
    }
    return ids;
  };

  const mergeLong = (ids: number[], lengths?: number[]): number[] => {
    const next = ids.map((_, index) => index + 1);
    const previous = ids.map((_, index) => index - 1);
    const queue = new MergeQueue();
    const offer = (at: number): void => {
      const right = next[at] ?? ids.length;
      if (at < 0 || right >= ids.length) return;
      const rank = ranks.get((ids[at] ?? 0) * base + (ids[right] ?? 0));
      if (rank !== undefined) queue.push({ rank, at, left: ids[at] ?? 0, right: ids[right] ?? 0 });
    };
    for (let at = 0; at + 1 < ids.length; at += 1) offer(at);
    for (let merge = queue.pop(); merge !== undefined; merge = queue.pop()) {
      const { at } = merge;
      const right = next[at] ?? ids.length;
      if (ids[at] !== merge.left || right >= ids.length || ids[right] !== merge.right) continue;
      ids[at] = made[merge.rank] ?? 0;
      ids[right] = -1;
      if (lengths !== undefined) {
        lengths[at] = (lengths[at] ?? 0) + (lengths[right] ?? 0);
        // Emptied, so that it can be told from what was there: no symbol has no bytes.
        lengths[right] = 0;
      }
      const after = next[right] ?? ids.length;
      next[at] = after;
      if (after < ids.length) previous[after] = at;
      offer(previous[at] ?? -1);
      offer(at);
    }
    if (lengths !== undefined)
      lengths.splice(0, lengths.length, ...lengths.filter((_, index) => (ids[index] ?? 0) >= 0));
    return ids.filter((id) => id >= 0);
  };

  const cache = new Map<string, readonly number[]>();
  const encode = (piece: string, lengths?: number[]): number[] => {
    const start = symbols(piece, lengths);
    return start.length < QUEUE_FROM ? mergeShort(start, lengths) : mergeLong(start, lengths);
  };
  return (piece, out, lengths) => {
    const known = ignoreMerges ? vocabulary.get(piece) : undefined;
    if (known !== undefined) {
      out.push(known);
      lengths?.push(byteLength(piece));
      return;
    }
    let ids = lengths === undefined ? cache.get(piece) : undefined;
    if (ids === undefined) {
      const own: number[] | undefined = lengths === undefined ? undefined : [];
      ids = encode(piece, own);
      for (const length of own ?? []) lengths?.push(length);
      if (piece.length <= CACHED_LENGTH) {
        if (cache.size >= CACHE_LIMIT) cache.clear();
        cache.set(piece, ids);
      }
    }
    for (const id of ids) out.push(id);
  };
}
