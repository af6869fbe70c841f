/** Remembers which request made which result, so that a repeated POST does not start a second sync. Bounded. */
import { GatewayError } from "../errors.ts";

export interface Idempotency<T> {
  /**
   * Runs `make` once per key; a repeat with the same fingerprint gets the same promise. A failed one is forgotten, so
   * that the caller may try again. Throws GatewayError `idempotency_conflict` for another fingerprint.
   */
  run(key: string | undefined, fingerprint: string, make: () => Promise<T>): Promise<T>;
}

/** JSON with object keys in sorted order: equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    item !== null && typeof item === "object" && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}

/** @param limit keys remembered; the one used longest ago is forgotten first. */
export function createIdempotency<T>(limit: number): Idempotency<T> {
  const known = new Map<string, { readonly fingerprint: string; readonly result: Promise<T> }>();
  return {
    async run(key, fingerprint, make) {
      if (key === undefined) return make();
      const earlier = known.get(key);
      if (earlier !== undefined) {
        if (earlier.fingerprint !== fingerprint) {
          throw new GatewayError(
            "idempotency_conflict",
            "This Idempotency-Key was used with another request. Use a new key for a new request.",
            { param: "Idempotency-Key" },
          );
        }
        known.delete(key);
        known.set(key, earlier);
        return earlier.result;
      }
      const result = make();
      known.set(key, { fingerprint, result });
      for (const oldest of known.keys()) {
        if (known.size <= limit) break;
        known.delete(oldest);
      }
      try {
        return await result;
      } catch (error) {
        if (known.get(key)?.result === result) known.delete(key);
        throw error;
      }
    },
  };
}
