/**
 * The head of the store as this gateway last saw it, and changes to it: read, change, write when nobody else has
 * written in between. One change at a time from here; other gateways are met by trying again.
 */

import { Head } from "../../contract/journal.ts";
import { GatewayError } from "../../errors.ts";
import type { Store, StoreCheck, StoreWrite } from "../../store/store.ts";
import { EMPTY_HEAD, KEY, parseDocument } from "./head.ts";

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

/** Reads the head of a store, or makes the first. `onHead` hears every new one, once, in order. */
export async function openHead(store: Store, onHead: (head: Head) => Promise<void> | void): Promise<HeadLedger> {
  let text: string | undefined;
  let head = EMPTY_HEAD;
  let queue: Promise<unknown> = Promise.resolve();

  /** The store knows less than this gateway: it lost its data. What is known here is written down again. */
  let forgotten = false;

  async function read(): Promise<void> {
    const found = await store.get(KEY.head);
    if (found === text) return;
    const parsed = found === undefined ? EMPTY_HEAD : parseDocument(Head, KEY.head, found, store.facts.place);
    text = found;
    // Versions only grow, whatever a store that was restarted says.
    forgotten = parsed.published.version < head.published.version || (found === undefined && head.rev > 0);
    const { published, sets } = head;
    head = found === undefined ? head : forgotten ? { ...parsed, published, sets } : parsed;
    await onHead(head);
  }

  async function readAndMend(): Promise<void> {
    await read();
    if (forgotten)
      await write((now) => ({ head: { ...now, active: text === undefined ? null : now.active } }), undefined);
    forgotten = false;
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
        await onHead(head);
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
