/**
 * The audit log: who changed which weights when. Append-only; the newest entries are kept in memory, with a durable store
 * there too, and all go to the log.
 */
import type { AuditEntry } from "../contract/control/fleet.ts";
import type { Gateway } from "../gateway-types.ts";
import type { Logger } from "../observe/log.ts";

/** Entries kept for `GET /api/audit`; older ones live on in the log stream. */
const KEPT = 10_000;

/** The audit log, and what comes into it from elsewhere. */
export interface Audit {
  readonly append: Gateway["audit"]["append"];
  readonly list: Gateway["audit"]["list"];
  /** Entries of other gateways, or from before the start, oldest first: they were logged there. */
  learn(entries: readonly AuditEntry[]): void;
}

/** Creates the audit log; every entry is also one log line at level info. `onAppend`: it is kept elsewhere too. */
export function createAudit(log: Logger, onAppend: (entry: AuditEntry) => void): Audit {
  const entries: AuditEntry[] = [];
  const trim = (): void => {
    if (entries.length > KEPT) entries.splice(0, entries.length - KEPT);
  };
  return {
    append(entry) {
      entries.push(entry);
      trim();
      log.info("audit", { ...entry });
      onAppend(entry);
    },
    learn(more) {
      if (more.length === 0) return;
      entries.push(...more);
      // Times are texts of one form: they sort as they are.
      entries.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
      trim();
    },
    list({ limit, after }) {
      const newest = entries.toReversed();
      const start = after === undefined ? 0 : newest.findIndex((entry) => entry.request_id === after) + 1;
      return newest.slice(start, start + limit);
    },
  };
}
