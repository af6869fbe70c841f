/**
 * What syncs must not forget, and the right to run one: the port between this room and the store. A gateway without a
 * durable store has the free journal, which allows everything and keeps nothing. The other: `gateway/journal/`.
 */
import type { WeightSync, WeightVersionRecord } from "../contract/control/weight-syncs.ts";
import type { ReplicaId, SyncId } from "../contract/ids.ts";
import type { PauseMode } from "../engine/engine.ts";
import type { GatewayError } from "../errors.ts";

/** What becomes the fleet's. */
export interface Publication {
  /** The sync as it will be shown: completed. */
  readonly sync: WeightSync;
  readonly record: WeightVersionRecord;
  /** Ids of the sets in the spool that make up the version, in order; empty = only the servers have it. */
  readonly sets: readonly string[];
  /** They have it. */
  readonly replicas: readonly ReplicaId[];
}

/** The one right to change weights, over all gateways that share the store. Ends with `end`. */
export interface SyncTurn {
  /** Aborts when the right was lost; the reason says so. */
  readonly signal: AbortSignal;
  /** Throws GatewayError `conflict` when the right was lost: call it before every call that changes a server. */
  check(): void;
  /**
   * Before the first byte that may change the weights of these: writes that down, and resolves when no gateway sends
   * requests to them any more (`keep`: no new ones). Whoever finds this unfinished later fences them.
   */
  touch(replicas: readonly ReplicaId[], mode: PauseMode, signal: AbortSignal): Promise<void>;
  /** Writes the present state down, soon. Never throws. */
  note(sync: WeightSync): void;
  /** Resolves when it is written; rejects when it could not be, and then nobody may answer with these weights. */
  publish(publication: Publication): Promise<void>;
  /** The last word; gives the right back. Resolves when it is written, or cannot be any more. */
  end(sync: WeightSync | null): Promise<void>;
}

/** Who asks for a turn. `trainer`: a session that somebody outside drives; `refit`: one server, no sync of its own. */
export type TurnKind = "control" | "trainer" | "refit";

/** Where syncs are written down. */
export interface SyncJournal {
  /** It outlives the process: then weights of published versions must too. */
  readonly durable: boolean;
  /** The sync of another gateway that runs now. */
  active(): SyncId | null;
  /** What refuses a sync because of that, naming it and the gateway. */
  refusal(): GatewayError | null;
  /** Names of all tensors that anybody ever began to write. */
  announced(): ReadonlySet<string>;
  /** Before the first byte of these goes out. Throws GatewayError `store_unavailable`. */
  announce(names: Iterable<string>): Promise<void>;
  /** Hears what other gateways have done. Throws GatewayError `store_unavailable`. */
  refresh(): Promise<void>;
  /**
   * Throws GatewayError: `sync_in_progress` while another gateway has the right, `conflict` for a version that is there
   * already, `store_unavailable`.
   */
  begin(sync: WeightSync, kind: TurnKind): Promise<SyncTurn>;
}

/** Allows everything, keeps nothing. */
export function createFreeJournal(): SyncJournal {
  const { signal } = new AbortController();
  const names = new Set<string>();
  const nothing = async (): Promise<void> => undefined;
  const turn: SyncTurn = {
    signal,
    check: () => undefined,
    touch: nothing,
    note: () => undefined,
    publish: nothing,
    end: nothing,
  };
  return {
    durable: false,
    active: () => null,
    refusal: () => null,
    announced: () => names,
    async announce(more) {
      for (const name of more) names.add(name);
    },
    refresh: nothing,
    begin: async () => turn,
  };
}
