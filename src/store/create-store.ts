/** A whole store out of cells that can be read and changed together: the checks, the short forms, and leases. */
import { GatewayError } from "../errors.ts";
import {
  type Cells,
  checkEntry,
  LIST_LIMIT,
  OWN_PREFIX,
  type Store,
  type StoreCheck,
  type StoreLease,
  type StoreWrite,
} from "./store.ts";

/** Two who ask at once: one of them sees the other's number and tries again. */
const GRANT_TRIES = 16;

/** Makes the store. `newId`: a text that no other holder of a lease has. */
export function createStore(cells: Cells, newId: () => string): Store {
  let closed = false;

  const enter = (): void => {
    if (closed) throw new GatewayError("draining", "The store is closed.");
  };
  const isOwn = (check: StoreCheck): boolean => check.key.startsWith(`${OWN_PREFIX}lease/`);

  async function transact(checks: readonly StoreCheck[], writes: readonly StoreWrite[]): Promise<boolean> {
    enter();
    // A lease's own check comes from here and names a key that no caller may write.
    for (const check of checks) if (!isOwn(check)) checkEntry(check.key, check.value);
    for (const { key, value } of writes) checkEntry(key, value ?? "");
    return cells.transact(checks, writes);
  }

  async function lease(name: string, milliseconds: number): Promise<StoreLease | undefined> {
    enter();
    checkEntry(name);
    const key = `${OWN_PREFIX}lease/${name}`;
    const counter = `${OWN_PREFIX}token/${name}`;
    for (let tries = 0; tries < GRANT_TRIES; tries += 1) {
      const [held, last] = await Promise.all([cells.get(key), cells.get(counter)]);
      if (held !== undefined) return undefined;
      const token = Number(last ?? 0) + 1;
      if (!Number.isSafeInteger(token)) {
        throw new GatewayError("store_unavailable", `The counter of the lease ${name} is ${String(last)}, no number.`);
      }
      const check: StoreCheck = { key, value: `${token} ${newId()}` };
      const granted = await cells.transact(
        [
          { key, value: undefined },
          { key: counter, value: last },
        ],
        [
          { key, value: check.value as string, expiresIn: milliseconds },
          { key: counter, value: String(token) },
        ],
      );
      if (!granted) continue;
      return {
        token,
        check,
        renew: async () => {
          enter();
          return cells.transact([check], [{ key, value: check.value as string, expiresIn: milliseconds }]);
        },
        release: async () => {
          if (!closed) await cells.transact([check], [{ key, value: null }]);
        },
      };
    }
    return undefined;
  }

  return {
    facts: cells.facts,
    async get(key) {
      enter();
      checkEntry(key);
      return cells.get(key);
    },
    async set(key, value, options) {
      await transact([], [{ key, value, ...options }]);
    },
    compareAndSet: (key, expected, value, options) =>
      transact([{ key, value: expected }], [{ key, value, ...options }]),
    transact,
    async delete(key) {
      await transact([], [{ key, value: null }]);
    },
    async list(prefix, { limit = 100, after } = {}) {
      enter();
      const found = await cells.list(prefix, Math.min(limit, LIST_LIMIT), after);
      return found.filter(({ key }) => !key.startsWith(OWN_PREFIX));
    },
    lease,
    worries: async () => (await cells.worries?.()) ?? [],
    upFor: async () => (await cells.upFor?.()) ?? Number.POSITIVE_INFINITY,
    async close() {
      if (closed) return;
      closed = true;
      await cells.close();
    },
  };
}
