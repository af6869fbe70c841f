/**
 * Which LoRA adapters the fleet serves, in which version, and who uses them. A request that names one goes only to
 * replicas that hold its current version. Loads nothing: that is the work of `sync/adapters`.
 */
import { createDrains } from "./drains.ts";
import type { ReplicaRecord } from "./replica.ts";
import type { AdapterFacts, FleetAdapters } from "./types.ts";

/** The table behind `FleetRegistry.adapters`, and what the fleet itself asks of it. */
export interface AdapterTable extends FleetAdapters {
  /** Whether this replica may answer for that name: a base model, or an adapter in its current version. */
  serves(replica: ReplicaRecord, model: string): boolean;
  /** New requests for it wait now. */
  isHeld(model: string): boolean;
  /** Counts a lease; call the result when that ends. undefined: no adapter is asked for. */
  use(replica: ReplicaRecord, model: string | undefined): (() => void) | undefined;
  /** Another process may answer: what it holds is found out anew. */
  forget(replica: ReplicaRecord): void;
}

/** Creates an empty table. `changed`: something became possible, or impossible. */
export function createAdapterTable(
  replicas: readonly ReplicaRecord[],
  changed: (replica: ReplicaRecord | null) => void,
): AdapterTable {
  const published = new Map<string, AdapterFacts>();
  /** The last version of every name, unloaded ones too: a name that comes back is another adapter. */
  const last = new Map<string, number>();
  const holds = new Map<string, number>();
  const running = new Map<string, number>();
  const drains = createDrains();

  return {
    list: () => [...published.values()],
    get: (name) => published.get(name),
    nextVersion: (name) => (last.get(name) ?? 0) + 1,
    publish(facts) {
      published.set(facts.name, facts);
      last.set(facts.name, Math.max(facts.version, last.get(facts.name) ?? 0));
      changed(null);
    },
    retract(name) {
      published.delete(name);
      changed(null);
    },
    heldBy: (id, name) => replicas.find((replica) => replica.id === id)?.adapters.get(name),
    lifeOf: (id) => replicas.find((replica) => replica.id === id)?.life ?? -1,
    setHeld(id, name, version, life) {
      const replica = replicas.find((one) => one.id === id);
      if (replica === undefined || (life !== undefined && life !== replica.life)) return;
      if (version !== null) replica.adapters.set(name, version);
      else {
        replica.adapters.delete(name);
        replica.dropModel(name);
      }
      changed(replica);
    },
    hold(name) {
      holds.set(name, (holds.get(name) ?? 0) + 1);
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        const left = (holds.get(name) ?? 1) - 1;
        if (left > 0) holds.set(name, left);
        else holds.delete(name);
        changed(null);
      };
    },
    drained: (name, signal) => drains.wait(() => !running.has(name), signal),
    serves(replica, model) {
      const facts = published.size === 0 ? undefined : published.get(model);
      return facts === undefined ? replica.models.has(model) : replica.adapters.get(model) === facts.version;
    },
    isHeld: (model) => holds.size > 0 && holds.has(model),
    use(replica, model) {
      if (model === undefined || published.size + replica.models.size < 2) return undefined;
      running.set(model, (running.get(model) ?? 0) + 1);
      return () => {
        const left = (running.get(model) ?? 1) - 1;
        if (left > 0) running.set(model, left);
        else {
          running.delete(model);
          drains.check();
        }
      };
    },
    forget(replica) {
      replica.adapters.clear();
      replica.life += 1;
    },
  };
}
