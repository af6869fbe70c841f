/** The largest values of a row, and where they are. Pure numerics over [vocabulary] rows. */

/**
 * Indices of the `k` largest values, best first; among equals the lower index comes first. NaN counts as −Infinity.
 * O(n log k) at worst, one comparison per value in the common case.
 */
export function largestIndices(values: Float32Array, k: number): Int32Array {
  const size = Math.min(k, values.length);
  const heap = new Int32Array(size);
  if (size === 0) return heap;
  const valueAt = (index: number) => {
    const value = values[index]!;
    return Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value;
  };
  /** a is a worse candidate than b. */
  const worse = (a: number, b: number) => {
    const x = valueAt(a);
    const y = valueAt(b);
    return x < y || (x === y && a > b);
  };
  /** The worst candidate is at the root. */
  const siftDown = (start: number) => {
    let at = start;
    const moving = heap[at]!;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && worse(heap[child + 1]!, heap[child]!)) child++;
      if (!worse(heap[child]!, moving)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = moving;
  };
  for (let index = 0; index < size; index++) heap[index] = index;
  for (let start = (size >> 1) - 1; start >= 0; start--) siftDown(start);
  let floor = valueAt(heap[0]!);
  for (let index = size; index < values.length; index++) {
    // Later indices lose ties, so only a larger value enters.
    if (values[index]! > floor) {
      heap[0] = index;
      siftDown(0);
      floor = valueAt(heap[0]!);
    }
  }
  return heap.sort((a, b) => (worse(a, b) ? 1 : -1));
}

/** Index of the largest value; the lowest among equals. −1 when every value is −Infinity or NaN. */
export function argmax(values: Float32Array): number {
  let best = Number.NEGATIVE_INFINITY;
  let at = -1;
  for (let index = 0; index < values.length; index++) {
    if (values[index]! > best) {
      best = values[index]!;
      at = index;
    }
  }
  return at;
}

/** Up to this a heap of the largest beats counting. */
const HEAP_LIMIT = 256;
const heap = new Float32Array(HEAP_LIMIT);

/** The smallest of `heap[0 … size)` is at the root again, after the root was changed. */
function sink(start: number, size: number): void {
  const moving = heap[start]!;
  let at = start;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= size) break;
    if (child + 1 < size && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= moving) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = moving;
}

function kthByHeap(values: Float32Array, k: number): number {
  for (let index = 0; index < k; index++) {
    const value = values[index]!;
    heap[index] = Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value;
  }
  for (let start = (k >> 1) - 1; start >= 0; start--) sink(start, k);
  let floor = heap[0]!;
  for (let index = k; index < values.length; index++) {
    if (values[index]! > floor) {
      heap[0] = values[index]!;
      sink(0, k);
      floor = heap[0]!;
    }
  }
  return floor;
}

/** Bits of a key that are looked at in each round of counting, from the top; together 32. */
const ROUNDS = [12, 12, 8] as const;
const counts = new Uint32Array(1 << 12);
const one = new Float32Array(1);
const oneBits = new Uint32Array(one.buffer);

/** Counts by the upper bits of the value, then by the next ones among those that share the k-th's upper bits, and so on. */
function kthByCounting(values: Float32Array, k: number): number {
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  let left = k;
  let known = 0;
  let knownBits = 0;
  for (const width of ROUNDS) {
    const [above, shift, digits] = [32 - knownBits, 32 - knownBits - width, (1 << width) - 1];
    counts.fill(0);
    for (let index = 0; index < bits.length; index++) {
      const word = bits[index]!;
      // An unsigned integer of the same order as the float; NaN has no order and counts as the least.
      const key = (word & 0x7fff_ffff) > 0x7f80_0000 ? 0 : (word ^ ((word >> 31) | 0x8000_0000)) >>> 0;
      if (knownBits === 0 || key >>> above === known) counts[(key >>> shift) & digits]!++;
    }
    let digit = digits;
    while (counts[digit]! < left) left -= counts[digit--]!;
    known = ((known << width) | digit) >>> 0;
    knownBits += width;
  }
  oneBits[0] = known & 0x8000_0000 ? known & 0x7fff_ffff : ~known;
  return Number.isNaN(one[0]) ? Number.NEGATIVE_INFINITY : one[0]!;
}

/** The `k`-th largest value, 1 ≤ k ≤ length; NaN counts as −Infinity. */
export function kthLargest(values: Float32Array, k: number): number {
  return k <= HEAP_LIMIT ? kthByHeap(values, k) : kthByCounting(values, k);
}
