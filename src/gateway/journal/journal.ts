/**
 * The journal of a gateway with a durable store: who may sync, what is published, what each server holds. Opened at the
 * start, before any engine; until then nothing can be begun.
 */

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
import { KEY, parseDocument } from "./head.ts";
import { keyOf, type Notes, watchNotes } from "./notes.ts";
import { type HeadLedger, openHead, withRecent } from "./open-head.ts";
import type { Recaller } from "./recall.ts";
import { toInterrupted, toReason, withoutDead } from "./recover.ts";
import { createTurn } from "./turn.ts";

/** The name of the one lease. */
const LEASE = "sync";
/** Records of ended syncs that are kept. */
const KEPT_SYNCS = 1000;
const PAGE = 500;

/** What the journal needs. `syncs` is made with the journal, and so comes later. */
export interface JournalOptions {
  readonly fleet: FleetManager;
  readonly clock: Clock;
  readonly random: Pick<Random, "uuid">;
  readonly log: Logger;
  readonly durable: boolean;
  readonly leaseMilliseconds: number;
  readonly syncs: () => Syncs;
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

  const opened = (): { store: Store; ledger: HeadLedger } => {
    if (store !== undefined && ledger !== undefined) return { store, ledger };
    throw new GatewayError("conflict", "The gateway is still starting; no sync can begin yet.");
  };

  const isTouched = (key: string): boolean => ledger?.head.active?.touched.includes(key) === true;

  async function readAll(from: Store): Promise<void> {
    for (const [prefix, take] of [
      [
        KEY.versions,
        (key: string, text: string) => syncs().learn(parseDocument(VersionDocument, key, text, from.facts.place)),
      ],
      [
        KEY.syncs,
        (key: string, text: string) => syncs().follow(parseDocument(SyncDocument, key, text, from.facts.place).sync),
      ],
    ] as const) {
      let after: string | undefined;
      for (;;) {
        const page = await from.list(prefix, { limit: PAGE, ...(after === undefined ? {} : { after }) });
        for (const { key, value } of page) take(key, value);
        if (page.length < PAGE) break;
        after = page.at(-1)?.key;
      }
    }
  }

  /** Hears what is new in a head: records first, so that whoever sees a version finds its sync. */
  async function onHead(head: Head): Promise<void> {
    const from = store;
    if (from === undefined) return;
    const news = head.recent.filter(({ rev }) => rev > readTo);
    readTo = head.rev;
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
    for (const [key, note] of Object.entries(head.servers)) notes?.heard(key, note);
  }

  /** The record of a dead gateway's sync, and the writes that end it. */
  async function endDead(head: Head): Promise<readonly StoreWrite[]> {
    const { active } = head;
    if (active === null || active.kind === "refit") return [];
    for (const { seq } of head.recent.toReversed()) {
      const text = await opened().store.get(KEY.sync(seq));
      if (text === undefined) continue;
      const found = parseDocument(SyncDocument, KEY.sync(seq), text, opened().store.facts.place);
      if (found.sync.id !== active.id) continue;
      const reason = toReason(active, found.sync.phase);
      const sync = toInterrupted(found.sync, active, reason, clock.now());
      return [{ key: KEY.sync(seq), value: JSON.stringify({ seq, sync }) }];
    }
    return [];
  }

  /** The lease is ours: whoever ran a sync before is dead, or has lost it. */
  async function recover(lease: StoreLease | undefined): Promise<void> {
    const { ledger } = opened();
    const { active } = ledger.head;
    if (active === null) return;
    const writes = await endDead(ledger.head);
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

  async function acquire(sync: WeightSync): Promise<StoreLease | undefined> {
    const { store, ledger } = opened();
    if (!store.facts.shared) return undefined;
    const lease = await store.lease(LEASE, leaseMilliseconds);
    if (lease !== undefined) return lease;
    await ledger.refresh();
    const running = ledger.head.active?.id;
    throw new GatewayError(
      "sync_in_progress",
      running === undefined || running === sync.id
        ? "Another gateway is just beginning or ending a weight sync. Send the request again in a moment."
        : `Sync ${running} is running on another gateway. Wait for it: GET /api/weight-syncs/${running}.`,
      { retryAfter: 1 },
    );
  }

  const free = createFreeJournal();

  async function begin(sync: WeightSync, kind: TurnKind) {
    if (!durable) return free.begin(sync, kind);
    const { store, ledger } = opened();
    const asked = clock.monotonic();
    const lease = await acquire(sync);
    try {
      await ledger.refresh();
      await recover(lease);
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
        const active = { id, kind, owner, token: lease?.token ?? 0, mode, touched: [], touchedAt: null };
        const writes: StoreWrite[] = [
          { key: KEY.sync(seq), value: JSON.stringify({ seq, sync }) },
          ...(seq > KEPT_SYNCS ? [{ key: KEY.sync(seq - KEPT_SYNCS), value: null }] : []),
        ];
        const recent = kind === "refit" ? head.recent : withRecent(head, seq);
        return { head: { ...head, seq, active, recent }, ...(kind === "refit" ? {} : { writes }) };
      }, lease?.check);
      return createTurn({
        ...{ ledger, store, fleet, clock, log, lease, leaseMilliseconds, asked, seq, kind, sync },
        seenByAll: async () => undefined,
        onEnd: () => {
          if (mine === id) mine = null;
        },
      });
    } catch (error) {
      if (mine === sync.id) mine = null;
      await lease?.release().catch(() => undefined);
      throw error;
    }
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
    active() {
      const active = ledger?.head.active ?? null;
      return active === null || active.owner === owner ? null : active.id;
    },
    refresh: async () => ledger?.refresh(),
    begin,
    async open(opening) {
      store = opening;
      if (!durable) return;
      await readAll(opening);
      ledger = await openHead(opening, onHead);
      readTo = ledger.head.rev;
      if (!opening.facts.shared) await recover(undefined);
      const { published, sets } = ledger.head;
      if (published.version > 0 || published.digest !== null) fleet.publish(published.version, published.digest);
      const lost = await syncs().useSets(sets, !opening.facts.shared);
      if (lost !== null)
        log.warn("the published weights are not here any more", { weight_version: published.version, reason: lost });
      notes = watchNotes({ fleet, clock, log, ledger, skip: isTouched });
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
    note: (url) => ledger?.head.servers[url],
    fence(engine, reason) {
      const replica = fleet.replicas().find((one) => one.engine === engine);
      if (replica === undefined) return;
      fleet.setState(replica.id, "quarantined", reason);
      fencedAtStart.add(replica.id);
      // Behind the start that is under way: until then it has no weights to compare.
      queueMicrotask(() => syncs().watchFenced(replica.id));
    },
    watchFenced() {
      for (const replica of fleet.replicas()) if (fencedAtStart.has(replica.id)) syncs().watchFenced(replica.id);
    },
    isLeftOpen(id) {
      const replica = fleet.replica(id);
      const key = replica === undefined ? null : keyOf(replica);
      return key !== null && ledger?.head.servers[key]?.open === true;
    },
    async close() {
      notes?.stop();
      await store?.close();
    },
  };
}
