/**
 * Random draws that depend on nothing but (seed, sample, position): a counter-based generator, so that a seeded
 * sequence draws the same numbers whatever else is in the batch, and after a recompute.
 */

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;
/** Threefish key schedule parity, 32-bit. */
const PARITY = 0x1bd11bda;

/**
 * Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011; Random123).
 *
 * @returns two independent 32-bit words, unsigned
 */
export function threefry2x32(key0: number, key1: number, counter0: number, counter1: number): [number, number] {
  const keys = [key0 | 0, key1 | 0, PARITY ^ key0 ^ key1];
  let x0 = (counter0 + keys[0]!) | 0;
  let x1 = (counter1 + keys[1]!) | 0;
  for (let round = 0; round < 20; round++) {
    const rotation = ROTATIONS[round % 8]!;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << rotation) | (x1 >>> (32 - rotation))) ^ x0;
    if (round % 4 !== 3) continue;
    const injection = (round + 1) / 4;
    x0 = (x0 + keys[injection % 3]!) | 0;
    x1 = (x1 + keys[(injection + 1) % 3]! + injection) | 0;
  }
  return [x0 >>> 0, x1 >>> 0];
}

/**
 * A number in [0, 1) with 53 random bits.
 *
 * @param seed any safe integer, negative ones included
 * @param position output tokens before this one
 */
export function drawUniform(seed: number, sample: number, position: number): number {
  const high = Math.floor(seed / 2 ** 32);
  const [a, b] = threefry2x32(seed >>> 0, high, position, sample);
  return ((a >>> 5) * 2 ** 26 + (b >>> 6)) / 2 ** 53;
}
