/**
 * How many tokens the KV cache may hold at a time, and who finds room in it. Slots are as long as the context and share
 * one budget: what counts is the tokens that lie in them, in whole pages. Arithmetic only; owns no memory.
 */

/** Tokens that are counted as one: about a page of memory of each layer and head. */
export const CACHE_PAGE = 16;

const toPages = (tokens: number): number => Math.ceil(tokens / CACHE_PAGE);

export class CacheRoom {
  /** Tokens of all sequences together. */
  readonly capacity: number;
  readonly #pages: number;

  /** @param tokens what the budget holds; at least one sequence of the longest context */
  constructor(tokens: number) {
    this.capacity = tokens;
    this.#pages = toPages(tokens);
  }

  /** Whether sequences of these lengths may be in the cache together. A single one always may. */
  holds(lengths: readonly number[]): boolean {
    return lengths.length <= 1 || this.#sum(lengths) <= this.#pages;
  }

  /**
   * Whether one more may join: each keeps a page to grow into, so that who joins is not sent away by the next step.
   *
   * @param lengths of those in the cache
   */
  admits(lengths: readonly number[], next: number): boolean {
    if (lengths.length === 0) return true;
    return this.#sum(lengths) + toPages(next) + lengths.length + 1 <= this.#pages;
  }

  #sum(lengths: readonly number[]): number {
    let pages = 0;
    for (const length of lengths) pages += toPages(length);
    return pages;
  }
}

/** Beyond this, memory is more likely to be missed elsewhere than a prefix here. */
const PREFIX_BYTES_LIMIT = 2 ** 29;

/** Bytes of a KV cache's budget, shared out. */
export interface CacheShares {
  /** What prefixes kept for reuse may take. */
  readonly prefixBytes: number;
  /** Tokens that sequences may have in their slots together. */
  readonly tokens: number;
}

/**
 * Shares a budget between slots and prefixes. Prefixes get what full slots would leave, or a quarter of what is beyond
 * one sequence; never more than the slots could take, nor 512 MiB.
 *
 * @param sequenceBytes one sequence of the longest context; the budget holds at least that
 * @param positions tokens of it
 * @param wished bytes for prefixes, where somebody chose
 */
export function shareCache(
  budgetBytes: number,
  sequenceBytes: number,
  options: { readonly positions: number; readonly slots: number; readonly wished: number | undefined },
): CacheShares {
  const { positions, slots, wished } = options;
  const full = slots * sequenceBytes;
  const beyond = Math.max(0, budgetBytes - sequenceBytes);
  const fitting = Math.min(Math.max(budgetBytes - full, Math.floor(beyond / 4)), full, PREFIX_BYTES_LIMIT);
  const prefixBytes = Math.min(wished ?? fitting, beyond);
  const tokens = Math.floor((budgetBytes - prefixBytes) / (sequenceBytes / positions));
  return { prefixBytes, tokens: Math.min(tokens, slots * positions) };
}
