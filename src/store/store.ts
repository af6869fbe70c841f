/**
 * The port for small state that several gateways may share: a key-value map with compare-and-set, and leases. Not for
 * weights or bodies: values are short texts. Every implementation proves the same behaviour (tests/unit/cases/store.ts).
 */
import { invalidValue } from "../errors.ts";

/** One entry of a listing. */
export interface StoreEntry {
  readonly key: string;
  readonly value: string;
}

/** A right held by one owner for a time. */
export interface StoreLease {
  /**
   * Grows with every grant of this name: who writes under a lease passes it on, and a reader refuses smaller ones
   * ("fencing token"), because a holder that was asleep cannot know that its time is over.
   */
  readonly token: number;
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

/** Shared small state. Every method may reject with a GatewayError; none waits for another holder. */
export interface Store {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string, options?: SetOptions): Promise<void>;
  /** Sets only when the present value is `expected` (undefined: when nothing is there). Tells whether it did. */
  compareAndSet(key: string, expected: string | undefined, value: string, options?: SetOptions): Promise<boolean>;
  /** Absent keys are fine. */
  delete(key: string): Promise<void>;
  /** Entries whose key begins with `prefix`, in key order (code units), those behind `after`, at most `limit` (default 100). */
  list(prefix: string, options?: { readonly limit?: number; readonly after?: string }): Promise<StoreEntry[]>;
  /** undefined when somebody else holds it. `milliseconds`: how long without `renew`. */
  lease(name: string, milliseconds: number): Promise<StoreLease | undefined>;
  close(): Promise<void>;
}

/** A key names a thing, not a document. */
export const KEY_LIMIT = 512;
/** One MiB: a record of a sync with hundreds of servers is under 100 KB. */
export const VALUE_LIMIT = 1_048_576;

/** The checks that every implementation makes before it touches its medium. Throws GatewayError `invalid_value`. */
export function checkEntry(key: string, value = ""): void {
  if (key === "" || key.length > KEY_LIMIT) throw invalidValue("key", key, `a text of 1 to ${KEY_LIMIT} characters`);
  if (value.length > VALUE_LIMIT) {
    throw invalidValue("value", `${value.length} characters`, `a text of at most ${VALUE_LIMIT} characters`);
  }
}
