/**
 * Performs what the trainer machine decides: on the servers (`work.ts`), on the fleet (`fences.ts`), in the history. Owns
 * every timer of a session – the call's, a stage's, the trainer's silence – and turns answers into promises.
 */
import type { ReplicaId, WeightVersion } from "../../contract/ids.ts";
import type { PauseMode, TransferCall, TransferIdentity } from "../../engine/engine.ts";
import { GatewayError } from "../../errors.ts";
import type { Replica } from "../../fleet/types.ts";
import { orAborted } from "../../lib/deadline.ts";
import type { TrainerCaller, TrainerOptions, TrainerResult } from "./api.ts";
import type { Cargo } from "./cargo.ts";
import { createFences, type Fences } from "./fences.ts";
import { createLedger } from "./ledger.ts";
import { reduceTrainer } from "./machine.ts";
import { createTimers } from "./timers.ts";
import {
  createTrainerState,
  type TrainerEffect,
  type TrainerEvent,
  type TrainerFailure,
  type TrainerState,
} from "./types.ts";
import { judgeFinish } from "./verdict.ts";
import { createWork, forgetPrefixes, identify } from "./work.ts";

/** After the first failure of a collective the others wait for a peer that never comes; their own errors get this long. */
const GRACE_MS = 1000;
/** Closing what a failed session left open: a local step of the engine. */
const UNDO_MS = 5000;
/** Checking labels. Also what a finish may take beyond its deadline, which must stay under a second. */
const VERIFY_MS = 3000;
const LATE_VERIFY_MS = 500;

/** What the calls (`session.ts`) use. */
export interface Conductor {
  readonly cargo: Cargo;
  readonly identities: Map<ReplicaId, TransferIdentity>;
  readonly fences: Fences;
  readonly state: () => TrainerState;
  readonly joined: () => readonly ReplicaId[];
  dispatch(event: TrainerEvent): void;
  /** Resolves with how the machine answers; rejects when it refuses. */
  ask(event: TrainerEvent): Promise<TrainerFailure | null>;
  /** The deadline of the call under way has passed. */
  expire(): void;
  /** Resolves when nothing is being closed or released any more. */
  idle(signal: AbortSignal): Promise<void>;
  /** As `idle`, until the call's deadline, or for a short while beyond it: an answer should not come before its servers serve again. */
  settled(signal: AbortSignal): Promise<void>;
  /** Takes the place of a running sync. Throws what refuses one. */
  beginRecord(by: Omit<TrainerCaller, "signal">): Promise<void>;
  /** Nothing was begun after all. */
  dropRecord(): Promise<void>;
  readonly hasRecord: () => boolean;
  /** What the session's finish published. */
  readonly published: () => TrainerResult["published"];
  /** `cleared`: the pause emptied the prefix caches. */
  setPaused(mode: PauseMode | null, cleared?: boolean): void;
  stop(): void;
}

/** Creates it; nothing runs before the first call. */
export function createConductor(options: TrainerOptions): Conductor {
  const { fleet, syncs, clock, log, timeoutMilliseconds } = options;
  let state: TrainerState = createTrainerState();
  let pausedBy: PauseMode | null = null;
  /** Our own pauses always clear. */
  let cleared = true;
  let waiter: { resolve(failure: TrainerFailure | null): void; reject(error: GatewayError): void } | null = null;
  let round = new AbortController();
  const identities = new Map<ReplicaId, TransferIdentity>();
  const cargo: Cargo = {
    join: {},
    shares: [],
    checkpointFormat: undefined,
    update: {},
    version: 0 as WeightVersion,
    label: "",
  };
  const queue: TrainerEvent[] = [];
  let dispatching = false;
  /** Releases under way; the next call waits for them. */
  let settling: Promise<unknown> = Promise.resolve();
  const idleWaiters = new Set<() => void>();

  const timers = createTimers(clock);
  const ledger = createLedger({ ...options, cargo, identities, state: () => state, dispatch });
  const work = createWork({
    fleet,
    clock,
    ledger,
    leftOpen: options.leftOpen ?? (() => false),
    mode: options.mode,
    pausedBy: () => pausedBy,
    dispatch,
    identities,
    newId: () => options.random.uuid(),
  });
  const fences = createFences({
    fleet,
    clock,
    log,
    identities,
    dispatch,
    syncs,
    state: () => state,
    resume: work.resume,
  });

  function dispatch(event: TrainerEvent): void {
    queue.push(event);
    if (dispatching) return;
    dispatching = true;
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      if (next.type === "deadline") fences.blocked(state.members.filter(({ waiting }) => waiting).map(({ id }) => id));
      const before = state;
      const step = reduceTrainer(state, next);
      state = step.state;
      if (
        next.type === "failed" &&
        ["joining", "starting", "updating"].includes(state.stage) &&
        !timers.isSet("grace")
      ) {
        timers.set("grace", GRACE_MS, () =>
          dispatch({
            type: "deadline",
            message:
              "It had not answered when another server failed; the collective waits for a peer that never comes.",
          }),
        );
      }
      for (const effect of step.effects) perform(effect);
      if (state !== before) ledger.show();
    }
    dispatching = false;
    if (state.stage === "idle") for (const wake of [...idleWaiters]) wake();
  }

  function newRound(): AbortSignal {
    round.abort(new GatewayError("deadline_exceeded", "The call is over."));
    round = new AbortController();
    timers.cancel("grace");
    timers.cancel("stage");
    return round.signal;
  }

  function toCall(call: Extract<TrainerEffect, { type: "send" }>["call"], replica: Replica): TransferCall {
    switch (call) {
      case "join": {
        const share = cargo.shares.find(({ id }) => id === replica.id);
        return {
          type: "join",
          info: share === undefined ? cargo.join : { ...cargo.join, rank_offset: share.rankOffset },
        };
      }
      case "start":
        return cargo.checkpointFormat === undefined
          ? { type: "start" }
          : { type: "start", checkpointFormat: cargo.checkpointFormat };
      case "update":
        return { type: "update", update: shareOf(replica) };
      case "finish": {
        // Servers that do not tell their label may not know the field either; without an update nothing gets a label.
        const labels = identities.get(replica.id)?.label != null && state.updates > 0;
        return { type: "finish", label: labels ? cargo.label : null };
      }
      case "leave":
        return { type: "leave" };
    }
  }

  /** A list has one payload per rank of the whole fleet, in rank order. */
  function shareOf(replica: Replica): Cargo["update"] {
    const { update } = cargo;
    if (!Array.isArray(update)) return update;
    let from = 0;
    for (const { id } of state.members.filter(({ joined }) => joined)) {
      const ranks = fleet.replica(id)?.info?.worldSize ?? 1;
      if (id === replica.id) return update.slice(from, from + ranks);
      from += ranks;
    }
    return [];
  }

  function perform(effect: TrainerEffect): void {
    switch (effect.type) {
      case "refuse":
        waiter?.reject(new GatewayError(effect.code, effect.message));
        return;
      case "answer":
        timers.cancel("call");
        waiter?.resolve(effect.failure);
        if (state.stage === "open") armSilence();
        return;
      case "hold":
        for (const id of effect.replicas) fences.hold(id);
        return;
      case "drain":
        work.drain(effect.replicas, newRound());
        return;
      case "send":
        work.send(effect.replicas, (replica) => toCall(effect.call, replica), newRound());
        return;
      case "undo":
        work.undo(effect.replicas, newRound());
        timers.set("stage", UNDO_MS, () =>
          dispatch({
            type: "deadline",
            message: `It did not close its open update within ${UNDO_MS / 1000} s: its engine is blocked. Restart it, or detach it.`,
          }),
        );
        return;
      case "verify":
        verify(effect.replicas);
        return;
      case "publish":
        void ledger.publish(effect.replicas);
        return;
      case "release":
        settling = Promise.all([settling, ...effect.replicas.map((id) => fences.release(id))]);
        return;
      case "fence":
        fences.fence(effect.replica, effect.reason, effect.known);
        return;
      case "reborn":
        fences.reborn(effect.replica);
        return;
      case "ended":
        endRecord(effect.failure);
        return;
    }
  }

  function verify(ids: readonly ReplicaId[]): void {
    newRound();
    const late = !timers.isSet("call");
    const limit = late ? LATE_VERIFY_MS : VERIFY_MS;
    for (const id of ids) {
      const target = fleet.replica(id)?.engine.transfer;
      const before = identities.get(id);
      const found = target === undefined ? Promise.resolve(undefined) : identify(clock, target, limit);
      void found.then(async (identity) => {
        const verdict = judgeFinish(before, identity, cargo.label);
        const replica = verdict.ok === false ? undefined : fleet.replica(id);
        const kept = replica === undefined ? null : await forgetPrefixes(clock, replica, limit, cleared);
        // What was not proved here leaves the old label as it was: by the new one a refit knows the finish again.
        if (verdict.ok !== false && kept === null && identity !== undefined) identities.set(id, identity);
        dispatch({ type: "verified", replica: id, ...(kept === null ? verdict : { ok: false, reason: kept }) });
      });
    }
  }

  function endRecord(failure: TrainerFailure | null): void {
    timers.cancel("silence");
    if (failure !== null)
      log.warn("trainer's update failed", { phase: failure.phase, replica: failure.replica, reason: failure.message });
    settling = ledger.end(failure, settling);
  }

  function armSilence(): void {
    timers.set("silence", timeoutMilliseconds, () =>
      dispatch({
        type: "abandoned",
        reason: `The trainer said nothing for ${timeoutMilliseconds / 1000} s in the middle of an update.`,
      }),
    );
  }

  const stuck = (): string => {
    const inFlight = state.members.flatMap(({ id }) => {
      const count = fleet.replica(id)?.inFlight ?? 0;
      return count > 0 ? [`${id}: ${count}`] : [];
    });
    return inFlight.length === 0
      ? ""
      : ` Requests still run (${inFlight.join(", ")}): pause with mode=abort or mode=keep first, or give it longer (x-request-timeout).`;
  };

  function deadlineMessage(): string {
    if (state.stage === "draining") {
      const pausing = work.pausing();
      const who = pausing.length === 0 ? "the servers" : pausing.join(", ");
      return `start: ${who} did not ${pausing.length === 0 ? "fall idle" : "confirm /pause"} before the deadline.${stuck()}`;
    }
    return "It did not answer before the deadline, although its /health may say 200: its engine waits for the trainer or is blocked.";
  }

  /** Resolves with how the machine answers; the call goes on when its client leaves, ends when its deadline passes. */
  function ask(event: TrainerEvent): Promise<TrainerFailure | null> {
    timers.cancel("silence");
    return new Promise<TrainerFailure | null>((resolve, reject) => {
      waiter = { resolve, reject };
      timers.set("call", timeoutMilliseconds, () => expire());
      dispatch(event);
    }).finally(() => {
      waiter = null;
      timers.cancel("call");
      if (state.stage === "open") armSilence();
    });
  }

  function expire(): void {
    // Nobody waits for the servers yet, or any more; what prepares a call ends with the call's own signal.
    if (waiter === null) return;
    const message = deadlineMessage();
    timers.cancel("call");
    dispatch({ type: "deadline", message });
    // A finish goes on to be verified; that too must end.
    if (state.stage === "verifying") timers.set("stage", LATE_VERIFY_MS, () => dispatch({ type: "deadline", message }));
  }

  async function idle(signal: AbortSignal): Promise<void> {
    while (state.stage === "undoing" || state.stage === "clearing") {
      let wake = (): void => undefined;
      const changed = new Promise<void>((resolve) => {
        wake = resolve;
        idleWaiters.add(wake);
      });
      await orAborted(changed, signal).finally(() => idleWaiters.delete(wake));
    }
    await orAborted(settling, signal);
  }

  const unsubscribe = fleet.subscribe((changed) => {
    if (changed !== null) fences.onFleetChange(changed);
  });

  return {
    cargo,
    identities,
    fences,
    state: () => state,
    joined: () => state.members.filter(({ joined }) => joined).map(({ id }) => id),
    dispatch,
    ask,
    expire,
    idle,
    async settled(signal) {
      await orAborted(settling, signal).catch(() => undefined);
      if (signal.aborted)
        await Promise.race([settling, new Promise<void>((resolve) => clock.timer(LATE_VERIFY_MS, resolve))]);
    },
    beginRecord: (by) => ledger.begin(by, pausedBy ?? options.mode),
    dropRecord: () => ledger.end({ code: "client_closed", message: "The trainer left before the update began." }),
    hasRecord: () => ledger.open,
    published: () => ledger.published,
    setPaused(mode, clearedToo = true) {
      pausedBy = mode;
      cleared = clearedToo;
    },
    stop() {
      unsubscribe();
      timers.stop();
      fences.stop();
      round.abort(new GatewayError("draining", "The gateway is shutting down."));
    },
  };
}
