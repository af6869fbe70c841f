/**
 * The port for small state that outlives a process or is shared by several: a key-value map with transactions, and
 * leases. Not for weights or bodies: values are short texts. Every implementation proves the same behaviour
 * (tests/unit/cases/store.ts).
 */
import { invalidValue } from "../errors.ts";

/** One entry of a listing. */
export interface StoreEntry {
  readonly key: string;
  readonly value: string;
}

/** What must hold for a transaction to be carried out. `value` undefined: nothing is there. */
export interface StoreCheck {
  readonly key: string;
  readonly value: string | undefined;
}

/** One change of a transaction. `value` null: the entry goes. */
export interface StoreWrite extends SetOptions {
  readonly key: string;
  readonly value: string | null;
}

/** A right held by one owner for a time. */
export interface StoreLease {
  /**
   * Grows with every grant of this name: who writes under a lease passes it on, and a reader refuses smaller ones
   * ("fencing token"), because a holder that was asleep cannot know that its time is over.
   */
  readonly token: number;
  /** Holds as long as the lease does: a transaction with it is refused by the store itself once the lease was lost. */
  readonly check: StoreCheck;
  /** Starts the time anew. false when it was lost: then stop what the lease was for. */
  renew(): Promise<boolean>;
  /** Gives it back; nothing happens when it was lost. */
  release(): Promise<void>;
}

/** How long an entry lives. */
export interface SetOptions {
  /** The entry is gone so many milliseconds later; default: it stays. */
  readonly expiresIn?: number;
}

/** Where the state lives, for people and for those who must know whether it outlives the process. */
export interface StoreFacts {
  readonly kind: "memory" | "sqlite" | "redis";
  /** Without a password. */
  readonly place: string;
  /** It is still there after this process has ended. */
  readonly durable: boolean;
  /** Other processes may use it at the same time. */
  readonly shared: boolean;
}

/** Small state. Every method may reject with a GatewayError (`store_unavailable` when it is away); none waits for another holder. */
export interface Store {
  readonly facts: StoreFacts;
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string, options?: SetOptions): Promise<void>;
  /** Sets only when the present value is `expected` (undefined: when nothing is there). Tells whether it did. */
  compareAndSet(key: string, expected: string | undefined, value: string, options?: SetOptions): Promise<boolean>;
  /** All writes when every check holds, else none. Tells whether it did. */
  transact(checks: readonly StoreCheck[], writes: readonly StoreWrite[]): Promise<boolean>;
  /** Absent keys are fine. */
  delete(key: string): Promise<void>;
  /** Entries whose key begins with `prefix`, in key order (code units), those behind `after`, at most `limit` (default 100). */
  list(prefix: string, options?: { readonly limit?: number; readonly after?: string }): Promise<StoreEntry[]>;
  /** undefined when somebody else holds it. `milliseconds`: how long without `renew`. */
  lease(name: string, milliseconds: number): Promise<StoreLease | undefined>;
  /** What will give trouble one day, each with the mend; empty when all is well. */
  worries(): Promise<readonly { readonly found: string; readonly mend: string }[]>;
  /** For so many milliseconds at least nothing that was written has been forgotten; infinite where that cannot happen. */
  upFor(): Promise<number>;
  close(): Promise<void>;
}

/** What an implementation provides; `createStore` makes the rest of it. Keys and values are checked already. */
export interface Cells {
  readonly facts: StoreFacts;
  get(key: string): Promise<string | undefined>;
  transact(checks: readonly StoreCheck[], writes: readonly StoreWrite[]): Promise<boolean>;
  list(prefix: string, limit: number, after: string | undefined): Promise<StoreEntry[]>;
  /** Absent: nothing is forgotten while this process lives. */
  upFor?(): Promise<number>;
  /** Absent: none. */
  worries?: Store["worries"];
  close(): Promise<void>;
}

/** A key names a thing, not a document. */
export const KEY_LIMIT = 512;
/** One MiB: a record of a sync with hundreds of servers is under 100 KB. */
export const VALUE_LIMIT = 1_048_576;
/** Entries of one listing at most. */
export const LIST_LIMIT = 1000;

/** Keys of the store's own (leases); no caller's key begins so. */
export const OWN_PREFIX = "~";

/** The checks that are made before the medium is touched. Throws GatewayError `invalid_value`. */
export function checkEntry(key: string, value = ""): void {
  if (key === "" || key.length > KEY_LIMIT || key.startsWith(OWN_PREFIX)) {
    throw invalidValue("key", key, `a text of 1 to ${KEY_LIMIT} characters that does not begin with ${OWN_PREFIX}`);
  }
  if (value.length > VALUE_LIMIT) {
    throw invalidValue("value", `${value.length} characters`, `a text of at most ${VALUE_LIMIT} characters`);
  }
}
