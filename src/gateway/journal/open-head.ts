/**
 * The head of the store as this gateway last saw it, and changes to it: read, change, write when nobody else has
 * written in between. One change at a time from here; other gateways are met by trying again.
 */

import { Head } from "../../contract/journal.ts";
import { GatewayError } from "../../errors.ts";
import type { Store, StoreCheck, StoreWrite } from "../../store/store.ts";
import { EMPTY_HEAD, KEY, parseDocument } from "./head.ts";
import { mergeHeads } from "./merge-heads.ts";

/** Others write a few times a second at most: more failures in a row than this are no race. */
const TRIES = 32;
/** Records that the head points at: what another gateway may have missed between two looks. */
const RECENT = 32;

/** A change to the head, and what is written with it. `null`: nothing is to be changed after all. */
export type Change = (head: Head) => { readonly head: Head; readonly writes?: readonly StoreWrite[] } | null;

/** The head, and who hears of it. */
export interface HeadLedger {
  readonly head: Head;
  /** Reads it anew; resolves when what is there has been heard. */
  refresh(): Promise<void>;
  /** Throws GatewayError: `conflict` when `lease` no longer holds; `store_unavailable`; or what `change` throws. */
  change(change: Change, lease?: StoreCheck): Promise<Head>;
}

/** The head with one more record pointed at. */
export const withRecent = (head: Head, seq: number): Head["recent"] => [
  ...head.recent.filter((one) => one.seq !== seq).slice(1 - RECENT),
  { seq, rev: head.rev + 1 },
];

/**
 * Reads the head of a store, or makes the first. `onHead` hears every new one, in order, until it does not reject; `own`:
 * written here just now, under a lease.
 */
export async function openHead(
  store: Store,
  newEpoch: () => string,
  onHead: (head: Head, own: boolean) => Promise<void> | void,
): Promise<HeadLedger> {
  let text: string | undefined;
  let head = EMPTY_HEAD;
  let queue: Promise<unknown> = Promise.resolve();
  /** The newest head has been heard to its end. */
  let heard = true;
  /** The store knew less than this gateway: what is known here is to be written down again. */
  let forgotten = false;

  async function hear(own = false): Promise<void> {
    heard = false;
    await onHead(head, own);
    heard = true;
  }

  async function read(): Promise<void> {
    const found = await store.get(KEY.head);
    if (found !== text || forgotten) {
      const parsed = found === undefined ? EMPTY_HEAD : parseDocument(Head, KEY.head, found, store.facts.place);
      text = found;
      if (parsed.rev < head.rev) {
        forgotten = true;
        head = { ...mergeHeads(head, parsed), epoch: newEpoch() };
      } else {
        forgotten = false;
        const merged = parsed.epoch === head.epoch || head.rev === 0 ? parsed : mergeHeads(head, parsed);
        // Somebody else has put together what was known, but did not know all.
        forgotten = merged !== parsed && JSON.stringify(merged) !== JSON.stringify(parsed);
        head = merged;
      }
      heard = false;
    }
    if (!heard) await hear();
  }

  async function readAndMend(): Promise<void> {
    await read();
    if (forgotten) await write((now) => ({ head: now }), undefined);
  }

  async function write(change: Change, lease: StoreCheck | undefined): Promise<Head> {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const made = change(head);
      if (made === null) return head;
      const next: Head = { ...made.head, rev: head.rev + 1 };
      const value = JSON.stringify(next);
      const done = await store.transact(
        [{ key: KEY.head, value: text }, ...(lease === undefined ? [] : [lease])],
        [{ key: KEY.head, value }, ...(made.writes ?? [])],
      );
      if (done) {
        text = value;
        head = next;
        forgotten = false;
        // It is written; what could not be heard now is heard with the next look.
        await hear(lease !== undefined).catch(() => undefined);
        return head;
      }
      const before = text;
      await read();
      if (lease !== undefined && text === before) {
        throw new GatewayError(
          "conflict",
          "This gateway has lost the right to change weights: the store did not hear from it in time, and another gateway may run a sync now.",
        );
      }
    }
    throw new GatewayError("store_unavailable", `The store at ${store.facts.place} is written by others all the time.`);
  }

  const inTurn = <T>(task: () => Promise<T>): Promise<T> => {
    const result = queue.then(task);
    queue = result.catch(() => undefined);
    return result;
  };

  await read();
  return {
    get head() {
      return head;
    },
    refresh: () => inTurn(readAndMend),
    change: (change, lease) => inTurn(() => write(change, lease)),
  };
}
