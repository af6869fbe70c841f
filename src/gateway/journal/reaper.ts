/**
 * What a gateway that ended in the middle of a sync has left: whoever gets its lease says so, fences what it had touched,
 * and resumes what it had published with and left paused.
 */
import { SyncDocument } from "../../contract/journal.ts";
import type { FleetRegistry } from "../../fleet/types.ts";
import type { Logger } from "../../observe/log.ts";
import type { Clock } from "../../ports.ts";
import type { Store, StoreLease } from "../../store/store.ts";
import { leftPaused, resumeLeft } from "./left-paused.ts";
import { type HeadLedger, withRecent } from "./open-head.ts";
import { endDead } from "./records.ts";
import { toReason, withoutDead } from "./recover.ts";

/** What it needs. */
export interface ReaperOptions {
  readonly opened: () => { readonly store: Store; readonly ledger: HeadLedger };
  readonly fleet: FleetRegistry;
  readonly clock: Clock;
  readonly log: Logger;
  readonly leaseMilliseconds: number;
  /** The lease, if it is free now. */
  readonly lease: () => Promise<StoreLease | undefined>;
}

/** See the head of the file. */
export interface Reaper {
  /** The lease is ours: whoever ran a sync before is dead, or has lost it. */
  recover(lease: StoreLease | undefined): Promise<void>;
  /** Does it when there is something to do and the lease is free. */
  reap(): Promise<void>;
}

/** Creates it. */
export function createReaper(options: ReaperOptions): Reaper {
  const { opened, fleet, clock, log, leaseMilliseconds } = options;

  async function recover(lease: StoreLease | undefined): Promise<void> {
    const { store, ledger } = opened();
    const { active } = ledger.head;
    if (active === null) return;
    const writes = await endDead(store, ledger.head, clock.now());
    const phase = writes.length === 0 ? "switch" : "";
    await ledger.change((head) => {
      if (head.active?.id !== active.id) return null;
      const record = writes[0]?.value;
      const told = record == null ? undefined : SyncDocument.parse(JSON.parse(record));
      const reason = told?.sync.error?.message ?? toReason(active, phase);
      const seq = told?.seq;
      return {
        head: {
          ...withoutDead(head, active, reason),
          recent: seq === undefined ? head.recent : withRecent(head, seq),
        },
        writes,
      };
    }, lease?.check);
    log.warn("a weight sync was left unfinished by a gateway that ended", { sync: active.id, servers: active.touched });
  }

  return {
    recover,
    async reap() {
      const { ledger } = opened();
      if (ledger.head.active === null && leftPaused(ledger.head.servers).length === 0) return;
      const lease = await options.lease();
      if (lease === undefined) return;
      try {
        await ledger.refresh();
        await recover(lease);
        await resumeLeft({ ledger, fleet, clock, log, lease: lease.check, leaseMilliseconds });
      } finally {
        await lease.release();
      }
    },
  };
}
