/**
 * What each server holds, written down whenever that changes here: so that a gateway that starts later, or another one,
 * knows which servers may serve which version. Only servers with a URL: a worker ends with its gateway.
 */
import type { ReplicaId } from "../../contract/ids.ts";
import type { ServerNote } from "../../contract/journal.ts";
import type { FleetRegistry, Replica } from "../../fleet/types.ts";
import type { Logger } from "../../observe/log.ts";
import type { Clock } from "../../ports.ts";
import { identify } from "../../sync/trainer/work.ts";
import type { HeadLedger } from "./open-head.ts";

/** A server says who it is in milliseconds. */
const IDENTIFY_MS = 1000;

/** By which a server is known to all gateways. */
export const keyOf = (replica: Replica): string | null => replica.engine.url;

/** What the fleet says of it now; null while that is open (it is away, starting or just being changed). */
export function toNote(replica: Replica): Omit<ServerNote, "identity"> | null {
  if (replica.info === null) return null;
  if (replica.state === "quarantined") {
    const fence = replica.lastError ?? "It was fenced.";
    return { version: null, digest: null, fence, open: false, paused: false };
  }
  if (replica.state !== "ready" && replica.state !== "draining") return null;
  return { version: replica.weightVersion, digest: replica.weightDigest, fence: null, open: false, paused: false };
}

/** Asks the server who it is, so that a later gateway can tell whether it is still the same process. */
export async function withIdentity(
  clock: Pick<Clock, "timer">,
  replica: Replica,
  note: Omit<ServerNote, "identity">,
): Promise<ServerNote> {
  const target = replica.engine.transfer;
  const found = target === undefined ? undefined : await identify(clock, target, IDENTIFY_MS);
  return { ...note, identity: found ?? null };
}

/** What of a note counts: that it changed. */
export const sign = (note: Omit<ServerNote, "identity">): string =>
  JSON.stringify([note.version, note.digest, note.fence !== null]);

/** Keeps the notes true. */
export interface Notes {
  /** This is what the store says of it: it need not be written again. True when that is news. */
  heard(key: string, note: ServerNote): boolean;
  /** The store answers: what could not be written is written now. */
  retry(): void;
  stop(): void;
}

/** Starts watching. `skip`: servers that a running sync answers for. */
export function watchNotes(options: {
  readonly fleet: FleetRegistry;
  readonly clock: Pick<Clock, "timer">;
  readonly log: Logger;
  readonly ledger: HeadLedger;
  readonly skip: (key: string) => boolean;
  /** Another gateway has found out something about it meanwhile. */
  readonly overtake: (key: string) => void;
}): Notes {
  const { fleet, clock, log, ledger, skip, overtake } = options;
  /** What the store was last heard to say. */
  const known = new Map<string, string>();
  const pending = new Set<string>();
  /** Being written, or not written yet because the store was away: here it is known better than there. */
  const owed = new Set<string>();

  async function write(id: ReplicaId, key: string): Promise<void> {
    const replica = fleet.replica(id);
    const now = replica === undefined ? null : toNote(replica);
    if (replica === undefined || now === null || skip(key) || known.get(key) === sign(now))
      return void owed.delete(key);
    owed.add(key);
    const note = await withIdentity(clock, replica, now);
    const before = known.get(key);
    let overtaken = false;
    await ledger.change((head) => {
      const there = head.servers[key];
      // Another gateway has found out something since; what is known here must not undo it. A fence always counts.
      overtaken = note.fence === null && there !== undefined && before !== undefined && sign(there) !== before;
      if (overtaken) return null;
      // An older gateway's fence is lifted only by what happened here since.
      const open = note.fence !== null && there?.open === true;
      // That a sync still has to resume it says the sync.
      const paused = note.fence === null && there?.paused === true;
      return { head: { ...head, servers: { ...head.servers, [key]: { ...note, open, paused } } } };
    });
    owed.delete(key);
    if (overtaken) overtake(key);
    else known.set(key, sign(now));
  }

  function attempt(id: ReplicaId, key: string): void {
    if (pending.has(key)) return;
    pending.add(key);
    // Several changes in one turn of the event loop are one.
    queueMicrotask(() => {
      write(id, key)
        .catch((error: unknown) =>
          log.warn("store: what a server holds could not be written down", { replica: id, error }),
        )
        .finally(() => pending.delete(key));
    });
  }

  const unsubscribe = fleet.subscribe((id) => {
    const replica = id === null ? undefined : fleet.replica(id);
    const key = replica === undefined ? null : keyOf(replica);
    if (replica === undefined || key === null) return;
    const now = toNote(replica);
    if (now !== null && !skip(key) && known.get(key) !== sign(now)) attempt(replica.id, key);
  });

  return {
    retry() {
      for (const key of owed) {
        const replica = fleet.replicas().find((one) => keyOf(one) === key);
        if (replica === undefined) owed.delete(key);
        else attempt(replica.id, key);
      }
    },
    heard(key, note) {
      if (owed.has(key)) return false;
      const now = sign(note);
      const news = known.get(key) !== now;
      known.set(key, now);
      return news;
    },
    stop: unsubscribe,
  };
}
