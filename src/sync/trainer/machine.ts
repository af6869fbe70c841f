/**
 * A trainer-driven weight update over N servers as a pure reducer: (state, event) → next state and the effects to run.
 * No I/O and no time; `session.ts` runs the effects. What it guarantees (property-tested):
 *
 * - a call out of order is refused before any server sees it, and every accepted call is answered exactly once;
 * - from before the first byte of `start` until the finish is confirmed, and after any failure in between, a server
 *   serves nothing: it is held, then released with known weights or fenced with unknown ones;
 * - a fenced server comes back only by a verified, complete update, by a refit that proves its weights, or as a new process;
 * - a version is published once per session, for servers that took every update and confirmed the end; they serve it
 *   when it has been written down, and are fenced when it could not be.
 */
import type { ReplicaId } from "../../contract/ids.ts";
import { beginDrain, conclude, concludeIfAll, concludePublish, failSession } from "./conclude.ts";
import {
  andThen,
  answer,
  ask,
  beReborn,
  change,
  changeOne,
  find,
  group,
  ids,
  only,
  refuse,
  settle,
  summary,
} from "./steps.ts";
import type { TrainerEffect, TrainerEvent, TrainerFailure, TrainerMember, TrainerState, TrainerStep } from "./types.ts";

function onJoin(state: TrainerState, { replicas, stale, open = [] }: TrainerEvent & { type: "join" }): TrainerStep {
  if (state.stage !== "idle") return refuse(state, `The servers are busy (${state.stage}); wait for the running call.`);
  const asked = new Set(replicas);
  const old = state.members.map((member) => ({
    ...member,
    joined: asked.has(member.id),
    open: member.open || open.includes(member.id),
    known: member.known && !stale.includes(member.id),
    error: null,
  }));
  const fresh = replicas
    .filter((id) => find(state, id) === undefined)
    .map(
      (id): TrainerMember => ({
        id,
        joined: true,
        waiting: false,
        open: open.includes(id),
        known: !stale.includes(id),
        wasKnown: true,
        fenced: null,
        reborn: false,
        error: null,
      }),
    );
  const next: TrainerState = { ...state, stage: "joining", call: "join", members: [...old, ...fresh] };
  return andThen({ state: next, effects: [{ type: "hold", replicas }] }, (held) =>
    ask(held, group(held), { type: "send", call: "join", replicas }),
  );
}

function onStart(state: TrainerState, event: TrainerEvent & { type: "start" }): TrainerStep {
  if (state.stage === "open") {
    return refuse(
      state,
      "An update is open already: send /update_weights and /finish_weight_update, or join anew with /init_weight_transfer_engine.",
    );
  }
  if (state.stage !== "idle") return refuse(state, `The servers are busy (${state.stage}); wait for the running call.`);
  const members = group(state);
  if (members.length === 0)
    return refuse(state, "No server has joined a trainer's group: call /init_weight_transfer_engine first.");
  if (event.absent.length > 0) {
    const who = event.absent.map(({ id, reason }) => `${id} (${reason})`).join(", ");
    return refuse(
      state,
      `The trainer's group is no longer complete: ${who}. Ask /get_world_size and call /init_weight_transfer_engine anew.`,
    );
  }
  const begun: TrainerState = {
    ...change(state, (member) => ({ wasKnown: member.known, error: null })),
    call: "start",
    updates: 0,
    names: new Set(),
    allNames: new Set([...state.allNames, ...(event.announced ?? [])]),
  };
  const hold: TrainerEffect = { type: "hold", replicas: ids(members) };
  const left = members.filter(({ open }) => open);
  return andThen({ state: begun, effects: [hold] }, (next) =>
    left.length === 0
      ? beginDrain(next)
      : ask({ ...next, stage: "clearing" }, left, { type: "undo", replicas: ids(left) }),
  );
}

function onUpdate(state: TrainerState, names: readonly string[]): TrainerStep {
  if (state.stage === "idle") return refuse(state, "No update is open: call /start_weight_update first.");
  if (state.stage !== "open") return refuse(state, `The servers are busy (${state.stage}); wait for the running call.`);
  const next: TrainerState = {
    // From the first byte on nobody knows what a server holds.
    ...change(state, ({ joined }) => (joined ? { known: false } : {})),
    stage: "updating",
    call: "update",
    updates: state.updates + 1,
    names: new Set([...state.names, ...names]),
    allNames: new Set([...state.allNames, ...names]),
  };
  const members = group(next);
  return ask(next, members, { type: "send", call: "update", replicas: ids(members) });
}

function onFinish(state: TrainerState): TrainerStep {
  if (state.stage === "idle")
    return refuse(
      state,
      "No update is open: there is nothing to finish. If an update failed, start again with /start_weight_update.",
    );
  if (state.stage !== "open") return refuse(state, `The servers are busy (${state.stage}); wait for the running call.`);
  const members = group(state);
  // Nothing was written: what `start` opened is closed again, and the weights are those from before.
  if (state.updates === 0) {
    return ask({ ...state, stage: "undoing", call: "finish" }, members, { type: "undo", replicas: ids(members) });
  }
  return ask({ ...state, stage: "finishing", call: "finish" }, members, {
    type: "send",
    call: "finish",
    replicas: ids(members),
  });
}

function onLeave(state: TrainerState): TrainerStep {
  if (state.stage !== "idle") return refuse(state, "An update is open: finish it before the group is left.");
  const members = group(state);
  if (members.length === 0) return { state, effects: [{ type: "answer", call: "leave", failure: null }] };
  return ask({ ...state, stage: "leaving", call: "leave" }, members, {
    type: "send",
    call: "leave",
    replicas: ids(members),
  });
}

function onDone(state: TrainerState, id: ReplicaId): TrainerStep {
  if (find(state, id)?.waiting !== true) return only(state);
  const { stage } = state;
  const closed = stage === "undoing" || stage === "clearing" ? { open: false } : {};
  return concludeIfAll(changeOne(state, id, { waiting: false, ...closed }));
}

function onFailed(state: TrainerState, id: ReplicaId, failure: TrainerFailure): TrainerStep {
  if (find(state, id)?.waiting !== true) return only(state);
  const lostSession = state.stage === "undoing" ? { known: false } : {};
  return concludeIfAll(changeOne(state, id, { waiting: false, error: { ...failure, replica: id }, ...lostSession }));
}

function onVerified(state: TrainerState, event: TrainerEvent & { type: "verified" }): TrainerStep {
  const member = find(state, event.replica);
  if (state.stage !== "verifying" || member?.waiting !== true) return only(state);
  const error: TrainerFailure | null =
    event.ok === null
      ? member.error
      : event.ok
        ? null
        : (member.error ?? { code: "replica_failed", replica: member.id, message: event.reason });
  return concludeIfAll(changeOne(state, member.id, { waiting: false, error }));
}

const ACTIVE: ReadonlySet<string> = new Set([
  "joining",
  "starting",
  "updating",
  "finishing",
  "verifying",
  "undoing",
  "clearing",
  "leaving",
]);

function onLost(state: TrainerState, id: ReplicaId, reason: string): TrainerStep {
  const member = find(state, id);
  if (member === undefined || !member.joined) return only(state);
  const failure: TrainerFailure = { code: "replica_failed", replica: id, message: reason };
  // Once it has confirmed, its end is no failure of the update.
  if (state.stage === "idle" || state.stage === "publishing") return only(state);
  const next = changeOne(state, id, { waiting: false, error: member.error ?? failure });
  if (state.stage === "open") return failSession(next, summary(next, "update")!);
  if (state.stage === "draining") return failDrain(next, { ...failure, message: `start: ${id}: ${reason}` });
  return ACTIVE.has(state.stage) ? concludeIfAll(next) : only(next);
}

/** Nothing was sent yet. */
function failDrain(state: TrainerState, failure: TrainerFailure): TrainerStep {
  const ended: TrainerEffect = { type: "ended", failure };
  const told = andThen({ state, effects: [ended] }, (next) => answer(next, { ...failure, phase: "drain" }));
  return andThen(told, (next) => settle(next, "Its weights are unknown."));
}

function onDeadline(state: TrainerState, message: string): TrainerStep {
  if (state.stage === "draining") return failDrain(state, { code: "deadline_exceeded", message });
  if (!ACTIVE.has(state.stage)) return only(state);
  const late = change(state, (member) =>
    member.waiting
      ? { error: member.error ?? { code: "deadline_exceeded" as const, replica: member.id, message } }
      : {},
  );
  // Who is still asked stays marked as waiting: `failSession` must not ask a blocked server again.
  const step = conclude(late);
  return step.state.stage === state.stage ? { ...step, state: change(step.state, () => ({ waiting: false })) } : step;
}

/** A new process: nothing of what this room knew of the old one counts. A session that it was part of has failed. */
function onRestarted(state: TrainerState, id: ReplicaId): TrainerStep {
  if (find(state, id) === undefined) return only(state);
  return andThen(onLost(state, id, "it was restarted"), (next) => {
    if (next.stage !== "idle" && find(next, id)?.joined === true) {
      return only(changeOne(next, id, { reborn: true, open: false, known: false }));
    }
    return beReborn(changeOne(next, id, { reborn: true }));
  });
}

/**
 * The next state. Results that come too late change nothing.
 *
 * @example
 * ```ts
 * import { reduceTrainer } from "./machine.ts";
 * import { createTrainerState } from "./types.ts";
 * const { effects } = reduceTrainer(createTrainerState(), { type: "finish" });
 * if (effects[0]?.type !== "refuse") throw new Error("nothing to finish before a start");
 * ```
 */
export function reduceTrainer(state: TrainerState, event: TrainerEvent): TrainerStep {
  switch (event.type) {
    case "join":
      return onJoin(state, event);
    case "start":
      return onStart(state, event);
    case "update":
      return onUpdate(state, event.names);
    case "finish":
      return onFinish(state);
    case "leave":
      return onLeave(state);
    case "drained": {
      if (state.stage !== "draining") return only(state);
      const members = group(state);
      // Open from before the first byte: whether a server acted on a lost call cannot be known.
      const opened = change({ ...state, stage: "starting" }, ({ joined }) => (joined ? { open: true } : {}));
      return ask(opened, members, { type: "send", call: "start", replicas: ids(members) });
    }
    case "drain-failed":
      return state.stage === "draining" ? failDrain(state, event.failure) : only(state);
    case "done":
      return onDone(state, event.replica);
    case "failed":
      return onFailed(state, event.replica, event.failure);
    case "verified":
      return onVerified(state, event);
    case "published":
      return concludePublish(state, event.failure);
    case "lost":
      return onLost(state, event.replica, event.reason);
    case "restarted":
      return onRestarted(state, event.replica);
    case "removed": {
      const step = onLost(state, event.replica, "it was detached");
      return {
        ...step,
        state: { ...step.state, members: step.state.members.filter(({ id }) => id !== event.replica) },
      };
    }
    case "deadline":
      return onDeadline(state, event.message);
    case "abandoned":
      return state.stage === "open" ? failSession(state, { code: "conflict", message: event.reason }) : only(state);
    case "responsive": {
      const member = find(state, event.replica);
      if (member === undefined || member.fenced === null || !member.known || member.open) return only(state);
      const next = changeOne(state, member.id, { fenced: null });
      // In the middle of a session it serves when that ends.
      const busy = member.joined && state.stage !== "idle";
      return { state: next, effects: busy ? [] : [{ type: "release", replicas: [member.id] }] };
    }
    case "refitted": {
      if (state.stage !== "idle" || find(state, event.replica) === undefined) return only(state);
      const next = changeOne(state, event.replica, { known: true, open: false, fenced: null });
      return { state: next, effects: [{ type: "release", replicas: [event.replica] }] };
    }
  }
}
