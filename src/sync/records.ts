/** The syncs that can be looked at: those of this gateway, those of others, and those from before its start. Bounded. */
import type { WeightSync } from "../contract/control/weight-syncs.ts";
import { GatewayError, invalidValue, showValue } from "../errors.ts";
import { createFollowedRecord, type FollowedRecord, type SyncRecord } from "./record.ts";

/** Ended syncs that can still be looked at. */
export const RECORD_LIMIT = 1000;

/** What can be done with any of them. */
export type AnyRecord = FollowedRecord | SyncRecord;

/** The records of one gateway, oldest first. */
export interface Records {
  add(record: SyncRecord): void;
  /** News of a sync that somebody else runs or has run. */
  follow(sync: WeightSync): void;
  get(id: string): AnyRecord | undefined;
  /** Throws `not_found`. */
  find(id: string): AnyRecord;
  delete(id: string): void;
  /** Newest first. Throws `invalid_value` for an unknown `after`. */
  list(page: { readonly limit: number; readonly after?: string }): readonly WeightSync[];
}

/** Creates an empty list. */
export function createRecords(): Records {
  const records = new Map<string, AnyRecord>();

  function forgetOldest(): void {
    for (const id of records.keys()) {
      if (records.size <= RECORD_LIMIT) return;
      records.delete(id);
    }
  }

  return {
    add(record) {
      records.set(record.facts.id, record);
      forgetOldest();
    },
    follow(sync) {
      const known = records.get(sync.id);
      if (known === undefined) records.set(sync.id, createFollowedRecord(sync));
      else if ("show" in known) known.show(sync);
      forgetOldest();
    },
    get: (id) => records.get(id),
    find(id) {
      const record = records.get(id);
      if (record === undefined) throw new GatewayError("not_found", `There is no weight sync ${showValue(id)}.`);
      return record;
    },
    delete: (id) => void records.delete(id),
    list({ limit, after }) {
      const all = [...records.values()].reverse();
      const at = after === undefined ? -1 : all.findIndex(({ facts }) => facts.id === after);
      if (after !== undefined && at < 0) throw invalidValue("after", after, "the id of a weight sync");
      return all.slice(at + 1, at + 1 + limit).map((record) => record.view());
    },
  };
}
