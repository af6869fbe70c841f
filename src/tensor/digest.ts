/** One number for a whole set of weights: equal digests mean equal names, dtypes, shapes and bytes. */
import type { WeightDigest } from "../contract/ids.ts";
import type { Sha256 } from "../ports.ts";

/** What the digest says of one tensor. */
export interface DigestEntry {
  readonly name: string;
  /** safetensors' spelling. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Lower-case hexadecimal SHA-256 of the tensor's bytes as in the file (little-endian, row-major). */
  readonly sha256: string;
}

/**
 * Canonical form, exactly: entries sorted by `name` in order of UTF-16 code units (plain `<` on strings); each gives one
 * line, `JSON.stringify([name, dtype, shape, sha256])` followed by one line feed, as UTF-8:
 *
 *     ["lm_head.weight","BF16",[2,3],"<64 hex digits>"]\n
 *
 * The digest is `sha256:` and the lower-case hexadecimal SHA-256 of those lines. No entries: the hash of nothing.
 * File layout, shard borders, order in the file and `__metadata__` do not count.
 *
 * @param sha256 starts a hash; `ports.sha256`.
 */
export function weightDigest(entries: Iterable<DigestEntry>, sha256: () => Sha256): WeightDigest {
  const sorted = [...entries].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const hash = sha256();
  const encoder = new TextEncoder();
  for (const { name, dtype, shape, sha256: hex } of sorted) {
    hash.update(encoder.encode(`${JSON.stringify([name, dtype, shape, hex])}\n`));
  }
  return `sha256:${hash.hex()}` as WeightDigest;
}
