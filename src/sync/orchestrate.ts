/**
 * Runs one weight sync: performs the effects of the machine against engines and fleet, under one deadline. Decides
 * nothing that the machine decides. Every engine call is raced with a signal, so a replica that hangs cannot hold a sync.
 */
import type { SyncMode } from "../contract/control/weight-syncs.ts";
import type { ReplicaId, WeightDigest, WeightVersion } from "../contract/ids.ts";
import type { PauseMode, StageProgress, WeightSet, WeightTarget } from "../engine/engine.ts";
import { GatewayError, toGatewayError } from "../errors.ts";
import type { FleetRegistry, Replica } from "../fleet/types.ts";
import { orAborted } from "../lib/deadline.ts";
import type { Logger } from "../observe/log.ts";
import type { Clock } from "../ports.ts";
import { canAbort, createSyncState, reduceSync, type SyncEffect, type SyncFailure, type SyncState } from "./machine.ts";
import type { SwitchBarrier } from "./types.ts";

/** Clean-up calls (discard, resume) get this long; a replica that takes longer is left to its own health checks. */
const CLEANUP_MILLISECONDS = 5000;

export interface SyncPlan {
  readonly id: string;
  readonly version: WeightVersion;
  readonly mode: SyncMode;
  readonly verify: boolean;
  readonly deadlineMilliseconds: number;
  /** At least one, all with `engine.weights`. */
  readonly participants: readonly Replica[];
  /** Makes the set. `expected` is the digest of the whole model, where the set tells. Must end soon after the signal. */
  readonly receive: (
    signal: AbortSignal,
  ) => Promise<{ readonly set: WeightSet; readonly expected: WeightDigest | null }>;
  /** After every change of the state. */
  readonly onState: (state: SyncState) => void;
  readonly onProgress: (replica: ReplicaId, progress: StageProgress) => void;
  /** The first commit is about to be sent: a worker that restarts from now on must load the new weights. */
  readonly onSwitching: () => void;
  /** The last word before the participants are changed; with `abort` their requests still run. */
  readonly beforeSwitch: (signal: AbortSignal) => Promise<void>;
  /** Throws when this sync may not change anything any more; called before every change of a replica. */
  readonly check: () => void;
  /** Writes the version down; `replicas` have it. When it rejects, nobody may serve it. */
  readonly publish: (digest: WeightDigest | null, replicas: readonly ReplicaId[]) => Promise<void>;
  /** Everybody may know it. */
  readonly onPublished: (digest: WeightDigest | null, replicas: readonly ReplicaId[]) => void;
}

export interface SyncTools {
  readonly fleet: FleetRegistry;
  readonly clock: Pick<Clock, "timer">;
  readonly log: Logger;
  readonly barrier?: SwitchBarrier;
}

export interface SyncRun {
  /** Resolves when everything of this sync has ended, clean-up included. Never rejects. */
  readonly done: Promise<SyncState>;
  readonly state: () => SyncState;
  /** false when the switch has begun: then it can only go forward. */
  abort(): boolean;
  /** Ends it now, as if its deadline had passed: for the shutdown of the process. */
  expire(): void;
  /** The right to change weights was lost: ends it for this reason, as `expire` does. */
  lose(reason: unknown): void;
}

/** What an error of a call says, in the machine's terms. */
export function toFailure(thrown: unknown, replica?: ReplicaId): SyncFailure {
  const error = toGatewayError(thrown);
  const { upstream, tensor, param } = error.details;
  return {
    code: error.code === "internal" ? (replica === undefined ? "sync_failed" : "replica_failed") : error.code,
    message:
      error.code === "internal" && replica !== undefined
        ? `Replica ${replica} failed: ${thrown instanceof Error ? thrown.message : String(thrown)}.`
        : error.message,
    ...(replica === undefined ? {} : { replica }),
    ...(upstream === undefined ? {} : { upstream }),
    ...(tensor === undefined ? {} : { tensor }),
    ...(param === undefined ? {} : { param }),
  };
}

/** Starts a sync; it owns everything it starts. */
export function runSync(plan: SyncPlan, { fleet, clock, log, barrier }: SyncTools): SyncRun {
  let state = createSyncState(
    plan.participants.map(({ id }) => id),
    plan.verify,
  );
  const byId = new Map(plan.participants.map((replica) => [replica.id, replica]));
  const target = (id: ReplicaId): WeightTarget => byId.get(id)!.engine.weights!;
  /** Ends receive, stage, drain and commit. */
  const work = new AbortController();
  const cleanup: Promise<unknown>[] = [];
  const staging = new Map<ReplicaId, Promise<WeightDigest | null>>();
  /** Replicas that this sync paused and must resume. */
  const paused = new Set<ReplicaId>();
  /** Paused by somebody else: their requests are frozen and would never drain. */
  const frozen = new Set<ReplicaId>();
  let set: WeightSet | undefined;
  let openGate = (): void => undefined;
  let openBarrier = (): void => undefined;
  let finish: (state: SyncState) => void = () => undefined;
  const done = new Promise<SyncState>((resolve) => {
    finish = resolve;
  });

  const bounded = (what: string, id: ReplicaId, call: (signal: AbortSignal) => Promise<unknown>): Promise<void> => {
    const limit = new AbortController();
    const timer = clock.timer(CLEANUP_MILLISECONDS, () => limit.abort(new Error(`${what} took too long`)));
    return orAborted(call(limit.signal), limit.signal)
      .then(() => undefined)
      .catch((error: unknown) => log.warn(`sync: ${what} failed`, { sync: plan.id, replica: id, error }))
      .finally(() => timer.cancel());
  };

  const dispatch = (event: Parameters<typeof reduceSync>[1]): void => {
    const before = state;
    const step = reduceSync(state, event);
    state = step.state;
    for (const effect of step.effects) perform(effect);
    if (state !== before) plan.onState(state);
  };

  const receive = async (): Promise<void> => {
    try {
      const received = await plan.receive(work.signal);
      set = received.set;
      dispatch({ type: "received", expected: received.expected });
    } catch (error) {
      if (!(error instanceof GatewayError) && !work.signal.aborted) {
        log.error("sync: receiving failed unexpectedly", { sync: plan.id, error });
      }
      dispatch({ type: "receive-failed", failure: toFailure(error) });
    }
  };

  const stage = async (id: ReplicaId, weights: WeightSet): Promise<void> => {
    try {
      const call = target(id).stage(plan.id, weights, {
        signal: work.signal,
        onProgress: (progress) => plan.onProgress(id, progress),
      });
      staging.set(id, call);
      const digest = await orAborted(call, work.signal);
      dispatch({ type: "staged", replica: id, digest });
    } catch (error) {
      dispatch({ type: "stage-failed", replica: id, failure: toFailure(error, id) });
    }
  };

  /** A call that was told to stop may still succeed; what it staged then must not stay. So: first its end, then discard. */
  const discard = async (id: ReplicaId): Promise<void> => {
    await staging.get(id)?.catch(() => undefined);
    await target(id).discard(plan.id);
  };

  const pauseAll = async (): Promise<void> => {
    const controls = plan.participants.flatMap(({ id, engine: { control } }) => (control ? [{ id, control }] : []));
    await Promise.all(
      controls.map(async ({ id, control }) => {
        try {
          if (await orAborted(control.isPaused({ signal: work.signal }), work.signal)) {
            frozen.add(id);
          } else if (plan.mode === "abort") {
            paused.add(id);
            await orAborted(control.pause("abort", false, { signal: work.signal }), work.signal);
          }
        } catch (error) {
          throw new GatewayError("replica_failed", toFailure(error, id).message, { replica: id, cause: error });
        }
      }),
    );
  };

  /** Before the gate: whoever holds a lease still has to generate, and could not behind it. */
  const clearLeases = async (): Promise<void> => {
    if (barrier === undefined) return;
    const ids = plan.participants.map(({ id }) => id);
    const open = await barrier.close(ids, plan.mode, `weight sync ${plan.id}`, work.signal);
    if (work.signal.aborted) {
      open();
      throw work.signal.reason;
    }
    openBarrier = open;
    openGate = fleet.closeGate();
  };

  const drain = async (): Promise<void> => {
    try {
      await clearLeases();
      // Paused servers keep what still comes until they are resumed: first nobody must send anything any more.
      if (plan.mode === "abort") await orAborted(plan.beforeSwitch(work.signal), work.signal);
      if (plan.mode !== "keep") await pauseAll();
      if (plan.mode === "wait") {
        const waitFor = plan.participants.map(({ id }) => id).filter((id) => !frozen.has(id));
        await orAborted(fleet.drained(waitFor, work.signal), work.signal);
      }
      if (plan.mode !== "abort") await orAborted(plan.beforeSwitch(work.signal), work.signal);
      dispatch({ type: "drained" });
    } catch (error) {
      const replica = error instanceof GatewayError ? error.details.replica : undefined;
      dispatch({ type: "drain-failed", failure: toFailure(error, replica as ReplicaId | undefined) });
    }
  };

  const commit = async (id: ReplicaId): Promise<void> => {
    const mode: PauseMode = plan.mode === "wait" && frozen.has(id) ? "keep" : plan.mode;
    try {
      const { check } = plan;
      check();
      await orAborted(target(id).commit(plan.id, plan.version, mode, { signal: work.signal, check }), work.signal);
      dispatch({ type: "switched", replica: id });
    } catch (error) {
      dispatch({ type: "switch-failed", replica: id, failure: toFailure(error, id) });
    }
  };

  const publish = async (digest: WeightDigest | null, replicas: readonly ReplicaId[]): Promise<void> => {
    try {
      await plan.publish(digest, replicas);
    } catch (error) {
      const { code, message } = toFailure(error);
      const why = code === "weights_digest_mismatch" ? "" : "it could not be written down: ";
      return dispatch({
        type: "publish-failed",
        failure: { code, message: `The switch was done, but ${why}${message}` },
      });
    }
    for (const id of replicas) {
      // A digest stands for a replica only where that replica proved it.
      const proven = state.replicas.find((replica) => replica.id === id)?.digest ?? null;
      fleet.setWeights(id, plan.version, proven === null ? null : digest);
      // One that was fenced before has just got everything anew.
      const now = fleet.replica(id);
      if (now?.state === "quarantined" || now?.lastError != null) fleet.setState(id, "ready", null);
    }
    fleet.publish(plan.version, digest);
    plan.onPublished(digest, replicas);
    dispatch({ type: "published" });
  };

  const end = async (): Promise<void> => {
    deadline.cancel();
    for (const unsubscribe of subscriptions) unsubscribe();
    await Promise.allSettled([receiving, ...cleanup]);
    finish(state);
  };

  const perform = (effect: SyncEffect): void => {
    switch (effect.type) {
      case "stage":
        for (const id of effect.replicas) void stage(id, set!);
        return;
      case "close-gate":
        // With a barrier the gate closes behind it, see `clearLeases`.
        if (barrier === undefined) openGate = fleet.closeGate();
        return;
      case "drain":
        void drain();
        return;
      case "commit":
        plan.onSwitching();
        for (const id of effect.replicas) void commit(id);
        return;
      case "fence":
        log.error("sync: replica fenced", { sync: plan.id, replica: effect.replica, reason: effect.reason });
        // It may have switched or not, or still do so: only a restart or a proven load tells.
        fleet.setWeights(effect.replica, null, null);
        fleet.setState(effect.replica, "quarantined", effect.reason);
        return;
      case "publish":
        void publish(effect.digest, effect.replicas);
        return;
      case "cancel":
        work.abort(new GatewayError("sync_failed", `Sync ${plan.id} has ended.`));
        return;
      case "open-gate":
        for (const id of paused) {
          // One whose switch failed may hold no weights at all: a single step would kill it.
          if (state.replicas.some((replica) => replica.id === id && replica.step === "fenced")) continue;
          cleanup.push(bounded("resume", id, (signal) => byId.get(id)!.engine.control!.resume({ signal })));
        }
        openGate();
        openBarrier();
        return;
      case "discard":
        for (const id of effect.replicas) cleanup.push(bounded("discard", id, () => discard(id)));
        return;
      case "finish":
        void end();
        return;
    }
  };

  const subscriptions = plan.participants.map(({ id, engine }) =>
    engine.subscribe((notice) => {
      if (notice.type !== "down") return;
      const message = `Replica ${id} went down during the sync: ${notice.reason}`;
      dispatch({ type: "lost", replica: id, failure: { code: "replica_failed", message, replica: id } });
    }),
  );
  const deadline = clock.timer(plan.deadlineMilliseconds, () => dispatch({ type: "deadline" }));
  const receiving = receive();

  return {
    done,
    state: () => state,
    abort() {
      if (!canAbort(state)) return false;
      dispatch({ type: "abort" });
      return true;
    },
    expire: () => dispatch({ type: "deadline" }),
    lose(reason) {
      if (state.phase === "publish" || state.outcome !== "running") return;
      const failure = toFailure(reason);
      // What is under way ends with this reason, as a failure of each replica or of the whole.
      work.abort(new GatewayError(failure.code, failure.message));
      if (canAbort(state)) dispatch({ type: "lost-turn", failure });
    },
  };
}
