/** The store of a gateway that is alone: a map in this process, gone with it. */
import { GatewayError } from "../errors.ts";
import type { Clock } from "../ports.ts";
import { checkEntry, type SetOptions, type Store, type StoreEntry, type StoreLease } from "./store.ts";

/** Entries at most, expired ones not counted: a leak shows up as an error, not as an eaten machine. */
const ENTRY_LIMIT = 100_000;
const LIST_LIMIT = 1000;

interface Cell {
  readonly value: string;
  /** Monotonic milliseconds. */
  readonly until: number;
}

/** Creates an empty store. */
export function createMemoryStore(clock: Pick<Clock, "monotonic">): Store {
  const cells = new Map<string, Cell>();
  const leases = new Map<string, { readonly token: number; until: number }>();
  let lastToken = 0;
  let closed = false;

  function enter(key: string, value?: string): void {
    if (closed) throw new GatewayError("draining", "The store is closed.");
    checkEntry(key, value);
  }

  function live(key: string): Cell | undefined {
    const cell = cells.get(key);
    if (cell === undefined || cell.until > clock.monotonic()) return cell;
    cells.delete(key);
    return undefined;
  }

  function put(key: string, value: string, { expiresIn }: SetOptions = {}): void {
    if (!cells.has(key) && cells.size >= ENTRY_LIMIT) {
      for (const known of [...cells.keys()]) live(known);
      if (cells.size >= ENTRY_LIMIT) {
        throw new GatewayError("limit_exceeded", `The store holds ${ENTRY_LIMIT} entries; that is its limit.`);
      }
    }
    const until = expiresIn === undefined ? Number.POSITIVE_INFINITY : clock.monotonic() + expiresIn;
    cells.set(key, { value, until });
  }

  return {
    async get(key) {
      enter(key);
      return live(key)?.value;
    },
    async set(key, value, options) {
      enter(key, value);
      put(key, value, options);
    },
    async compareAndSet(key, expected, value, options) {
      enter(key, value);
      if (live(key)?.value !== expected) return false;
      put(key, value, options);
      return true;
    },
    async delete(key) {
      enter(key);
      cells.delete(key);
    },
    async list(prefix, { limit = 100, after } = {}) {
      if (closed) throw new GatewayError("draining", "The store is closed.");
      const keys = [...cells.keys()].filter((key) => key.startsWith(prefix) && (after === undefined || key > after));
      const found: StoreEntry[] = [];
      for (const key of keys.sort((a, b) => (a < b ? -1 : 1))) {
        const cell = live(key);
        if (cell === undefined) continue;
        if (found.length >= Math.min(limit, LIST_LIMIT)) break;
        found.push({ key, value: cell.value });
      }
      return found;
    },
    async lease(name, milliseconds): Promise<StoreLease | undefined> {
      enter(name);
      const held = leases.get(name);
      if (held !== undefined && held.until > clock.monotonic()) return undefined;
      lastToken += 1;
      const own = { token: lastToken, until: clock.monotonic() + milliseconds };
      leases.set(name, own);
      const mine = (): boolean => !closed && leases.get(name) === own && own.until > clock.monotonic();
      return {
        token: own.token,
        async renew() {
          if (!mine()) return false;
          own.until = clock.monotonic() + milliseconds;
          return true;
        },
        async release() {
          if (leases.get(name) === own) leases.delete(name);
        },
      };
    },
    async close() {
      closed = true;
      cells.clear();
      leases.clear();
    },
  };
}
