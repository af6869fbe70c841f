/** The small moves that the trainer machine is made of. Pure; `machine.ts` says when they happen. */
import type { ReplicaId } from "../../contract/ids.ts";
import type { TrainerEffect, TrainerFailure, TrainerMember, TrainerState, TrainerStep } from "./types.ts";

type Change = Partial<TrainerMember>;

/** Nothing to do. */
export const only = (state: TrainerState): TrainerStep => ({ state, effects: [] });
/** The call is out of order; no server is asked. */
export const refuse = (state: TrainerState, message: string): TrainerStep => ({
  state,
  effects: [{ type: "refuse", code: "conflict", message }],
});
/** Changes every member by what `to` says. */
export const change = (state: TrainerState, to: (member: TrainerMember) => Change): TrainerState => ({
  ...state,
  members: state.members.map((member) => ({ ...member, ...to(member) })),
});
/** Their ids, in order. */
export const ids = (members: readonly TrainerMember[]): readonly ReplicaId[] => members.map(({ id }) => id);
/** The members of the trainer's group. */
export const group = (state: TrainerState): readonly TrainerMember[] => state.members.filter(({ joined }) => joined);
/** One member, joined or not. */
export const find = (state: TrainerState, id: ReplicaId): TrainerMember | undefined =>
  state.members.find((member) => member.id === id);
/** Changes one member. */
export const changeOne = (state: TrainerState, id: ReplicaId, to: Change): TrainerState =>
  change(state, (member) => (member.id === id ? to : {}));
/** Somebody asked has not answered. */
export const isWaiting = (state: TrainerState): boolean => state.members.some(({ waiting }) => waiting);

/** The first failure, naming all of them; null when there is none. */
export function summary(state: TrainerState, phase: string): TrainerFailure | null {
  const failed = state.members.filter(({ error }) => error !== null);
  const first = failed[0]?.error;
  if (first == null) return null;
  const told = failed.map(({ id, error }) => `${id}: ${error?.message ?? ""}`).join(" | ");
  const message = `${phase} failed on ${failed.length} of ${group(state).length} servers. ${told}`;
  return { ...first, replica: failed[0]!.id, phase, message };
}

/** The next step after a step; effects in order. */
export const andThen = (step: TrainerStep, next: (state: TrainerState) => TrainerStep): TrainerStep => {
  const after = next(step.state);
  return { state: after.state, effects: [...step.effects, ...after.effects] };
};

/** Answers the call that waits, if any. */
export function answer(state: TrainerState, failure: TrainerFailure | null): TrainerStep {
  const { call } = state;
  if (call === null) return only(state);
  return { state: { ...state, call: null }, effects: [{ type: "answer", call, failure }] };
}

/** Fences whom nobody may trust and is not fenced yet. */
export function fence(state: TrainerState, which: (member: TrainerMember) => boolean, why: string): TrainerStep {
  const effects: TrainerEffect[] = [];
  const next = change(state, (member) => {
    if (member.fenced !== null || !which(member)) return {};
    const reason = member.error?.message ?? why;
    effects.push({ type: "fence", replica: member.id, reason, known: member.known });
    return { fenced: reason };
  });
  return { state: next, effects };
}

/** New processes leave the group and serve the weights of their start. */
export function beReborn(state: TrainerState): TrainerStep {
  const born = state.members.filter(({ reborn }) => reborn);
  const next = change(state, ({ reborn }) =>
    reborn ? { reborn: false, joined: false, open: false, known: true, fenced: null, waiting: false, error: null } : {},
  );
  return { state: next, effects: born.map(({ id }): TrainerEffect => ({ type: "reborn", replica: id })) };
}

/** The end of every stage that held servers: the sound ones serve again, the others are fenced. */
export function settle(state: TrainerState, why: string): TrainerStep {
  return andThen(beReborn({ ...state, stage: "idle" }), (next) => {
    const sound = group(next).filter((member) => member.known && !member.open && member.fenced === null);
    const effects: TrainerEffect[] = sound.length === 0 ? [] : [{ type: "release", replicas: ids(sound) }];
    const fenced = fence(next, (member) => member.joined && (!member.known || member.open), why);
    const state = change(fenced.state, () => ({ error: null, waiting: false }));
    return { state, effects: [...effects, ...fenced.effects] };
  });
}

/** Asks these; the stage ends when all have answered. */
export function ask(state: TrainerState, members: readonly TrainerMember[], effect: TrainerEffect): TrainerStep {
  const asked = new Set(ids(members));
  return { state: change(state, ({ id }) => ({ waiting: asked.has(id) })), effects: [effect] };
}
