/** The vocabulary of the trainer machine (`machine.ts`): its state, what can happen, what is to be done. Types and two readers. */
import type { ReplicaId } from "../../contract/ids.ts";
import type { ErrorCode } from "../../errors.ts";

/** Why a call failed on a server, in the gateway's code and the server's words. */
export interface TrainerFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly replica?: ReplicaId;
  readonly upstream?: string;
  /** Which call failed: init, drain, start, update, finish, shutdown. */
  readonly phase?: string;
}

/** Calls of a trainer that reach servers. */
export type TrainerCall = "join" | "start" | "update" | "finish" | "leave";

/**
 * What is under way. `idle` and `open` wait for the trainer; in `open` the servers hold half an update. `clearing`
 * closes what an earlier session left open, `undoing` what this one leaves.
 */
export type TrainerStage =
  | "idle"
  | "joining"
  | "draining"
  | "starting"
  | "open"
  | "updating"
  | "finishing"
  | "verifying"
  | "publishing"
  | "undoing"
  | "clearing"
  | "leaving";

/** One server as the trainer's calls left it. */
export interface TrainerMember {
  readonly id: ReplicaId;
  /** Part of the trainer's group. */
  readonly joined: boolean;
  /** Asked, not answered yet, in the present stage. */
  readonly waiting: boolean;
  /** An update may be open on it: its parameters are empty, and one generation would kill it. */
  readonly open: boolean;
  /** It holds the weights that the fleet has written down for it. */
  readonly known: boolean;
  /** `known` when the present session began. */
  readonly wasKnown: boolean;
  /** Gets no requests until proof; the reason for people. */
  readonly fenced: string | null;
  /** Became another process in the middle of a session: out of the group when that ends, with the weights of its start. */
  readonly reborn: boolean;
  /** Failed in the present session or call. */
  readonly error: TrainerFailure | null;
}

export interface TrainerState {
  readonly stage: TrainerStage;
  readonly members: readonly TrainerMember[];
  /** The call that has not been answered; null while nobody waits. */
  readonly call: TrainerCall | null;
  /** Updates sent since `start`. */
  readonly updates: number;
  /** Tensors announced since `start`. */
  readonly names: ReadonlySet<string>;
  /** Tensors ever announced: what an update must bring to heal a server with unknown weights. */
  readonly allNames: ReadonlySet<string>;
}

export type TrainerEvent =
  /** `stale`: those of them that have other weights than the published ones, or nobody knows which. */
  /** `open`: those on which a gateway before this one may have left an update open; default none. */
  | {
      readonly type: "join";
      readonly replicas: readonly ReplicaId[];
      readonly stale: readonly ReplicaId[];
      readonly open?: readonly ReplicaId[];
    }
  /** `absent`: members of the group that are not there now, or no longer the process that joined. */
  /** `announced`: tensors that somebody began to write before this room knew the servers; default none. */
  | {
      readonly type: "start";
      readonly absent: readonly { readonly id: ReplicaId; readonly reason: string }[];
      readonly announced?: ReadonlySet<string>;
    }
  | { readonly type: "update"; readonly names: readonly string[] }
  | { readonly type: "finish" }
  | { readonly type: "leave" }
  | { readonly type: "drained" }
  | { readonly type: "drain-failed"; readonly failure: TrainerFailure }
  | { readonly type: "done"; readonly replica: ReplicaId }
  | { readonly type: "failed"; readonly replica: ReplicaId; readonly failure: TrainerFailure }
  /** `ok` null: the server has no way to tell; then its confirmation counts. */
  | { readonly type: "verified"; readonly replica: ReplicaId; readonly ok: boolean | null; readonly reason: string }
  /** The new version is written down (`failure` null), or could not be: then nobody may serve it. */
  | { readonly type: "published"; readonly failure: TrainerFailure | null }
  /** The process is gone or does not answer at all. */
  | { readonly type: "lost"; readonly replica: ReplicaId; readonly reason: string }
  /** A new process answers under the same URL, with the weights it loaded at its start. */
  | { readonly type: "restarted"; readonly replica: ReplicaId }
  | { readonly type: "removed"; readonly replica: ReplicaId }
  /** Time is up for the present stage. */
  | { readonly type: "deadline"; readonly message: string }
  /** The trainer is silent in an open update, or began anew. */
  | { readonly type: "abandoned"; readonly reason: string }
  /** A blocked server answers again. */
  | { readonly type: "responsive"; readonly replica: ReplicaId }
  /** Its weights were proved, or loaded anew and proved. */
  | { readonly type: "refitted"; readonly replica: ReplicaId };

export type TrainerEffect =
  | { readonly type: "refuse"; readonly code: ErrorCode; readonly message: string }
  /** `failure` null: every server confirmed. */
  | { readonly type: "answer"; readonly call: TrainerCall; readonly failure: TrainerFailure | null }
  /** No new requests to these. */
  | { readonly type: "hold"; readonly replicas: readonly ReplicaId[] }
  /** Wait until nothing runs on these. */
  | { readonly type: "drain"; readonly replicas: readonly ReplicaId[] }
  | { readonly type: "send"; readonly call: TrainerCall; readonly replicas: readonly ReplicaId[] }
  /** Close what a `start` opened: a finish without a label. A server on which nothing is open counts as done. */
  | { readonly type: "undo"; readonly replicas: readonly ReplicaId[] }
  | { readonly type: "verify"; readonly replicas: readonly ReplicaId[] }
  | { readonly type: "publish"; readonly replicas: readonly ReplicaId[] }
  | { readonly type: "release"; readonly replicas: readonly ReplicaId[] }
  | { readonly type: "fence"; readonly replica: ReplicaId; readonly reason: string; readonly known: boolean }
  /** A new process with the weights of its start: it serves those. */
  | { readonly type: "reborn"; readonly replica: ReplicaId }
  /** The update session is over, `ok` or not. Once per `start` that was accepted. */
  | { readonly type: "ended"; readonly failure: TrainerFailure | null };

export interface TrainerStep {
  readonly state: TrainerState;
  readonly effects: readonly TrainerEffect[];
}

/** Nobody has joined. */
export const createTrainerState = (): TrainerState => ({
  stage: "idle",
  members: [],
  call: null,
  updates: 0,
  names: new Set(),
  allNames: new Set(),
});

/** True while servers may hold half an update. */
export const isWindowOpen = (state: TrainerState): boolean =>
  state.stage !== "idle" && state.stage !== "joining" && state.stage !== "leaving";
