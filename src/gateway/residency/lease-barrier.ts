/**
 * Between leases and weight syncs: a sync waits for the leases of its replicas, or revokes them, or lets them be, by its
 * mode; new leases wait until it is over. Nested leases pass, since their parent could never end otherwise. No time here.
 */
import type { ReplicaId } from "../../contract/ids.ts";
import type { PauseMode } from "../../engine/engine.ts";
import { orAborted } from "../../lib/deadline.ts";

interface Present {
  readonly replicas: readonly ReplicaId[];
  readonly revoke: (reason: string) => Promise<void>;
}

export interface LeaseBarrier {
  /**
   * Called by a sync before it switches. `wait`: resolves when no lease is held on these replicas. `abort`: revokes them.
   * `keep`: leases stay. Rejects with the signal's reason; the barrier is open again then. The returned function opens it.
   */
  close(replicas: readonly ReplicaId[], mode: PauseMode, reason: string, signal: AbortSignal): Promise<() => void>;
  /** null: nothing closed on these replicas; else resolves when it is open again. */
  opened(replicas: readonly ReplicaId[]): Promise<void> | null;
  entered(id: string, replicas: readonly ReplicaId[], revoke: (reason: string) => Promise<void>): void;
  left(id: string): void;
}

/** Creates an open barrier. */
export function createLeaseBarrier(): LeaseBarrier {
  const present = new Map<string, Present>();
  const closed = new Set<{ readonly replicas: ReadonlySet<ReplicaId>; readonly open: Promise<void> }>();
  const waiting = new Set<() => void>();

  const on = (replicas: ReadonlySet<ReplicaId>): Present[] =>
    [...present.values()].filter((one) => one.replicas.some((id) => replicas.has(id)));

  const idle = (replicas: ReadonlySet<ReplicaId>): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (on(replicas).length > 0) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });

  return {
    async close(ids, mode, reason, signal) {
      if (mode === "keep") return () => undefined;
      const replicas = new Set(ids);
      const gate = Promise.withResolvers<void>();
      const entry = { replicas, open: gate.promise };
      closed.add(entry);
      const open = (): void => {
        closed.delete(entry);
        gate.resolve();
      };
      try {
        if (mode === "abort") {
          await orAborted(Promise.all(on(replicas).map(({ revoke }) => revoke(reason))), signal);
        }
        await orAborted(idle(replicas), signal);
      } catch (error) {
        open();
        throw error;
      }
      return open;
    },
    opened(ids) {
      const found = [...closed].filter(({ replicas }) => ids.some((id) => replicas.has(id)));
      if (found.length === 0) return null;
      return Promise.all(found.map(({ open }) => open)).then(() => undefined);
    },
    entered(id, replicas, revoke) {
      present.set(id, { replicas, revoke });
    },
    left(id) {
      present.delete(id);
      for (const check of [...waiting]) check();
    },
  };
}
