/**
 * What the trainer machine's effects do to servers: send, drain, close, identify – each bounded, each ending in one
 * event. Decides nothing that the machine decides.
 */
import type { ReplicaId } from "../../contract/ids.ts";
import type { PauseMode, TransferCall, TransferIdentity, TransferTarget } from "../../engine/engine.ts";
import { GatewayError, toGatewayError } from "../../errors.ts";
import type { FleetRegistry, Replica } from "../../fleet/types.ts";
import { orAborted, sleep } from "../../lib/deadline.ts";
import type { Clock } from "../../ports.ts";
import type { Ledger } from "./ledger.ts";
import type { TrainerEvent, TrainerFailure } from "./types.ts";

/** A server whose engine is free says who it is in milliseconds; one that waits in a collective never does. */
export const IDENTIFY_MS = 2000;
/** Pausing and resuming take a few steps of the engine at most. */
const RESUME_MS = 5000;
/** A cache that is in use for a moment longer is asked for again: so often, so far apart. */
const RESET_ROUNDS = 5;
const RESET_MS = 100;

/** Codes that a trainer would repeat blindly become the one that it does not. */
const REPEATED = new Set(["internal", "upstream_failed", "no_replica", "draining"]);

/** A thrown value in the machine's words. */
export function toTrainerFailure(thrown: unknown, replica?: ReplicaId): TrainerFailure {
  const error = toGatewayError(thrown);
  const { upstream } = error.details;
  const message = error.code === "internal" && thrown instanceof Error ? thrown.message : error.message;
  return {
    code: REPEATED.has(error.code) ? "replica_failed" : error.code,
    message,
    ...(replica === undefined ? {} : { replica }),
    ...(upstream === undefined ? {} : { upstream }),
  };
}

/** Runs `call` for at most so long; rejects with `deadline_exceeded` then. */
export async function within<T>(
  clock: Pick<Clock, "timer">,
  milliseconds: number,
  what: string,
  signal: AbortSignal | null,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const late = new GatewayError("deadline_exceeded", `${what} did not end within ${milliseconds / 1000} s.`);
  const timer = clock.timer(milliseconds, () => limit.abort(late));
  const onAbort = (): void => limit.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted === true) onAbort();
  try {
    return await orAborted(call(limit.signal), limit.signal);
  } finally {
    timer.cancel();
    signal?.removeEventListener("abort", onAbort);
  }
}

/** Who the server is; undefined when it does not say in time. */
export async function identify(
  clock: Pick<Clock, "timer">,
  target: TransferTarget,
  milliseconds = IDENTIFY_MS,
): Promise<TransferIdentity | undefined> {
  return within(clock, milliseconds, "GET /weight_info", null, (signal) => target.identify({ signal })).catch(
    () => undefined,
  );
}

/**
 * Empties its prefix cache; says why when that failed. Prefixes that were computed with the old weights answer nothing:
 * the trainer's own pause may have kept them (`clear_cache=false`), and vLLM keeps them in some revisions when it
 * freezes requests. Frozen requests compute theirs again. A server that refuses (frozen requests wait for blocks from
 * elsewhere) is believed when the pause has `cleared` the cache already.
 */
export async function forgetPrefixes(
  clock: Pick<Clock, "timer">,
  { engine }: Replica,
  milliseconds: number,
  cleared: boolean,
): Promise<string | null> {
  const { control } = engine;
  if (control === undefined) return null;
  const refused = "it kept its prefix cache of the old weights";
  let why: string | null = refused;
  const reset = async (signal: AbortSignal): Promise<string | null> => {
    for (let round = 0; round < RESET_ROUNDS; round += 1) {
      try {
        if (await control.resetPrefixCache(true, { signal })) return null;
        why = cleared ? null : refused;
      } catch (thrown) {
        signal.throwIfAborted();
        const { code, message } = toGatewayError(thrown);
        if (code === "unsupported") return null;
        why = `its prefix cache of the old weights could not be emptied: ${message}`;
      }
      await sleep(clock, RESET_MS, signal);
    }
    return why;
  };
  return within(clock, milliseconds, "/reset_prefix_cache", null, reset).catch(
    (thrown) => `its prefix cache of the old weights could not be emptied: ${toGatewayError(thrown).message}`,
  );
}

/** What the work needs of its owner. */
export interface WorkOptions {
  readonly fleet: FleetRegistry;
  readonly clock: Pick<Clock, "timer">;
  readonly ledger: Pick<Ledger, "touch" | "check">;
  /** A gateway before this one left it paused, in the middle of an update. */
  readonly leftOpen: (id: ReplicaId) => boolean;
  readonly mode: PauseMode;
  /** The trainer's own pause; null when it sent none. */
  readonly pausedBy: () => PauseMode | null;
  readonly dispatch: (event: TrainerEvent) => void;
  /** Who each server was when it was last asked. */
  readonly identities: Map<ReplicaId, TransferIdentity>;
  readonly newId: () => string;
}

/** The work on servers. Nothing here rejects: every outcome becomes an event. */
export interface Work {
  send(ids: readonly ReplicaId[], toCall: (replica: Replica) => TransferCall, signal: AbortSignal): void;
  /** A finish without a label; "nothing is open" is what was wanted. */
  undo(ids: readonly ReplicaId[], signal: AbortSignal): void;
  drain(ids: readonly ReplicaId[], signal: AbortSignal): void;
  /** Servers that were asked to pause and have not confirmed. */
  pausing(): readonly ReplicaId[];
  /** Ends the pause that `drain` made; false when the server did not confirm. */
  resume(id: ReplicaId): Promise<boolean>;
}

/** Creates it. */
export function createWork(options: WorkOptions): Work {
  const { fleet, clock, ledger, mode, pausedBy, dispatch, identities, newId } = options;
  /** Servers that this room paused and must resume. */
  const paused = new Set<ReplicaId>();
  const unconfirmed = new Set<ReplicaId>();

  const each = (
    ids: readonly ReplicaId[],
    signal: AbortSignal,
    call: (replica: Replica, target: TransferTarget) => Promise<void>,
  ): void => {
    for (const id of ids) {
      const replica = fleet.replica(id);
      const target = replica?.engine.transfer;
      const gone = new GatewayError("replica_failed", "It is no longer part of the fleet.");
      const result = replica === undefined || target === undefined ? Promise.reject(gone) : call(replica, target);
      void orAborted(result, signal).then(
        () => dispatch({ type: "done", replica: id }),
        // An aborted round has been concluded already; the machine ignores what comes late.
        (thrown) => signal.aborted || dispatch({ type: "failed", replica: id, failure: toTrainerFailure(thrown, id) }),
      );
    }
  };

  async function pause(id: ReplicaId, signal: AbortSignal): Promise<void> {
    const control = fleet.replica(id)?.engine.control;
    if (control === undefined) return;
    paused.add(id);
    unconfirmed.add(id);
    try {
      await orAborted(control.pause(mode, true, { signal }), signal);
      unconfirmed.delete(id);
    } catch (thrown) {
      // Servers before 0.12 have no pause; that no lease is held must do.
      if (toGatewayError(thrown).code !== "unsupported") throw Object.assign(toGatewayError(thrown), { at: id });
      paused.delete(id);
    }
  }

  async function drain(ids: readonly ReplicaId[], signal: AbortSignal): Promise<void> {
    // The trainer's own pause has ended or frozen what ran, and its resume will let it go on.
    unconfirmed.clear();
    for (const id of ids) if (options.leftOpen(id)) paused.add(id);
    if (pausedBy() !== null) return await ledger.touch(ids, pausedBy() ?? mode, signal);
    const serving = ids.filter((id) => fleet.replica(id)?.state !== "quarantined");
    // Leases first: a request on its way to a server that is paused already would never end.
    if (mode === "wait") await fleet.drained(serving, signal);
    await ledger.touch(ids, mode, signal);
    // Also the server itself: a request whose client left runs on for a while, and others may know the server's address.
    await Promise.all(serving.map((id) => pause(id, signal)));
    if (mode === "abort") await fleet.drained(serving, signal);
  }

  /** A finish that proves itself: the label that it sets must be the one that the server then tells. */
  async function close(replica: Replica, target: TransferTarget, signal: AbortSignal): Promise<void> {
    const tells = identities.get(replica.id)?.label != null;
    const label = tells ? `tidegate-undo-${newId().slice(0, 8)}` : null;
    const finish = (): Promise<void> => target.send({ type: "finish", label }, { signal });
    try {
      await finish();
    } catch (thrown) {
      const { code, details } = toGatewayError(thrown);
      // Nothing is open there: that is what was wanted.
      if (code === "conflict") return;
      if (details.upstream === undefined) throw thrown;
      // Each revision has words of its own for that. A start that is taken proves it in all of them, and its finish
      // has a label to show.
      await target.send({ type: "start" }, { signal }).catch(() => {
        throw thrown;
      });
      await finish();
    }
    if (label === null) return;
    const found = await identify(clock, target);
    if (found?.label !== label)
      throw new GatewayError("replica_failed", "It confirmed the end of an update, but not by its label.");
    identities.set(replica.id, found);
  }

  return {
    send: (ids, toCall, signal) =>
      each(ids, signal, async (replica, target) => {
        ledger.check();
        await target.send(toCall(replica), { signal });
      }),
    undo: (ids, signal) =>
      each(ids, signal, async (replica, target) => {
        ledger.check();
        await close(replica, target, signal);
      }),
    drain(ids, signal) {
      drain(ids, signal).then(
        () => dispatch({ type: "drained" }),
        (thrown) => {
          if (signal.aborted) return;
          const id = (thrown as { at?: ReplicaId }).at;
          const failure = toTrainerFailure(thrown, id);
          dispatch({
            type: "drain-failed",
            failure: { ...failure, message: `start: ${id ?? "the fleet"} could not be paused: ${failure.message}` },
          });
        },
      );
    },
    pausing: () => [...unconfirmed],
    async resume(id) {
      const control = fleet.replica(id)?.engine.control;
      if (!paused.has(id) || control === undefined) return true;
      try {
        await within(clock, RESUME_MS, "POST /resume", null, (signal) => control.resume({ signal }));
        paused.delete(id);
        return true;
      } catch {
        return false;
      }
    },
  };
}
