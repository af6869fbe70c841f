/** Which weight versions this gateway has served, newest first. Bounded, in memory. */
import type { WeightVersionRecord } from "../contract/control/weight-syncs.ts";
import { invalidValue } from "../errors.ts";

/** One sync a minute for a week. */
const HISTORY_LIMIT = 10_000;

export interface History {
  append(record: WeightVersionRecord): void;
  /** Newest first; `after` is the version that ended the page before. Throws GatewayError `invalid_value`. */
  list(page: { readonly limit: number; readonly after?: string }): readonly WeightVersionRecord[];
  get(version: number): WeightVersionRecord | undefined;
}

/** Creates an empty history. Versions must be appended in growing order. */
export function createHistory(): History {
  const records = new Map<number, WeightVersionRecord>();
  return {
    append(record) {
      records.set(record.version, record);
      for (const oldest of records.keys()) {
        if (records.size <= HISTORY_LIMIT) break;
        records.delete(oldest);
      }
    },
    list({ limit, after }) {
      if (after !== undefined && !/^\d{1,16}$/.test(after)) throw invalidValue("after", after, "a weight version");
      const below = after === undefined ? Number.POSITIVE_INFINITY : Number(after);
      return [...records.values()]
        .reverse()
        .filter((record) => record.version < below)
        .slice(0, limit);
    },
    get: (version) => records.get(version),
  };
}
