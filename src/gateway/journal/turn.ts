/**
 * The right to change weights, as long as one sync has it: a lease of the store, renewed in time and given up in time,
 * and everything of the sync that is written down under it. With a store of one gateway there is nothing to lose.
 */
import type { WeightSync } from "../../contract/control/weight-syncs.ts";
import type { ReplicaId } from "../../contract/ids.ts";
import type { Head, ServerNote, SyncDocument } from "../../contract/journal.ts";
import { GatewayError } from "../../errors.ts";
import type { FleetRegistry } from "../../fleet/types.ts";
import { orAborted } from "../../lib/deadline.ts";
import type { Logger } from "../../observe/log.ts";
import type { Clock } from "../../ports.ts";
import type { Store, StoreLease } from "../../store/store.ts";
import type { SyncTurn, TurnKind } from "../../sync/journal.ts";
import { KEY } from "./head.ts";
import { toResumed } from "./left-paused.ts";
import { keyOf, toNote, withIdentity } from "./notes.ts";
import { type Change, type HeadLedger, withRecent } from "./open-head.ts";

/** Renewals in the time of a lease. */
const RENEWALS = 3;
/** The part of a lease in which its holder no longer acts: clocks differ, and answers of the store take time. */
const MARGIN = 0.15;
/** So often a renewal that failed is tried again. */
const RETRY_MS = 250;

/** What a turn is made of. */
export interface TurnOptions {
  readonly ledger: HeadLedger;
  readonly store: Store;
  readonly fleet: FleetRegistry;
  readonly clock: Clock;
  readonly log: Logger;
  /** Not there: nobody else can have the right. */
  readonly lease: StoreLease | undefined;
  readonly leaseMilliseconds: number;
  /** When the lease was asked for, monotonic. */
  readonly asked: number;
  readonly seq: number;
  readonly kind: TurnKind;
  readonly sync: WeightSync;
  /** Resolves when every other gateway has seen this head. */
  readonly seenByAll: (rev: number, signal: AbortSignal) => Promise<void>;
  /** From here on these servers' weights are this turn's. */
  readonly onTouch: (keys: readonly string[]) => void;
  /** Everything is written, or cannot be any more. */
  readonly onEnd: () => Promise<void>;
}

/** What of a sync is worth a write: progress is not. */
const signOf = ({ state, phase, servers, error }: WeightSync): string =>
  JSON.stringify([state, phase, servers.map((server) => [server.id, server.phase, server.error]), error]);

/** Starts it; the head says already that the sync runs. */
export function createTurn(options: TurnOptions): SyncTurn {
  const { ledger, store, fleet, clock, log, lease, leaseMilliseconds, seq, kind, sync } = options;
  const life = new AbortController();
  let until = options.asked + leaseMilliseconds * (1 - MARGIN);
  let ended = false;
  /** What is written from now on is the last word. */
  let settled = false;
  let touched: readonly ReplicaId[] = [];
  let written = signOf(sync);
  let noting: WeightSync | undefined;
  let writing: Promise<void> = Promise.resolve();

  const lost = (): GatewayError =>
    new GatewayError(
      "store_unavailable",
      `This gateway has lost the right to change weights: the store at ${store.facts.place} was not reached for ${leaseMilliseconds / 1000} s (--store-lease). Another gateway may run a sync now.`,
    );
  const lose = (): void => {
    if (!ended && !life.signal.aborted) life.abort(lost());
  };
  let renewal = schedule(leaseMilliseconds / RENEWALS);
  let expiry = lease === undefined ? undefined : clock.timer(leaseMilliseconds * (1 - MARGIN), lose);

  function schedule(milliseconds: number): { cancel(): void } | undefined {
    return lease === undefined ? undefined : clock.timer(milliseconds, () => void renew());
  }

  async function renew(): Promise<void> {
    if (ended || life.signal.aborted || lease === undefined) return;
    const asked = clock.monotonic();
    try {
      if (!(await lease.renew())) return lose();
      until = asked + leaseMilliseconds * (1 - MARGIN);
      expiry?.cancel();
      if (ended) return;
      expiry = clock.timer(Math.max(0, until - clock.monotonic()), lose);
      renewal = schedule(leaseMilliseconds / RENEWALS);
    } catch (error) {
      log.warn("store: the lease of a sync could not be renewed", { sync: sync.id, error });
      renewal = schedule(RETRY_MS);
    }
  }

  const check = (): void => {
    if (lease !== undefined && clock.monotonic() >= until) lose();
    life.signal.throwIfAborted();
  };

  const record = (value: WeightSync) => ({
    key: KEY.sync(seq),
    value: JSON.stringify({ seq, sync: value } satisfies SyncDocument),
  });
  const change = (make: Change): Promise<Head> => ledger.change(make, lease?.check);

  /** Tries again while the right lasts: a store that is away for a moment must not cost a sync. */
  async function insist(make: Change): Promise<void> {
    for (;;) {
      check();
      try {
        await orAborted(change(make), life.signal);
        return;
      } catch (error) {
        if (!(error instanceof GatewayError) || error.code !== "store_unavailable" || lease === undefined) throw error;
        if (life.signal.aborted) throw error;
        await orAborted(new Promise<void>((resolve) => clock.timer(RETRY_MS, resolve)), life.signal);
      }
    }
  }

  /** The servers of this sync as they are at its end; `as`: those that have just got new weights. */
  async function notesOf(
    as: ReadonlyMap<ReplicaId, Pick<ServerNote, "version" | "digest">>,
  ): Promise<Record<string, ServerNote>> {
    const found = await Promise.all(
      touched.map(async (id): Promise<[string, ServerNote] | null> => {
        const replica = fleet.replica(id);
        const key = replica === undefined ? null : keyOf(replica);
        if (replica === undefined || key === null) return null;
        const given = as.get(id);
        const now = given === undefined ? toNote(replica) : { ...given, fence: null, open: false, paused: true };
        if (now !== null) {
          const open = now.fence !== null && kind === "trainer";
          return [key, await withIdentity(clock, replica, { ...now, open })];
        }
        const away = `It did not serve when sync ${sync.id} ended; what it holds is unknown.`;
        return [
          key,
          { version: null, digest: null, fence: away, open: kind === "trainer", paused: false, identity: null },
        ];
      }),
    );
    return Object.fromEntries(found.filter((one) => one !== null));
  }

  return {
    signal: life.signal,
    check,
    async touch(replicas, mode, signal) {
      const keys = replicas.flatMap((id) => {
        const replica = fleet.replica(id);
        return (replica === undefined ? null : keyOf(replica)) ?? [];
      });
      touched = replicas;
      options.onTouch(keys);
      if (keys.length === 0) return;
      let rev = 0;
      await insist((head) => {
        if (head.active?.id !== sync.id) return null;
        rev = head.rev + 1;
        return {
          head: { ...head, active: { ...head.active, mode, touched: keys, touchedAt: rev } },
          ...(kind === "refit" ? {} : { writes: [record(noting ?? sync)] }),
        };
      });
      await options.seenByAll(rev, AbortSignal.any([signal, life.signal]));
      check();
    },
    note(now) {
      if (kind === "refit" || settled || signOf(now) === written) return;
      written = signOf(now);
      const first = noting === undefined;
      noting = now;
      if (!first) return;
      writing = writing
        .then(async () => {
          const latest = noting ?? now;
          noting = undefined;
          if (settled) return;
          await change((head) => ({ head: { ...head, recent: withRecent(head, seq) }, writes: [record(latest)] }));
        })
        .catch((error: unknown) =>
          log.warn("store: the state of a sync could not be written down", { sync: sync.id, error }),
        );
    },
    async publish({ sync: final, record: version, sets, replicas }) {
      settled = true;
      await writing;
      const given = new Map(replicas.map((id) => [id, publishedNote(final, id)]));
      const servers = await notesOf(given);
      await insist((head) => ({
        head: {
          ...head,
          published: { version: version.version, digest: version.digest },
          sets: sets as Head["sets"],
          recent: withRecent(head, seq),
          active: null,
          servers: { ...head.servers, ...servers },
        },
        writes: [record(final), { key: KEY.version(version.version), value: JSON.stringify(version) }],
      }));
    },
    async end(final) {
      if (ended) return;
      settled = true;
      await writing;
      try {
        const servers = await notesOf(new Map());
        await insist((head) => {
          const running = head.active?.id === sync.id;
          // What was published is not touched again; that its servers have been resumed is new.
          const ended = running ? servers : toResumed(head.servers, Object.keys(servers));
          return {
            head: {
              ...head,
              active: running ? null : head.active,
              servers: { ...head.servers, ...ended },
              ...(final === null ? {} : { recent: withRecent(head, seq) }),
            },
            ...(final === null ? {} : { writes: [record(final)] }),
          };
        });
      } catch (error) {
        log.error("store: the end of a sync could not be written down", { sync: sync.id, error });
      }
      ended = true;
      renewal?.cancel();
      expiry?.cancel();
      await lease?.release().catch(() => undefined);
      await options.onEnd();
    },
  };
}

function publishedNote(final: WeightSync, id: ReplicaId): Pick<ServerNote, "version" | "digest"> {
  const proven = final.servers.find((server) => server.id === id)?.digest;
  return { version: final.version, digest: proven === undefined ? null : final.digest };
}
