/**
 * Several gateways over one store: each says several times a second that it is there and what it has carried out, and
 * reads what the others have done. Two rules make that safe (docs/decisions/0032-several-gateways.md):
 *
 * - who has not been through with that for `viewMilliseconds` sends no request to any server;
 * - who is about to change a server's weights waits until every gateway has confirmed that it sends none there, or has
 *   been silent for longer than that.
 */
import { MemberDocument } from "../../contract/journal.ts";
import { GatewayError } from "../../errors.ts";
import { orAborted } from "../../lib/deadline.ts";
import type { Logger } from "../../observe/log.ts";
import type { Clock } from "../../ports.ts";
import type { Store } from "../../store/store.ts";
import { KEY, parseDocument } from "./head.ts";
import type { HeadLedger } from "./open-head.ts";

/** So often a gateway looks: what another one published is known after this. */
const ROUND_MS = 200;
/** So often somebody who waits for the others looks. */
const WAIT_MS = 25;
/** The part of a time in which one no longer relies on it: clocks run at different speeds, and answers take time. */
const MARGIN = 0.15;
/** Gateways over one store. */
const MEMBER_LIMIT = 1000;

/** What this gateway has carried out. */
export interface CarriedOut {
  readonly seen: number;
  readonly held: MemberDocument["held"];
}

/** What the members need. */
export interface MembersOptions {
  readonly store: Store;
  readonly ledger: HeadLedger;
  readonly clock: Clock;
  readonly log: Logger;
  /** This gateway. */
  readonly owner: string;
  readonly at: () => string | null;
  readonly leaseMilliseconds: number;
  readonly carried: () => CarriedOut;
  /** After every look at the store. */
  readonly onRound: () => Promise<void>;
  /** It could be heard again. */
  readonly onHeard: () => void;
  /** A look is over, well or not: for the metrics. */
  readonly onLook: (ok: boolean, milliseconds: number) => void;
}

/** See the head of the file. */
export interface Members {
  /** The first look; then one after the other. Throws GatewayError `store_unavailable`. */
  start(): Promise<void>;
  /** Something was carried out: say so at once. */
  wake(): void;
  /** Why no server may be sent a request now; null when it may. */
  unheard(): string | null;
  /** Resolves when no other gateway sends requests to the servers of sync `id`, as the head of `rev` says. */
  seenByAll(id: string, rev: number, signal: AbortSignal): Promise<void>;
  /** Says that it is gone: nobody has to wait for it. */
  stop(): Promise<void>;
}

/** Creates them, silent. */
export function createMembers(options: MembersOptions): Members {
  const { store, ledger, clock, log, owner, at, leaseMilliseconds, carried, onRound, onHeard, onLook } = options;
  const life = leaseMilliseconds / 2;
  const key = KEY.member(owner);
  let validUntil = Number.NEGATIVE_INFINITY;
  let stopped = false;
  let failing = false;
  let said = "";
  let next: (() => void) | undefined;
  let loop: Promise<void> | undefined;

  async function look(): Promise<void> {
    const asked = clock.monotonic();
    const document: MemberDocument = { id: owner, at: at(), ...carried() };
    said = JSON.stringify(document);
    try {
      // In this order: whoever does not find this entry has written before what is read next.
      await store.set(key, said, { expiresIn: life });
      await ledger.refresh();
    } catch (error) {
      onLook(false, clock.monotonic() - asked);
      throw error;
    }
    const now = clock.monotonic();
    onLook(true, now - asked);
    const was = validUntil;
    validUntil = asked + life * (1 - MARGIN);
    if (was <= now && validUntil > now) onHeard();
  }

  const isSaid = (): boolean => JSON.stringify({ id: owner, at: at(), ...carried() }) === said;

  function pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = clock.timer(milliseconds, () => next?.());
      next = () => {
        next = undefined;
        timer.cancel();
        resolve();
      };
    });
  }

  async function run(): Promise<void> {
    while (!stopped) {
      if (isSaid()) await pause(Math.min(ROUND_MS, life / 5));
      if (stopped) return;
      try {
        await look();
        if (failing) log.info("store: it answers again", { store: store.facts.place });
        failing = false;
        await onRound();
      } catch (error) {
        if (!failing) log.warn("store: it could not be asked", { store: store.facts.place, error });
        failing = true;
        await pause(Math.min(ROUND_MS, life / 5));
      }
    }
  }

  return {
    async start() {
      await look();
      loop = run();
    },
    wake: () => next?.(),
    unheard() {
      const late = clock.monotonic() - validUntil;
      if (late < 0) return null;
      return `This gateway has not heard from its store at ${store.facts.place} for over ${(life * (1 - MARGIN)) / 1000} s: another gateway may be changing the servers' weights.`;
    },
    async seenByAll(id, rev, signal) {
      const wait = (milliseconds: number): Promise<void> =>
        orAborted(new Promise<void>((resolve) => clock.timer(milliseconds, resolve)), signal);
      const begun = clock.monotonic();
      let told = false;
      for (;;) {
        signal.throwIfAborted();
        try {
          // A store that was just started may have forgotten who is there, and who had the lease before us.
          const young = leaseMilliseconds - (await store.upFor());
          if (young > 0) {
            log.info("store: it was started a moment ago; gateways that it may have forgotten get time to say so", {
              seconds: Math.ceil(young / 1000),
            });
            await wait(young);
            continue;
          }
          const found = await store.list(KEY.members, { limit: MEMBER_LIMIT });
          const open = found
            .map((entry) => parseDocument(MemberDocument, entry.key, entry.value, store.facts.place))
            .filter((one) => one.id !== owner && !(one.held === id && one.seen >= rev));
          if (open.length === 0) return;
          if (!told && clock.monotonic() - begun > life) {
            told = true;
            log.info("sync: waits for requests of other gateways", {
              sync: id,
              gateways: open.map((one) => one.at ?? one.id),
            });
          }
        } catch (error) {
          if (!(error instanceof GatewayError) || error.code !== "store_unavailable" || signal.aborted) throw error;
        }
        await wait(WAIT_MS);
      }
    },
    async stop() {
      if (stopped) return;
      stopped = true;
      next?.();
      await loop;
      await store.delete(key).catch(() => undefined);
    },
  };
}
