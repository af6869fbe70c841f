/** The audit log: who changed which weights when. Append-only; the newest entries are kept in memory, all go to the log. */
import type { AuditEntry } from "../contract/control/fleet.ts";
import type { Gateway } from "../gateway-types.ts";
import type { Logger } from "../observe/log.ts";

/** Entries kept for `GET /api/audit`; older ones live on in the log stream. */
const KEPT = 10_000;

/** Creates the audit log; every entry is also one log line at level info. */
export function createAudit(log: Logger): Gateway["audit"] {
  const entries: AuditEntry[] = [];
  return {
    append(entry) {
      entries.push(entry);
      if (entries.length > KEPT) entries.shift();
      log.info("audit", { ...entry });
    },
    list({ limit, after }) {
      const newest = entries.toReversed();
      const start = after === undefined ? 0 : newest.findIndex((entry) => entry.request_id === after) + 1;
      return newest.slice(start, start + limit);
    },
  };
}
