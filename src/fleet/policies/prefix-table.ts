/**
 * Which beginnings of prompts a replica has seen lately, and so may still have in its prefix cache. A guess, never asked
 * of the server; bounded; forgotten with the weights that made the cache.
 */
import type { WeightVersion } from "../../contract/ids.ts";

/** Blocks remembered per replica: at 16 tokens a block a million tokens, about what a large GPU's cache holds; some 4 MB here. */
const BLOCK_LIMIT = 65_536;

/** Blocks by their chained hash, the oldest first. */
export class PrefixTable {
  readonly #blocks = new Set<number>();
  readonly #limit: number;
  #version: WeightVersion | null = null;

  constructor(limit = BLOCK_LIMIT) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#blocks.size;
  }

  /** How many of the first blocks are here. `version` is what the replica serves: other weights, another cache. */
  match(blocks: readonly number[], version: WeightVersion | null): number {
    if (version !== this.#version) return 0;
    // A block is here only with those before it (see `add`): the boundary can be searched by halves.
    let low = 0;
    let high = blocks.length;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#blocks.has(blocks[middle - 1] as number)) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The replica gets a prompt of these blocks. The last block is noted first: what is forgotten first is then an end, not a beginning. */
  add(blocks: readonly number[], version: WeightVersion | null): void {
    if (version !== this.#version) {
      this.#blocks.clear();
      this.#version = version;
    }
    for (let at = blocks.length - 1; at >= 0; at -= 1) {
      const block = blocks[at] as number;
      this.#blocks.delete(block);
      this.#blocks.add(block);
    }
    for (const block of this.#blocks) {
      if (this.#blocks.size <= this.#limit) return;
      this.#blocks.delete(block);
    }
  }

  /** The replica's cache is empty: it was restarted, or told so. */
  clear(): void {
    this.#blocks.clear();
  }
}
