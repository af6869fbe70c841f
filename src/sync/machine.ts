/**
 * A weight sync as a pure reducer: (state, event) → next state and the effects to run. No I/O, no time; `orchestrate.ts`
 * runs the effects and feeds the results back. What it guarantees (property-tested):
 *
 * - nothing is committed before every replica has staged and, with `verify`, all digests that replicas report agree;
 * - before the switch any failure, loss, abort or deadline discards everywhere and nobody saw anything;
 * - from the switch on there is no way back: a replica that fails is fenced, the others are published;
 * - nobody serves the new weights before they are written down as the fleet's; when that fails all are fenced;
 * - the gate is opened exactly as often as it was closed; there is exactly one final state, and it is kept.
 */
import type { SyncPhase, SyncServer } from "../contract/control/weight-syncs.ts";
import type { ReplicaId, WeightDigest } from "../contract/ids.ts";
import type { ErrorCode } from "../errors.ts";

/** Why a sync, or one replica of it, failed. */
export interface SyncFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly replica?: ReplicaId;
  readonly upstream?: string;
  readonly tensor?: string;
  readonly param?: string;
}

export interface SyncReplica {
  readonly id: ReplicaId;
  readonly step: Exclude<SyncServer["phase"], "left_out">;
  /** Of the whole model as this replica staged it; null before that, and where nothing proves it ("unverified"). */
  readonly digest: WeightDigest | null;
  readonly error: string | null;
}

export interface SyncState {
  /** Where it is; after a failure, where it failed. */
  readonly phase: SyncPhase;
  readonly outcome: "running" | "completed" | "failed" | "aborted";
  readonly verify: boolean;
  /** What the received bytes say the whole model's digest must be; null when a partial set leaves that open. */
  readonly expected: WeightDigest | null;
  /** Of the whole model, once known. */
  readonly digest: WeightDigest | null;
  readonly gateClosed: boolean;
  readonly replicas: readonly SyncReplica[];
  /** Set when failed, and when completed with a replica fenced. */
  readonly error: (SyncFailure & { readonly phase: SyncPhase }) | null;
}

export type SyncEvent =
  /** The set is in the spool and good. */
  | { readonly type: "received"; readonly expected: WeightDigest | null }
  | { readonly type: "receive-failed"; readonly failure: SyncFailure }
  | { readonly type: "staged"; readonly replica: ReplicaId; readonly digest: WeightDigest | null }
  | { readonly type: "stage-failed"; readonly replica: ReplicaId; readonly failure: SyncFailure }
  /** No request runs any more, or none needs to end. */
  | { readonly type: "drained" }
  | { readonly type: "drain-failed"; readonly failure: SyncFailure }
  | { readonly type: "switched"; readonly replica: ReplicaId }
  | { readonly type: "switch-failed"; readonly replica: ReplicaId; readonly failure: SyncFailure }
  /** The new version is written down. */
  | { readonly type: "published" }
  | { readonly type: "publish-failed"; readonly failure: SyncFailure }
  /** The replica died; what it had staged is gone. */
  | { readonly type: "lost"; readonly replica: ReplicaId; readonly failure: SyncFailure }
  | { readonly type: "abort" }
  /** Another gateway may run a sync now. */
  | { readonly type: "lost-turn"; readonly failure: SyncFailure }
  | { readonly type: "deadline" };

export type SyncEffect =
  | { readonly type: "stage"; readonly replicas: readonly ReplicaId[] }
  | { readonly type: "close-gate" }
  | { readonly type: "drain" }
  | { readonly type: "commit"; readonly replicas: readonly ReplicaId[] }
  | { readonly type: "fence"; readonly replica: ReplicaId; readonly reason: string }
  | { readonly type: "publish"; readonly digest: WeightDigest | null; readonly replicas: readonly ReplicaId[] }
  /** Ends whatever still runs for this sync. */
  | { readonly type: "cancel" }
  | { readonly type: "open-gate" }
  | { readonly type: "discard"; readonly replicas: readonly ReplicaId[] }
  /** Always last, exactly once. */
  | { readonly type: "finish" };

export interface SyncStep {
  readonly state: SyncState;
  readonly effects: readonly SyncEffect[];
}

/** The state of a sync that has just begun to receive. `replicas`: who takes part; at least one. */
export function createSyncState(replicas: readonly ReplicaId[], verify: boolean): SyncState {
  return {
    phase: "receive",
    outcome: "running",
    verify,
    expected: null,
    digest: null,
    gateClosed: false,
    replicas: replicas.map((id) => ({ id, step: "waiting", digest: null, error: null })),
    error: null,
  };
}

/** True until the first replica may have switched: from then on an abort would leave the fleet on two versions. */
export const canAbort = (state: SyncState): boolean =>
  state.outcome === "running" && state.phase !== "switch" && state.phase !== "publish" && state.phase !== "done";

const ids = (state: SyncState): readonly ReplicaId[] => state.replicas.map(({ id }) => id);

const change = (state: SyncState, id: ReplicaId | null, to: Partial<SyncReplica>): SyncState => ({
  ...state,
  replicas: state.replicas.map((replica) => (id === null || replica.id === id ? { ...replica, ...to } : replica)),
});

const only = (state: SyncState): SyncStep => ({ state, effects: [] });

/** The way out before the switch: everything as it was. */
function giveUp(state: SyncState, outcome: "failed" | "aborted", failure: SyncFailure | null): SyncStep {
  const named = failure?.replica === undefined ? state : change(state, failure.replica, { error: failure.message });
  const effects: SyncEffect[] = [{ type: "cancel" }];
  if (state.gateClosed) effects.push({ type: "open-gate" });
  effects.push({ type: "discard", replicas: ids(state) }, { type: "finish" });
  return {
    state: {
      ...change(named, null, { step: "discarded" }),
      outcome,
      gateClosed: false,
      error: failure === null ? null : { ...failure, phase: state.phase },
    },
    effects,
  };
}

/** All staged: compare, then close the gate. */
function verifyAll(state: SyncState): SyncStep {
  // Replicas that cannot prove what they staged are not compared; their entry in the sync says so.
  const told = state.replicas.filter(({ digest }) => digest !== null);
  const reference = state.expected ?? told[0]?.digest ?? null;
  const odd = state.verify ? told.find(({ digest }) => digest !== reference) : undefined;
  if (odd !== undefined) {
    const against = state.expected === null ? `replica ${told[0]?.id} has` : "the received weights give";
    return giveUp({ ...state, phase: "verify" }, "failed", {
      code: "weights_digest_mismatch",
      replica: odd.id,
      message: `Replica ${odd.id} staged weights with the digest ${odd.digest}; ${against} ${reference}.`,
    });
  }
  return {
    state: { ...change(state, null, { step: "verified" }), phase: "drain", digest: reference, gateClosed: true },
    effects: [{ type: "close-gate" }, { type: "drain" }],
  };
}

/** Ends the switch when no replica is left in it. */
function concludeSwitch(step: SyncStep): SyncStep {
  const { state } = step;
  if (state.replicas.some((replica) => replica.step === "switching")) return step;
  const switched = switchedOf(state);
  if (switched.length > 0) {
    return {
      state: { ...state, phase: "publish" },
      effects: [...step.effects, { type: "cancel" }, { type: "publish", digest: state.digest, replicas: switched }],
    };
  }
  return {
    state: { ...state, gateClosed: false, outcome: "failed" },
    effects: [...step.effects, { type: "cancel" }, { type: "open-gate" }, { type: "finish" }],
  };
}

const switchedOf = (state: SyncState): readonly ReplicaId[] =>
  state.replicas.filter((replica) => replica.step === "switched").map(({ id }) => id);

const END: readonly SyncEffect[] = [{ type: "open-gate" }, { type: "finish" }];

/** Nobody else may know of the new version: what has it must not serve. */
function unpublished(state: SyncState, failure: SyncFailure): SyncStep {
  let step = only(state);
  for (const id of switchedOf(state)) step = fence(step, id, failure);
  return {
    state: { ...step.state, gateClosed: false, outcome: "failed", error: { ...failure, phase: "publish" } },
    effects: [...step.effects, ...END],
  };
}

function fence(step: SyncStep, id: ReplicaId, failure: SyncFailure): SyncStep {
  const fenced = change(step.state, id, { step: "fenced", error: failure.message });
  const error = step.state.error ?? { ...failure, replica: id, phase: "switch" };
  const effect: SyncEffect = { type: "fence", replica: id, reason: failure.message };
  return { state: { ...fenced, error }, effects: [...step.effects, effect] };
}

const DEADLINE: SyncFailure = {
  code: "deadline_exceeded",
  message: "The sync's deadline passed. Give it more time with deadline_s, or look at what the slowest replica does.",
};

function onDeadline(state: SyncState): SyncStep {
  if (canAbort(state)) return giveUp(state, "failed", DEADLINE);
  // Writing down has a limit of its own.
  if (state.phase === "publish") return only(state);
  let step = only(state);
  for (const { id, step: at } of state.replicas) {
    if (at !== "switching") continue;
    step = fence(step, id, {
      ...DEADLINE,
      message: "The sync's deadline passed before this replica confirmed the switch; which weights it has is unknown.",
    });
  }
  return concludeSwitch(step);
}

/**
 * The next state. Events that come too late or make no sense in the present state change nothing.
 *
 * @example
 * ```ts
 * import type { ReplicaId } from "../contract/ids.ts";
 * import { createSyncState, reduceSync } from "./machine.ts";
 * const begun = createSyncState(["a" as ReplicaId], true);
 * const { effects } = reduceSync(begun, { type: "received", expected: null });
 * if (effects[0]?.type !== "stage") throw new Error("received weights are staged next");
 * ```
 */
export function reduceSync(state: SyncState, event: SyncEvent): SyncStep {
  if (state.outcome !== "running") return only(state);
  const stepOf = (id: ReplicaId): SyncReplica["step"] | undefined =>
    state.replicas.find((replica) => replica.id === id)?.step;

  switch (event.type) {
    case "received":
      if (state.phase !== "receive") return only(state);
      return {
        state: { ...change(state, null, { step: "staging" }), phase: "stage", expected: event.expected },
        effects: [{ type: "stage", replicas: ids(state) }],
      };
    case "receive-failed":
      return state.phase === "receive" ? giveUp(state, "failed", event.failure) : only(state);
    case "staged": {
      if (state.phase !== "stage" || stepOf(event.replica) !== "staging") return only(state);
      const next = change(state, event.replica, { step: "staged", digest: event.digest });
      return next.replicas.every(({ step }) => step === "staged") ? verifyAll(next) : only(next);
    }
    case "stage-failed":
      if (state.phase !== "stage" || stepOf(event.replica) !== "staging") return only(state);
      return giveUp(state, "failed", { ...event.failure, replica: event.replica });
    case "drained":
      if (state.phase !== "drain") return only(state);
      return {
        state: { ...change(state, null, { step: "switching" }), phase: "switch" },
        effects: [{ type: "commit", replicas: ids(state) }],
      };
    case "drain-failed":
      return state.phase === "drain" ? giveUp(state, "failed", event.failure) : only(state);
    case "switched":
      if (stepOf(event.replica) !== "switching") return only(state);
      return concludeSwitch(only(change(state, event.replica, { step: "switched" })));
    case "switch-failed":
      if (stepOf(event.replica) !== "switching") return only(state);
      return concludeSwitch(fence(only(state), event.replica, event.failure));
    case "published":
      if (state.phase !== "publish") return only(state);
      return { state: { ...state, gateClosed: false, phase: "done", outcome: "completed" }, effects: END };
    case "publish-failed":
      return state.phase === "publish" ? unpublished(state, event.failure) : only(state);
    case "lost": {
      const step = stepOf(event.replica);
      if (step === "switching") return concludeSwitch(fence(only(state), event.replica, event.failure));
      // While receiving it may well be back in time; a switched one comes back with the new weights.
      if (step !== "staging" && step !== "staged" && step !== "verified") return only(state);
      return giveUp(state, "failed", { ...event.failure, replica: event.replica });
    }
    case "abort":
      return canAbort(state) ? giveUp(state, "aborted", null) : only(state);
    case "lost-turn":
      return canAbort(state) ? giveUp(state, "failed", event.failure) : only(state);
    case "deadline":
      return onDeadline(state);
  }
}
