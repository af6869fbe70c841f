/**
 * Keys and values of token prefixes that may come again, in blocks beside the slots: copied out of a slot when a prompt
 * has been read or a sequence ends, and into the slot of a later sequence that starts with the same tokens. What is
 * copied is the sequence's own, so nothing here is ever in use by a running one. Bounded; the least recently used goes
 * first. Knows tokens and rows, not sequences.
 *
 * A block is found by the block before it and its own tokens, compared whole: no hash can collide. The first block's
 * predecessor is a number that stands for the weights, and the request's salt; `drop` draws another number, and nothing
 * computed before can match.
 */
import type { KvCache } from "./kv-cache.ts";

/** Tokens of a block; vLLM's. Only whole blocks are kept. */
export const PREFIX_BLOCK = 16;

interface Block {
  readonly id: number;
  /** The predecessor's id and the tokens. */
  readonly key: string;
  /** As `KvCache.copyOut` lays them out. */
  readonly rows: Float32Array;
}

export class PrefixCache {
  readonly #cache: KvCache;
  /** Blocks at most. */
  readonly #capacity: number;
  readonly #blockElements: number;
  /**
   * Least recently used first. A use counts for the last block of a path first and for the first block last, so that a
   * block is always older than the one before it: what goes first never has successors.
   */
  readonly #blocks = new Map<string, Block>();
  #nextId = 0;
  #root = this.#nextId++;

  /** @param budgetBytes what all blocks together may take; they are allocated as they are needed */
  constructor(cache: KvCache, budgetBytes: number) {
    this.#cache = cache;
    this.#blockElements = cache.tokenElements * PREFIX_BLOCK;
    this.#capacity = Math.floor(budgetBytes / (this.#blockElements * Float32Array.BYTES_PER_ELEMENT));
  }

  /** Bytes that the blocks take. */
  get bytes(): number {
    return this.#blocks.size * this.#blockElements * Float32Array.BYTES_PER_ELEMENT;
  }

  /**
   * Fills the start of a slot with what is known of these tokens.
   *
   * @param limit tokens at most
   * @param salt only what was kept under the same one is found
   * @returns tokens filled, a multiple of the block
   */
  restore(tokens: readonly number[], limit: number, slot: number, salt?: string): number {
    const path = this.#find(tokens, limit, salt);
    for (const [index, block] of path.entries()) {
      this.#cache.copyIn(slot, index * PREFIX_BLOCK, PREFIX_BLOCK, block.rows);
    }
    this.#touch(path);
    return path.length * PREFIX_BLOCK;
  }

  /** Keeps the first `count` of these tokens, whose keys and values are in the slot; whole blocks, as far as they fit. */
  save(tokens: readonly number[], count: number, slot: number, salt?: string): void {
    if (this.#capacity === 0) return;
    const path = this.#find(tokens, count, salt);
    // Out of the order while it grows, so that making room cannot take a block of the path itself.
    for (const { key } of path) this.#blocks.delete(key);
    for (let at = path.length * PREFIX_BLOCK; at + PREFIX_BLOCK <= count; at += PREFIX_BLOCK) {
      const rows = this.#allocate(path.length);
      if (rows === null) break;
      this.#cache.copyOut(slot, at, PREFIX_BLOCK, rows);
      path.push({ id: this.#nextId++, key: this.#keyOf(path.at(-1), tokens, at, salt), rows });
    }
    this.#touch(path);
  }

  /** Forgets everything; what is computed from now on is another's weights, or as if they were. */
  drop(): void {
    this.#blocks.clear();
    this.#root = this.#nextId++;
  }

  #keyOf(before: Block | undefined, tokens: readonly number[], at: number, salt: string | undefined): string {
    const first = salt === undefined ? this.#root : `${this.#root}${JSON.stringify(salt)}`;
    return `${before?.id ?? first}:${tokens.slice(at, at + PREFIX_BLOCK).join()}`;
  }

  /** The blocks of the longest known prefix of at most `limit` tokens. */
  #find(tokens: readonly number[], limit: number, salt: string | undefined): Block[] {
    const path: Block[] = [];
    for (let at = 0; at + PREFIX_BLOCK <= limit; at += PREFIX_BLOCK) {
      const block = this.#blocks.get(this.#keyOf(path.at(-1), tokens, at, salt));
      if (block === undefined) break;
      path.push(block);
    }
    return path;
  }

  /** Makes a path the most recently used; adds what is not in the order. */
  #touch(path: readonly Block[]): void {
    for (const block of path.toReversed()) {
      this.#blocks.delete(block.key);
      this.#blocks.set(block.key, block);
    }
  }

  /** Memory for a block, that of the least recently used one where there is no more; null when every block is held. */
  #allocate(held: number): Float32Array | null {
    if (this.#blocks.size + held < this.#capacity) return new Float32Array(this.#blockElements);
    const [oldest] = this.#blocks.values();
    if (oldest === undefined) return null;
    this.#blocks.delete(oldest.key);
    return oldest.rows;
  }
}
