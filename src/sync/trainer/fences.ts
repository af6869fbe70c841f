/**
 * Keeps servers from traffic while a trainer writes their weights, and brings fenced ones back when there is proof of
 * what they hold. Knows the fleet and the servers' identities; whether a server may serve is the machine's decision.
 */
import type { ReplicaId, WeightVersion } from "../../contract/ids.ts";
import type { TransferIdentity } from "../../engine/engine.ts";
import { GatewayError } from "../../errors.ts";
import type { FleetRegistry, Replica } from "../../fleet/types.ts";
import type { Logger } from "../../observe/log.ts";
import type { Clock, Timer } from "../../ports.ts";
import type { Syncs } from "../types.ts";
import type { TrainerEvent, TrainerState } from "./types.ts";
import { forgetPrefixes, identify } from "./work.ts";

/** How often a fenced server is asked whether it answers again, or was restarted. */
const WATCH_MS = 2000;
/** Emptying a prefix cache is one step of the engine. */
const FORGET_MS = 5000;

const HELD = "A trainer writes its weights.";

/** What `createFences` needs of its owner. */
export interface FenceOptions {
  readonly fleet: FleetRegistry;
  readonly clock: Pick<Clock, "timer">;
  readonly log: Logger;
  /** Who each server was when it was last asked. */
  readonly identities: Map<ReplicaId, TransferIdentity>;
  readonly dispatch: (event: TrainerEvent) => void;
  readonly syncs: Pick<Syncs, "refit">;
  readonly state: () => TrainerState;
  /** Ends a pause that this room made; false when the server did not confirm. */
  readonly resume: (id: ReplicaId) => Promise<boolean>;
}

/** The version that a finish which was never confirmed would have given. */
export interface Finished {
  readonly version: WeightVersion;
  readonly label: string;
}

/** The fences. */
export interface Fences {
  hold(id: ReplicaId): void;
  /** Resumes and lets it serve. Never rejects. */
  release(id: ReplicaId): Promise<void>;
  fence(id: ReplicaId, reason: string, known: boolean): void;
  /** These have not answered a call: their engines wait in a collective until that ends. */
  blocked(ids: readonly ReplicaId[]): void;
  /** A new process: it has the weights of its start, and nobody paused it. */
  reborn(id: ReplicaId): void;
  isBlocked(id: ReplicaId): boolean;
  isFenced(id: string): boolean;
  onFleetChange(id: ReplicaId): void;
  /** Throws GatewayError `conflict` with what would help when nothing proves its weights. */
  refit(id: ReplicaId, last: Finished, signal: AbortSignal): Promise<void>;
  stop(): void;
}

const nothingToLoad = (id: ReplicaId, published: number): GatewayError =>
  new GatewayError(
    "conflict",
    `${id} stays fenced: nothing here can load weight version ${published} into it, which only the trainer has. Let the trainer send a complete update ` +
      "(/init_weight_transfer_engine, /start_weight_update, /update_weights with all tensors, /finish_weight_update), " +
      "sync a checkpoint with POST /api/weight-syncs, or restart the server.",
    { replica: id },
  );

const isUp = (replica: Replica): boolean => !["starting", "unreachable", "stopped"].includes(replica.state);

/** Creates them; nobody is fenced. */
export function createFences(options: FenceOptions): Fences {
  const { fleet, clock, log, identities, dispatch, syncs, state, resume } = options;
  const held = new Set<ReplicaId>();
  const fenced = new Set<ReplicaId>();
  const blocked = new Set<ReplicaId>();
  const up = new Map<ReplicaId, boolean>();
  const watches = new Map<ReplicaId, Timer>();
  let stopped = false;

  const memberOf = (id: ReplicaId) => state().members.find((member) => member.id === id);

  function watch(id: ReplicaId): void {
    if (stopped || watches.has(id)) return;
    const again = (): void => {
      watches.set(
        id,
        clock.timer(WATCH_MS, () => void look()),
      );
    };
    const look = async (): Promise<void> => {
      if (fleet.replica(id) === undefined || !(fenced.has(id) || blocked.has(id))) return void watches.delete(id);
      await greet(id);
      if (!stopped && (fenced.has(id) || blocked.has(id))) again();
      else watches.delete(id);
    };
    again();
  }

  /** Asks who it is now. */
  async function greet(id: ReplicaId): Promise<void> {
    const replica = fleet.replica(id);
    const target = replica?.engine.transfer;
    if (replica === undefined || target === undefined || !isUp(replica)) return;
    const before = identities.get(id);
    const found = await identify(clock, target);
    if (found === undefined || stopped) return;
    blocked.delete(id);
    const relabelled =
      before?.label != null && found.label !== null && before.label !== found.label && found.label === "default";
    const replaced =
      before?.instance != null && found.instance !== null ? before.instance !== found.instance : relabelled;
    if (replaced) {
      identities.set(id, found);
      log.info("server was restarted", { replica: id });
      dispatch({ type: "restarted", replica: id });
    } else dispatch({ type: "responsive", replica: id });
  }

  function fence(id: ReplicaId, reason: string, known: boolean): void {
    held.delete(id);
    fenced.add(id);
    log.warn("server fenced", { replica: id, reason, weights_known: known });
    if (!known) fleet.setWeights(id, null, null);
    fleet.setState(id, "quarantined", reason);
    watch(id);
  }

  return {
    hold(id) {
      if (fenced.has(id)) return;
      if (fleet.replica(id)?.state === "quarantined") {
        // Somebody else found it guilty, of old weights say; this update may make it good.
        fenced.add(id);
        return;
      }
      held.add(id);
      fleet.setState(id, "syncing", HELD);
    },
    async release(id) {
      if (!held.has(id) && !fenced.has(id)) return;
      if (!(await resume(id))) {
        fence(id, "It did not confirm /resume: it may still be paused.", true);
        return;
      }
      // In between, another call may have taken hold of it again, or found it guilty.
      const member = memberOf(id);
      if (member !== undefined && (!member.known || member.open || member.fenced !== null)) return;
      held.delete(id);
      fenced.delete(id);
      fleet.setState(id, "ready", null);
    },
    fence,
    blocked(ids) {
      for (const id of ids) {
        blocked.add(id);
        watch(id);
      }
    },
    reborn(id) {
      for (const set of [held, fenced, blocked]) set.delete(id);
      const identity = identities.get(id);
      if (identity !== undefined) fleet.replica(id)?.engine.transfer?.meet(identity);
      fleet.setWeights(id, 0 as WeightVersion, null);
      fleet.setState(id, "ready", null);
    },
    isBlocked: (id) => blocked.has(id),
    isFenced: (id) => fenced.has(id as ReplicaId),
    onFleetChange(id) {
      const replica = fleet.replica(id);
      const was = up.get(id) ?? false;
      if (replica === undefined) {
        for (const set of [held, fenced, blocked]) set.delete(id);
        up.delete(id);
        identities.delete(id);
        return dispatch({ type: "removed", replica: id });
      }
      const is = isUp(replica);
      if (fenced.has(id) && replica.state === "ready") {
        // Taken back by a weight sync, which has proved what it holds.
        fenced.delete(id);
        dispatch({ type: "refitted", replica: id });
      }
      if (was === is) return;
      up.set(id, is);
      if (!is) return dispatch({ type: "lost", replica: id, reason: replica.lastError ?? "It is gone." });
      // It told its start-up version again; what is fenced stays unknown until there is proof.
      if (memberOf(id)?.known === false) fleet.setWeights(id, null, null);
      if (memberOf(id) !== undefined) void greet(id);
    },
    async refit(id, last, signal) {
      const replica = fleet.replica(id);
      const target = replica?.engine.transfer;
      const conflict = (why: string): GatewayError =>
        new GatewayError("conflict", `${id} stays fenced: ${why}`, { replica: id });
      if (replica === undefined || target === undefined || !isUp(replica)) throw conflict("it is not up.");
      const found = await identify(clock, target);
      if (found === undefined)
        throw conflict("its engine is blocked (/health answers, /weight_info does not). Restart it, or detach it.");
      await greet(id);
      if (!fenced.has(id)) return;
      const before = identities.get(id);
      const published = fleet.published().version;
      // The finish was carried out after all; only its confirmation was lost.
      if (
        last.label !== "" &&
        found.label === last.label &&
        before?.label !== last.label &&
        last.version === published
      ) {
        const kept = await forgetPrefixes(clock, replica, FORGET_MS, false);
        if (kept !== null) throw conflict(`${kept}.`);
        identities.set(id, found);
        fleet.setWeights(id, last.version, null);
        return dispatch({ type: "refitted", replica: id });
      }
      try {
        await syncs.refit(id, signal);
      } catch (error) {
        if (!(error instanceof GatewayError && error.code === "conflict")) throw error;
        throw nothingToLoad(id, published);
      }
      dispatch({ type: "refitted", replica: id });
    },
    stop() {
      stopped = true;
      for (const timer of watches.values()) timer.cancel();
      watches.clear();
    },
  };
}
