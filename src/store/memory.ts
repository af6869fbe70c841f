/** The store of a gateway that is alone: a map in this process, gone with it. */
import { GatewayError } from "../errors.ts";
import type { Clock } from "../ports.ts";
import { createStore } from "./create-store.ts";
import type { Store, StoreEntry } from "./store.ts";

/** Entries at most, expired ones not counted: a leak shows up as an error, not as an eaten machine. */
const ENTRY_LIMIT = 100_000;

interface Cell {
  readonly value: string;
  /** Monotonic milliseconds. */
  readonly until: number;
}

/** Creates an empty store. */
export function createMemoryStore(clock: Pick<Clock, "monotonic">): Store {
  const cells = new Map<string, Cell>();
  let lastId = 0;

  function live(key: string): Cell | undefined {
    const cell = cells.get(key);
    if (cell === undefined || cell.until > clock.monotonic()) return cell;
    cells.delete(key);
    return undefined;
  }

  function makeRoom(): void {
    if (cells.size < ENTRY_LIMIT) return;
    for (const known of [...cells.keys()]) live(known);
    if (cells.size >= ENTRY_LIMIT) {
      throw new GatewayError("limit_exceeded", `The store holds ${ENTRY_LIMIT} entries; that is its limit.`);
    }
  }

  return createStore(
    {
      facts: { kind: "memory", place: "memory", durable: false, shared: false },
      get: async (key) => live(key)?.value,
      async transact(checks, writes) {
        if (checks.some(({ key, value }) => live(key)?.value !== value)) return false;
        for (const { key, value } of writes) if (value !== null && !cells.has(key)) makeRoom();
        for (const { key, value, expiresIn } of writes) {
          if (value === null) cells.delete(key);
          else {
            const until = expiresIn === undefined ? Number.POSITIVE_INFINITY : clock.monotonic() + expiresIn;
            cells.set(key, { value, until });
          }
        }
        return true;
      },
      async list(prefix, limit, after) {
        const keys = [...cells.keys()].filter((key) => key.startsWith(prefix) && (after === undefined || key > after));
        const found: StoreEntry[] = [];
        for (const key of keys.sort((a, b) => (a < b ? -1 : 1))) {
          const cell = live(key);
          if (cell === undefined) continue;
          if (found.length >= limit) break;
          found.push({ key, value: cell.value });
        }
        return found;
      },
      async close() {
        cells.clear();
      },
    },
    () => {
      lastId += 1;
      return String(lastId);
    },
  );
}
