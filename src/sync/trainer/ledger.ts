/**
 * The written side of a trainer's session: its place among the syncs, its record, and the version that it publishes.
 * Decides nothing that the machine decides.
 */
import type { StartSync } from "../../contract/control/weight-syncs.ts";
import type { ReplicaId } from "../../contract/ids.ts";
import type { PauseMode, TransferIdentity } from "../../engine/engine.ts";
import { toGatewayError } from "../../errors.ts";
import type { ExternalSync } from "../types.ts";
import type { TrainerCaller, TrainerOptions, TrainerResult } from "./api.ts";
import type { Cargo } from "./cargo.ts";
import type { TrainerEvent, TrainerFailure, TrainerState } from "./types.ts";
import { toSyncState } from "./view.ts";

/** What it needs of its owner. */
export interface LedgerOptions extends TrainerOptions {
  readonly cargo: Cargo;
  readonly identities: ReadonlyMap<ReplicaId, TransferIdentity>;
  readonly state: () => TrainerState;
  readonly dispatch: (event: TrainerEvent) => void;
}

/** The record of the present session, if there is one. */
export interface Ledger {
  /** Throws what refuses a sync: one that runs here or on another gateway, a store that is away. */
  begin(by: Omit<TrainerCaller, "signal">, mode: PauseMode): Promise<void>;
  /** Resolves when nobody sends requests to these any more, and it is written down that they will be changed. */
  touch(replicas: readonly ReplicaId[], mode: PauseMode, signal: AbortSignal): Promise<void>;
  /** Throws when the right to change weights was lost. */
  check(): void;
  /** The machine's state has changed. */
  show(): void;
  /** Writes the version down; tells the machine how that went. Never rejects. */
  publish(replicas: readonly ReplicaId[]): Promise<void>;
  /** The session is over; resolves when that is written, `after` the servers have been let go. Never rejects. */
  end(failure: TrainerFailure | null, after?: Promise<unknown>): Promise<void>;
  readonly open: boolean;
  /** What the last finish published. */
  readonly published: TrainerResult["published"];
}

/** Creates it; nothing is open. */
export function createLedger(options: LedgerOptions): Ledger {
  const { fleet, syncs, log, cargo, identities, state, dispatch, timeoutMilliseconds } = options;
  let record: ExternalSync | null = null;
  let recordFailure: TrainerFailure | null = null;
  let switched = new Set<ReplicaId>();
  let published: TrainerResult["published"];

  return {
    get open() {
      return record !== null;
    },
    get published() {
      return published;
    },
    async begin(by, mode) {
      const info = cargo.join;
      const request: StartSync = {
        source: {
          kind: "nccl",
          master_address: typeof info.master_address === "string" ? info.master_address : "trainer",
          master_port: typeof info.master_port === "number" ? info.master_port : 1,
        },
        mode,
        deadline_s: timeoutMilliseconds / 1000,
        verify: true,
        partial: false,
      };
      const begun = await syncs.beginExternal(request, by, toSyncState(state(), new Set(), null, false));
      switched = new Set();
      published = undefined;
      recordFailure = null;
      record = begun;
      const { signal } = begun.turn;
      const onLost = (): void => {
        if (record !== begun) return;
        const { message } = toGatewayError(signal.reason);
        if (state().stage === "open") dispatch({ type: "abandoned", reason: message });
        else dispatch({ type: "deadline", message });
      };
      signal.addEventListener("abort", onLost, { once: true });
    },
    touch: async (replicas, mode, signal) => record?.turn.touch(replicas, mode, signal),
    check: () => record?.turn.check(),
    show() {
      record?.setState(toSyncState(state(), switched, recordFailure, false));
    },
    async publish(replicas) {
      const { version, label } = cargo;
      const done = new Set(replicas);
      try {
        await record?.publish(version, label, replicas, toSyncState(state(), done, null, true));
      } catch (thrown) {
        const { code, message } = toGatewayError(thrown);
        const told =
          code === "weights_digest_mismatch"
            ? message
            : `It has the new weights, but that could not be written down: ${message}`;
        return dispatch({ type: "published", failure: { code, message: told } });
      }
      switched = done;
      for (const id of replicas) {
        const identity = identities.get(id);
        if (identity !== undefined) fleet.replica(id)?.engine.transfer?.meet(identity);
        // What an earlier gateway left half done is whole now.
        fleet.replica(id)?.engine.weights?.disown?.();
        fleet.setWeights(id, version, null);
      }
      published = { version, label, sync: record?.id ?? "" };
      log.info("trainer's weights published", { version, label, replicas });
      dispatch({ type: "published", failure: null });
    },
    async end(failure, after) {
      recordFailure = failure;
      const ended = record;
      record = null;
      ended?.setState(toSyncState(state(), switched, failure, true));
      await after;
      await ended?.finish();
    },
  };
}
