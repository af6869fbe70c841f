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

/** The `k`-th largest value, 1 ≤ k ≤ length. */
export function kthLargest(values: Float32Array, k: number): number {
  // A heap of k beats sorting while k is small against the vocabulary.
  if (k <= 1024) return values[largestIndices(values, k)[k - 1]!]!;
  const sorted = values.slice().sort();
  return sorted[values.length - k]!;
}
