/** Small integer hashes for sticky routing. Not for secrets: an attacker can choose colliding session ids, and gains nothing. */

/** FNV-1a over UTF-16 code units, 32 bit. */
export function hashText(text: string): number {
  let state = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    state = Math.imul(state ^ text.charCodeAt(index), 0x01000193);
  }
  return state >>> 0;
}

/** Mixes two hashes into one (the finalizer of MurmurHash3). Uniform enough that each of N replicas gets 1/N of the sessions. */
export function mixHashes(first: number, second: number): number {
  let state = (first ^ Math.imul(second, 0x9e3779b1)) >>> 0;
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}
