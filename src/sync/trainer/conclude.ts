/**
 * How the stages of a trainer's session end: when everyone asked has answered, or their time is up. Pure.
 */
import {
  andThen,
  answer,
  ask,
  beReborn,
  change,
  fence,
  group,
  ids,
  isWaiting,
  only,
  settle,
  summary,
} from "./steps.ts";
import type { TrainerEffect, TrainerFailure, TrainerState, TrainerStep } from "./types.ts";

const CALL_OF_STAGE = {
  joining: "init",
  starting: "start",
  updating: "update",
  finishing: "finish",
  leaving: "shutdown",
};

/**
 * The session cannot go on. Without an update the weights are untouched, and a finish brings them back. After one
 * nobody knows what a server holds. Everyone who can answer is closed, so that the next `start` finds it ready.
 */
export function failSession(state: TrainerState, failure: TrainerFailure): TrainerStep {
  const touched = state.updates > 0;
  const why = `It may hold a part of an update that failed: ${failure.message}`;
  const blocked = new Set(state.members.filter(({ waiting }) => waiting).map(({ id }) => id));
  const known = change(state, (member) =>
    member.joined
      ? { known: member.known && !touched && member.error === null && !blocked.has(member.id), waiting: false }
      : {},
  );
  const fenced = fence(known, (member) => member.joined && !member.known, why);
  const told = andThen(fenced, (next) => answer(next, failure));
  const ended: TrainerEffect = { type: "ended", failure };
  const open = group(told.state).filter((member) => member.open && !blocked.has(member.id));
  return andThen({ state: told.state, effects: [...told.effects, ended] }, (next) =>
    open.length === 0
      ? settle(next, why)
      : ask({ ...next, stage: "undoing" }, open, { type: "undo", replicas: ids(open) }),
  );
}

function concludeJoin(state: TrainerState): TrainerStep {
  const failure = summary(state, "init");
  // Servers that never answered are blocked in the rendezvous: their weights are as they were, but they serve nobody.
  const blocked = new Set(
    group(state)
      .filter(({ waiting }) => waiting)
      .map(({ id }) => id),
  );
  const told = andThen(
    fence(
      state,
      (member) => member.joined && blocked.has(member.id),
      "It is blocked in the rendezvous with the trainer.",
    ),
    (next) => answer(next, failure),
  );
  const settled = andThen(told, (next) =>
    settle(next, "It has other weights than the published ones, or unknown ones; a complete update makes it good."),
  );
  if (failure === null) return settled;
  return { ...settled, state: change(settled.state, () => ({ joined: false })) };
}

/** Waits until nothing runs; nothing was sent yet. */
export function beginDrain(state: TrainerState): TrainerStep {
  const members = ids(group(state));
  return { state: { ...state, stage: "draining" }, effects: [{ type: "drain", replicas: members }] };
}

/** An update that is to heal unknown weights must bring every tensor that was ever announced. */
const missingNames = (state: TrainerState): readonly string[] =>
  [...state.allNames].filter((name) => !state.names.has(name));

function concludeFinish(state: TrainerState): TrainerStep {
  const missing = missingNames(state);
  const judged = change(state, (member) => {
    if (!member.joined) return {};
    if (member.error !== null) return { known: false };
    if (member.wasKnown || missing.length === 0) return { open: false, known: true, fenced: null };
    return {
      open: false,
      error: {
        code: "conflict",
        replica: member.id,
        message: `its weights were unknown before, and this update left ${missing.length} tensors out (${missing.slice(0, 3).join(", ")}); it needs all of them`,
      },
    };
  });
  const confirmed = group(judged).filter(({ error, known }) => error === null && known);
  if (state.updates === 0 || confirmed.length === 0) return endFinish(judged);
  return {
    state: { ...judged, stage: "publishing" },
    effects: [{ type: "publish", replicas: ids(confirmed) }],
  };
}

/** The new version is written down, or nothing is to be: the sound serve, the others are fenced. */
function endFinish(state: TrainerState): TrainerStep {
  const failure = summary(state, "finish");
  const settled = settle(state, "It did not confirm the end of an update.");
  const ended: TrainerEffect = { type: "ended", failure };
  return andThen({ state: settled.state, effects: [...settled.effects, ended] }, (next) => answer(next, failure));
}

/** Whoever confirmed has weights that nobody else may know of, when they could not be written down. */
export function concludePublish(state: TrainerState, failure: TrainerFailure | null): TrainerStep {
  if (state.stage !== "publishing") return only(state);
  if (failure === null) return endFinish(state);
  return endFinish(
    change(state, ({ id, joined, error }) =>
      joined && error === null ? { known: false, error: { ...failure, replica: id } } : {},
    ),
  );
}

/** Everyone asked has answered, or their time is up. */
export function conclude(state: TrainerState): TrainerStep {
  const failed = state.members.some(({ error }) => error !== null);
  switch (state.stage) {
    case "joining":
      return concludeJoin(state);
    case "starting":
    case "updating":
      if (failed) return failSession(state, summary(state, CALL_OF_STAGE[state.stage])!);
      return answer({ ...state, stage: "open" }, null);
    case "finishing": {
      const members = group(state);
      return ask({ ...state, stage: "verifying" }, members, { type: "verify", replicas: ids(members) });
    }
    case "verifying":
      return concludeFinish(state);
    case "clearing": {
      if (!failed) return beginDrain(state);
      const failure = summary(state, "start");
      const told = andThen({ state, effects: [{ type: "ended", failure }] }, (next) => answer(next, failure));
      return andThen(told, (next) => settle(next, "An earlier update is still open on it."));
    }
    case "undoing": {
      // A finish without an update, or the clean-up of a session that has been answered already.
      const mine = state.call !== null;
      const failure = mine ? summary(state, "finish") : null;
      const settled = settle(state, "A failed update is still open on it.");
      const ended: TrainerEffect[] = mine ? [{ type: "ended", failure }] : [];
      return andThen({ state: settled.state, effects: [...settled.effects, ...ended] }, (next) =>
        answer(next, failure),
      );
    }
    case "leaving": {
      const failure = summary(state, "shutdown");
      const told = andThen(beReborn({ ...state, stage: "idle" }), (next) => answer(next, failure));
      return { ...told, state: change(told.state, () => ({ joined: false, error: null, waiting: false })) };
    }
    default:
      return only(state);
  }
}

/** Ends the stage when nobody is asked any more. */
export const concludeIfAll = (state: TrainerState): TrainerStep => (isWaiting(state) ? only(state) : conclude(state));
