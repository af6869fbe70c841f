/**
 * The journal of a gateway with a durable store: who may sync, what is published, what each server holds. Opened at the
 * start, before any engine; until then nothing can be begun.
 */

import type { AuditEntry } from "../../contract/control/fleet.ts";
import type { WeightSync } from "../../contract/control/weight-syncs.ts";
import type { SyncId } from "../../contract/ids.ts";
import { type Head, SyncDocument, VersionDocument } from "../../contract/journal.ts";
import { GatewayError } from "../../errors.ts";
import type { FleetManager } from "../../fleet/fleet.ts";
import type { Logger } from "../../observe/log.ts";
import type { Clock, Random } from "../../ports.ts";
import type { Store, StoreLease, StoreWrite } from "../../store/store.ts";
import { createFreeJournal, type SyncJournal, type TurnKind } from "../../sync/journal.ts";
import type { Syncs } from "../../sync/syncs.ts";
import { createAnnounced } from "./announced.ts";
import { type AuditRing, createAuditRing } from "./audit-ring.ts";
import { createFollower, type Follower } from "./follow.ts";
import { KEY, parseDocument } from "./head.ts";
import { toResumed } from "./left-paused.ts";
import { createMembers, type Members, type MembersOptions } from "./members.ts";
import { keyOf, type Notes, sign, toNote, watchNotes } from "./notes.ts";
import { type HeadLedger, openHead, withRecent } from "./open-head.ts";
import { createReaper } from "./reaper.ts";
import type { Recaller } from "./recall.ts";
import { readRecords } from "./records.ts";
import { toRefusal } from "./recover.ts";
import { createTurn } from "./turn.ts";

/** The name of the one lease. */
const LEASE = "sync";
/** Records of ended syncs that are kept. */
const KEPT_SYNCS = 1000;
/** Rounds between two looks for audit entries of other gateways. */
const AUDIT_ROUNDS = 10;
/** A gateway that has the lease writes down its sync within some round trips to the store. */
const BEGINNING_MS = 2000;
const BEGINNING_LOOK_MS = 20;

/** What the journal needs. `syncs` is made with the journal, and so comes later. */
export interface JournalOptions {
  readonly fleet: FleetManager;
  readonly clock: Clock;
  readonly random: Pick<Random, "uuid">;
  readonly log: Logger;
  readonly durable: boolean;
  readonly leaseMilliseconds: number;
  readonly syncs: () => Syncs;
  /** Where this gateway is reached, for people; known when it listens. */
  readonly at: () => string | null;
  readonly onLook: MembersOptions["onLook"];
  /** Audit entries from before the start, or of other gateways; oldest first. */
  readonly onAudit: (entries: readonly AuditEntry[]) => void;
  /** Servers that were attached or detached at another gateway. */
  readonly onAttached: (attached: Head["attached"]) => void;
}

/** The journal, and what the gateway does with it. */
export interface StoreJournal extends SyncJournal, Recaller {
  /** Reads what is there, and ends what a dead gateway left. Throws GatewayError `store_unavailable`. */
  open(store: Store): Promise<void>;
  /** The version that the fleet starts with is in the history of all. */
  recordStart(): Promise<void>;
  /** Servers that `fence` has fenced are watched, now that they are attached. */
  watchFenced(): void;
  /** An update of a trainer may be open on it. */
  isLeftOpen(id: string): boolean;
  /** Why no server may be sent a request now; null when it may. */
  unheard(): string | null;
  /** A sync of this gateway has the lease of a shared store. */
  holdsLease(): boolean;
  /** Keeps an audit entry. Never throws. */
  audit(entry: AuditEntry): void;
  /** A server was attached here (as that) or detached (null): at the other gateways too. */
  attached(url: string, as: Head["attached"][string]): Promise<void>;
  readonly store: Store | undefined;
  readonly head: Head | undefined;
  close(): Promise<void>;
}

/** Creates it, closed. */
export function createJournal(options: JournalOptions): StoreJournal {
  const { fleet, clock, random, log, durable, leaseMilliseconds, syncs } = options;
  const owner = random.uuid();
  let store: Store | undefined;
  let ledger: HeadLedger | undefined;
  let notes: Notes | undefined;
  /** `rev` of the newest record that was read. */
  let readTo = 0;
  let mine: SyncId | null = null;
  let members: Members | undefined;
  let follower: Follower | undefined;
  /** A turn of this gateway is open; the URLs that it has touched. */
  let turn: Set<string> | undefined;
  let turnId: string | undefined;
  /** The head says so too. */
  let inPower = false;
  let beginning = false;
  let ring: AuditRing | undefined;
  let rounds = 0;
  const announced = createAnnounced(() => (durable ? store : undefined), random);

  const opened = (): { store: Store; ledger: HeadLedger } => {
    if (store !== undefined && ledger !== undefined) return { store, ledger };
    throw new GatewayError("conflict", "The gateway is still starting; no sync can begin yet.");
  };

  const isForeign = (): boolean => ledger?.head.active != null && ledger.head.active.owner !== owner;
  const isTouched = (key: string): boolean => ledger?.head.active?.touched.includes(key) === true;

  /** Hears what is new in a head: fences at once, then records, so that whoever sees a version finds its sync. */
  async function onHead(head: Head, own = false): Promise<void> {
    const from = store;
    if (from === undefined) return;
    // Once another gateway has taken the lease, what it says counts, also while a turn of ours is still ending.
    inPower = turn !== undefined && (own || head.active?.id === turnId);
    follower?.hear(head, inPower);
    for (const [key, note] of Object.entries(head.servers)) {
      // Of those that a sync of ours has touched it is heard when that has ended.
      if ((inPower && turn?.has(key) === true) || !(notes?.heard(key, note) ?? false)) continue;
      if (!isTouched(key)) follower?.believe(key);
    }
    options.onAttached(head.attached);
    const news = head.recent.filter(({ rev }) => rev > readTo);
    for (const { seq } of news) {
      const key = KEY.sync(seq);
      const text = await from.get(key);
      if (text === undefined) continue;
      const { sync } = parseDocument(SyncDocument, key, text, from.facts.place);
      if (sync.id !== mine) syncs().follow(sync);
    }
    const { version } = head.published;
    if (syncs().versions.get(version) === undefined) {
      const key = KEY.version(version);
      const text = await from.get(key);
      if (text !== undefined) syncs().learn(parseDocument(VersionDocument, key, text, from.facts.place));
    }
    readTo = head.rev;
  }

  /** A turn of ours is over: what others have done since is heard now. */
  async function endTurn(): Promise<void> {
    const touched = turn ?? new Set();
    turn = undefined;
    turnId = undefined;
    inPower = false;
    if (ledger === undefined) return;
    const { head } = ledger;
    follower?.hear(head, false);
    for (const key of touched) {
      const note = head.servers[key];
      if (note === undefined || isTouched(key)) continue;
      notes?.heard(key, note);
      const replica = fleet.replicas().find((one) => keyOf(one) === key);
      const here = replica === undefined ? null : toNote(replica);
      if (here !== null && sign(here) !== sign(note)) follower?.believe(key);
    }
  }

  const refusal = (): GatewayError | null => toRefusal(ledger?.head.active ?? null, owner);

  async function acquire(): Promise<StoreLease | undefined> {
    const { store, ledger } = opened();
    if (!store.facts.shared) return undefined;
    const until = clock.monotonic() + BEGINNING_MS;
    for (;;) {
      const lease = await store.lease(LEASE, leaseMilliseconds);
      if (lease !== undefined) return lease;
      await ledger.refresh();
      const refused = refusal();
      if (refused !== null) throw refused;
      // Its sync is being written down, or has just ended.
      if (clock.monotonic() >= until) {
        throw new GatewayError(
          "sync_in_progress",
          "Another gateway is just beginning or ending a weight sync. Send the request again in a moment.",
          { retryAfter: 1 },
        );
      }
      await new Promise<void>((resolve) => clock.timer(BEGINNING_LOOK_MS, resolve));
    }
  }

  const reaper = createReaper({
    ...{ opened, fleet, clock, log, leaseMilliseconds },
    lease: () => opened().store.lease(LEASE, leaseMilliseconds),
  });
  const { recover } = reaper;

  const free = createFreeJournal();

  async function begin(sync: WeightSync, kind: TurnKind) {
    if (!durable) return free.begin(sync, kind);
    const { store, ledger } = opened();
    beginning = true;
    let lease: StoreLease | undefined;
    try {
      const asked = clock.monotonic();
      lease = await acquire();
      await ledger.refresh();
      await recover(lease);
      await announced.read();
      let seq = 0;
      const { id, version, mode } = sync;
      mine = kind === "refit" ? mine : id;
      await ledger.change((head) => {
        if (head.active !== null) throw new GatewayError("sync_in_progress", `Sync ${head.active.id} is running.`);
        if (kind !== "refit" && version <= head.published.version) {
          throw new GatewayError(
            "conflict",
            `version must be greater than the published version ${head.published.version}, got ${version}: another gateway has just published it.`,
            { param: "version" },
          );
        }
        seq = kind === "refit" ? head.seq : head.seq + 1;
        const token = lease?.token ?? 0;
        const active = { id, kind, owner, at: options.at(), token, mode, touched: [], touchedAt: null };
        const writes: StoreWrite[] = [
          { key: KEY.sync(seq), value: JSON.stringify({ seq, sync }) },
          ...(seq > KEPT_SYNCS ? [{ key: KEY.sync(seq - KEPT_SYNCS), value: null }] : []),
        ];
        const recent = kind === "refit" ? head.recent : withRecent(head, seq);
        return { head: { ...head, seq, active, recent }, ...(kind === "refit" ? {} : { writes }) };
      }, lease?.check);
      turn = new Set();
      turnId = id;
      inPower = true;
      return createTurn({
        ...{ ledger, store, fleet, clock, log, lease, leaseMilliseconds, asked, seq, kind, sync },
        onTouch: (keys) => {
          for (const key of keys) turn?.add(key);
        },
        seenByAll: async (rev, signal) => members?.seenByAll(id, rev, signal),
        onEnd: () => {
          if (mine === id) mine = null;
          return endTurn();
        },
      });
    } catch (error) {
      if (mine === sync.id) mine = null;
      await lease?.release().catch(() => undefined);
      throw error;
    } finally {
      beginning = false;
    }
  }

  /** The store is shared: this gateway follows the others, and they can rely on it. */
  async function join(store: Store, ledger: HeadLedger): Promise<void> {
    follower = createFollower({
      ...{ fleet, clock, log, owner },
      isOwn: (key) => inPower && turn?.has(key) === true,
      async useSets(sets) {
        const lost = await syncs().useSets(sets, false);
        if (lost !== null) log.warn("the published weights are not here", { reason: lost });
      },
      watchFenced: (id) => syncs().watchFenced(id),
      onCarried: () => members?.wake(),
    });
    members = createMembers({
      ...{ store, ledger, clock, log, owner, leaseMilliseconds },
      at: options.at,
      carried: () => follower?.carried ?? { seen: 0, held: null },
      async onRound() {
        notes?.retry();
        if (turn === undefined && !beginning) await reaper.reap();
        rounds += 1;
        if (rounds % AUDIT_ROUNDS === 0) options.onAudit((await ring?.look()) ?? []);
      },
      onHeard: fleet.wake,
      onLook: options.onLook,
    });
    follower.hear(ledger.head, false);
    await members.start();
  }

  const fencedAtStart = new Set<string>();

  return {
    durable,
    get store() {
      return store;
    },
    get head() {
      return ledger?.head;
    },
    active: () => (isForeign() ? (ledger?.head.active?.id ?? null) : null),
    refusal,
    announced: () => announced.names,
    announce: (names) => announced.add(names),
    async refresh() {
      await ledger?.refresh();
      await follower?.settled();
    },
    begin,
    async open(opening) {
      store = opening;
      if (!durable) return;
      await readRecords(opening, syncs());
      ring = createAuditRing(opening, owner, log);
      options.onAudit(await ring.read());
      ledger = await openHead(opening, random.uuid, onHead);
      readTo = ledger.head.rev;
      const { shared } = opening.facts;
      if (!shared) await recover(undefined);
      const { published, sets } = ledger.head;
      if (published.version > 0 || published.digest !== null) fleet.publish(published.version, published.digest);
      const lost = await syncs().useSets(sets, !shared);
      if (lost !== null)
        log.warn("the published weights are not here any more", { weight_version: published.version, reason: lost });
      const overtake = (key: string): void => {
        const note = ledger?.head.servers[key];
        if (note !== undefined) notes?.heard(key, note);
        follower?.believe(key);
      };
      notes = watchNotes({ fleet, clock, log, ledger, skip: isTouched, overtake });
      for (const [key, note] of Object.entries(ledger.head.servers)) notes.heard(key, note);
      if (shared) await join(opening, ledger);
      await onHead(ledger.head);
    },
    async recordStart() {
      const started = syncs().recordStart();
      if (started === null || !durable) return;
      const { ledger } = opened();
      await ledger.change((head) => {
        const writes = [{ key: KEY.version(started.version), value: JSON.stringify(started) }];
        const { version } = head.published;
        const published = version === started.version ? { version, digest: started.digest } : head.published;
        return { head: { ...head, published }, writes };
      });
    },
    note(url) {
      const note = ledger?.head.servers[url];
      // Another gateway may have paused it for a sync of its own: only under the lease is it resumed.
      return note?.paused === true && store?.facts.shared === true ? { ...note, paused: false } : note;
    },
    fence(engine, reason) {
      const replica = fleet.replicas().find((one) => one.engine === engine);
      if (replica === undefined) return;
      fleet.setState(replica.id, "quarantined", reason);
      fencedAtStart.add(replica.id);
      // Behind the start that is under way: until then it has no weights to compare.
      queueMicrotask(() => syncs().watchFenced(replica.id));
    },
    async resumed(url) {
      await ledger?.change((head) => ({
        head: { ...head, servers: { ...head.servers, ...toResumed(head.servers, [url]) } },
      }));
    },
    watchFenced() {
      for (const replica of fleet.replicas()) if (fencedAtStart.has(replica.id)) syncs().watchFenced(replica.id);
    },
    isLeftOpen(id) {
      const replica = fleet.replica(id);
      const key = replica === undefined ? null : keyOf(replica);
      return key !== null && ledger?.head.servers[key]?.open === true;
    },
    unheard() {
      if (!durable) return null;
      if (store === undefined) return "The gateway is still starting.";
      return members?.unheard() ?? null;
    },
    audit: (entry) => ring?.append(entry),
    holdsLease: () => turn !== undefined && members !== undefined,
    async attached(url, as) {
      if (!durable || store?.facts.shared !== true) return;
      await opened().ledger.change((head) => ({ head: { ...head, attached: { ...head.attached, [url]: as } } }));
    },
    async close() {
      notes?.stop();
      follower?.stop();
      await members?.stop();
      await ring?.flush();
      await store?.close();
    },
  };
}
