/** Many calls, a few at a time, results in order. The first failure ends the others. */

/**
 * @param limit calls in flight at most
 * @param task gets a signal that aborts when the caller's does or when another task failed
 */
export async function mapConcurrently<T, R>(
  items: readonly T[],
  limit: number,
  signal: AbortSignal | undefined,
  task: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const failed = new AbortController();
  const either = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  const results: R[] = new Array(items.length);
  let next = 0;
  const runner = async (): Promise<void> => {
    while (next < items.length && !either.aborted) {
      const index = next;
      next += 1;
      results[index] = await task(items[index] as T, either);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(limit, items.length) }, runner));
  } catch (error) {
    failed.abort(error);
    throw error;
  }
  signal?.throwIfAborted();
  return results;
}
