/** A trainer's session in the words of a weight sync, so that the control API shows both alike. Pure. */
import type { SyncPhase, SyncServer } from "../../contract/control/weight-syncs.ts";
import type { SyncReplica, SyncState } from "../machine.ts";
import type { TrainerFailure, TrainerMember, TrainerStage, TrainerState } from "./types.ts";

/** Tensors are written in place: from the first byte of `start` on it is the switch that is under way. */
const PHASES: Readonly<Record<TrainerStage, SyncPhase>> = {
  idle: "done",
  joining: "receive",
  leaving: "done",
  clearing: "drain",
  draining: "drain",
  starting: "switch",
  open: "switch",
  updating: "switch",
  undoing: "switch",
  finishing: "verify",
  verifying: "verify",
  publishing: "publish",
};

function stepOf(member: TrainerMember, state: TrainerState, published: ReadonlySet<string>): SyncReplica["step"] {
  if (member.fenced !== null) return "fenced";
  if (published.has(member.id)) return "switched";
  if (state.stage === "draining" || state.stage === "clearing") return "waiting";
  return state.stage === "idle" ? ("discarded" satisfies SyncServer["phase"]) : "switching";
}

/** `published`: who serves the new version; `failure`: why the session failed, null while it has not. */
export function toSyncState(
  state: TrainerState,
  published: ReadonlySet<string>,
  failure: TrainerFailure | null,
  ended: boolean,
): SyncState {
  const members = state.members.filter(({ joined, fenced }) => joined || fenced !== null);
  const outcome = !ended ? "running" : published.size > 0 ? "completed" : "failed";
  const phase = ended && outcome === "failed" ? PHASES.open : PHASES[state.stage];
  return {
    phase,
    outcome: ended && published.size === 0 && failure === null ? "completed" : outcome,
    verify: true,
    expected: null,
    digest: null,
    gateClosed: false,
    replicas: members.map((member) => ({
      id: member.id,
      step: stepOf(member, state, published),
      digest: null,
      error: member.error?.message ?? member.fenced,
    })),
    error: failure === null ? null : { ...failure, phase },
  };
}
