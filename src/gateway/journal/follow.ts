/**
 * What other gateways have done to the fleet, carried out here: servers that they change get no requests, a version that
 * they published is the published one, what they found out about a server counts here too – once it is sure that it is
 * said of the process which answers there now.
 */
import type { ReplicaId, SyncId, WeightVersion } from "../../contract/ids.ts";
import type { ActiveSync, Head, ServerNote } from "../../contract/journal.ts";
import type { FleetManager } from "../../fleet/fleet.ts";
import type { Replica } from "../../fleet/types.ts";
import { orAborted } from "../../lib/deadline.ts";
import type { Logger } from "../../observe/log.ts";
import type { Clock } from "../../ports.ts";
import { identify } from "../../sync/trainer/work.ts";
import type { CarriedOut } from "./members.ts";
import { keyOf } from "./notes.ts";
import { isOtherProcess } from "./recall.ts";

/** A server says who it is in milliseconds; one that does not is asked again. */
const IDENTIFY_MS = 1000;
/** Requests that were on their way when a server was paused (`abort`) end when it is paused again. */
const STRAGGLER_MS = 300;
const RESUME_MS = 5000;

/** What following needs. */
export interface FollowOptions {
  readonly fleet: FleetManager;
  readonly clock: Clock;
  readonly log: Logger;
  /** This gateway. */
  readonly owner: string;
  /** A sync of this gateway has the lease and answers for this server. */
  readonly isOwn: (key: string) => boolean;
  /** The weights of a version that another gateway has published, where they are kept. */
  readonly useSets: (sets: readonly SyncId[]) => Promise<void>;
  /** A fenced server that comes back as another process is looked at. */
  readonly watchFenced: (id: ReplicaId) => void;
  /** Something more was carried out. */
  readonly onCarried: () => void;
}

/** See the head of the file. */
export interface Follower {
  /**
   * Takes a new head. At once, before it returns: nothing is sent any more where another gateway writes. `own`: a sync of
   * this gateway has the lease, and publishes by itself.
   */
  hear(head: Head, own: boolean): void;
  /** News of a server, not of this gateway. */
  believe(key: string): void;
  readonly carried: CarriedOut;
  /** Resolves when what was heard so far has been carried out; a server that does not answer holds that up for a second. */
  settled(): Promise<void>;
  stop(): void;
}

interface Holding {
  readonly id: SyncId;
  readonly keys: ReadonlySet<string>;
  done: boolean;
  readonly life: AbortController;
}

/** Creates it; nothing is held. */
export function createFollower(options: FollowOptions): Follower {
  const { fleet, clock, log, owner, isOwn, useSets, watchFenced, onCarried } = options;
  let head: Head | undefined;
  let holding: Holding | undefined;
  /** Servers whose note is being looked at: they serve when that is over. */
  const believing = new Map<string, symbol>();
  /** Servers that this gateway has paused, to end its requests there; whoever changed them did not. */
  const paused = new Set<string>();
  const tasks = new Set<Promise<void>>();
  const life = new AbortController();
  let publishing: Promise<void> = Promise.resolve();

  const byKey = (key: string): Replica | undefined => fleet.replicas().find((replica) => keyOf(replica) === key);

  const foreign = (): ActiveSync | null => {
    const active = head?.active ?? null;
    return active === null || active.owner === owner || active.touchedAt === null ? null : active;
  };

  function reasonFor(key: string): string | null {
    if (holding?.keys.has(key) === true) return `sync ${holding.id} of another gateway changes its weights`;
    return believing.has(key) ? "another gateway has changed its weights" : null;
  }

  /** Also for servers that were attached a moment ago. */
  function show(): void {
    for (const replica of fleet.replicas()) {
      const key = keyOf(replica);
      if (key !== null) fleet.setElsewhere(replica.id, reasonFor(key));
    }
  }

  /** Resolves when no request of ours runs on them any more; for `keep` they may go on. */
  async function letGo({ mode }: ActiveSync, held: Holding): Promise<void> {
    const { signal } = held.life;
    // A resume that is still under way must not undo the pause of the sync that begins now.
    await orAborted(Promise.all(tasks), signal);
    const mine = (): Replica[] => [...held.keys].flatMap((key) => byKey(key) ?? []);
    if (mode === "abort") {
      while (mine().some(({ inFlight }) => inFlight > 0)) {
        for (const key of held.keys) paused.add(key);
        await Promise.allSettled(
          mine().map(({ engine }) => engine.control?.pause("abort", false, { signal }) ?? Promise.resolve()),
        );
        const pass = new Promise<void>((resolve) => clock.timer(STRAGGLER_MS, resolve));
        const ids = mine().map(({ id }) => id);
        await orAborted(Promise.race([fleet.drained(ids, signal), pass]), signal);
      }
    } else if (mode === "wait") {
      const ids = mine().map(({ id }) => id);
      await fleet.drained(ids, signal);
    }
    if (holding !== held) return;
    held.done = true;
    onCarried();
  }

  function hold(active: ActiveSync | null): void {
    const same =
      active !== null && holding?.id === active.id && active.touched.every((key) => holding?.keys.has(key) === true);
    if (same || (active === null && holding === undefined)) return;
    const before = holding;
    before?.life.abort(new Error("that sync has ended"));
    holding =
      active === null
        ? undefined
        : { id: active.id, keys: new Set(active.touched), done: false, life: new AbortController() };
    for (const key of before?.keys ?? []) {
      if (holding?.keys.has(key) !== true) believe(key);
    }
    show();
    if (active !== null && holding !== undefined) {
      letGo(active, holding).catch((error: unknown) => {
        if (!life.signal.aborted && holding?.id === active.id)
          log.warn("sync of another gateway: servers are still in use here", { error });
      });
    }
  }

  /** A sync that ended before it had paused the server itself does not resume it. */
  async function resume(replica: Replica): Promise<void> {
    const limit = AbortSignal.any([life.signal, AbortSignal.timeout(RESUME_MS)]);
    await replica.engine.control?.resume({ signal: limit }).catch((error: unknown) => {
      log.warn("server could not be resumed", { replica: replica.id, error });
    });
  }

  /** What is written down of a server is carried out when it is sure of whom it speaks. */
  function believe(key: string): void {
    if (isOwn(key)) return;
    const turn = Symbol(key);
    believing.set(key, turn);
    const isCurrent = (): boolean => believing.get(key) === turn && !life.signal.aborted;
    const work = async (): Promise<void> => {
      await publishing;
      const replica = byKey(key);
      const target = replica?.engine.transfer;
      const now = target === undefined ? null : ((await identify(clock, target, IDENTIFY_MS)) ?? null);
      if (!isCurrent()) return;
      const note = head?.servers[key];
      if (replica !== undefined && note !== undefined) carryOut(replica, note, now);
      if (replica !== undefined && paused.delete(key) && note?.fence === null) await resume(replica);
      believing.delete(key);
      show();
    };
    const task = work()
      .catch((error: unknown) => log.error("store: a server's note could not be carried out", { key, error }))
      .finally(() => tasks.delete(task));
    tasks.add(task);
  }

  function carryOut(replica: Replica, note: ServerNote, now: ServerNote["identity"]): void {
    const { id, engine } = replica;
    if (now !== null) engine.transfer?.meet(now);
    if (isOtherProcess(note, now)) {
      // It has the weights of its start, whatever was written down of the one before.
      fleet.setWeights(id, 0 as WeightVersion, null);
      return;
    }
    fleet.setWeights(id, note.version, note.digest);
    if (note.fence !== null) {
      if (replica.state === "quarantined") return;
      // Whoever changed it may have left it paused, or in the middle of an update.
      engine.weights?.adopt?.();
      log.warn("server fenced by another gateway", { replica: id, reason: note.fence });
      fleet.setState(id, "quarantined", note.fence);
      watchFenced(id);
    } else if (note.version !== null) {
      engine.weights?.disown?.();
      if (replica.state === "quarantined") fleet.setState(id, "ready", null);
    }
  }

  async function publish(to: Head): Promise<void> {
    const { version, digest } = to.published;
    const now = fleet.published();
    if (now.version === version && now.digest === digest) return;
    await useSets(to.sets);
    // Ours or an even newer one has come in between.
    if (fleet.published().version > version) return;
    fleet.publish(version, digest);
  }

  const unsubscribe = fleet.subscribe(show);

  return {
    hear(next, own) {
      head = next;
      // Begun before anything is let go: what is believed waits for it.
      if (!own) {
        publishing = publishing
          .then(() => publish(next))
          .catch((error: unknown) => log.error("store: a published version could not be taken over", { error }));
      }
      hold(foreign());
    },
    believe(key) {
      believe(key);
      show();
    },
    async settled() {
      await publishing;
      await Promise.all(tasks);
    },
    get carried() {
      return { seen: head?.rev ?? 0, held: holding?.done === true ? holding.id : null };
    },
    stop() {
      unsubscribe();
      holding?.life.abort(new Error("the gateway stops"));
      life.abort(new Error("the gateway stops"));
    },
  };
}
