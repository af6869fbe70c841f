/**
 * vLLM's RL controls over the whole fleet: one call in, one call to every replica that is up, one result per replica
 * out. While the fleet is paused or sleeps, new requests wait here and not in a server: so they are answered, and
 * stamped, with the weights that are served when it goes on.
 */
import type { EngineControl, PauseMode } from "../engine/engine.ts";
import { GatewayError, toGatewayError } from "../errors.ts";
import type { FleetRegistry, Replica } from "../fleet/types.ts";
import type { ControlResult, Gateway } from "../gateway-types.ts";
import { orAborted, sleep as pass } from "../lib/deadline.ts";
import type { Clock } from "../ports.ts";

type Call<T> = (control: EngineControl, signal: AbortSignal) => Promise<T>;

/** What the trainer room knows that decides over a control call. */
export interface ControlGuard {
  setPaused(mode: PauseMode | null, cleared?: boolean): void;
  /** Throws `conflict` while servers may hold half an update. */
  refuseInWindow(call: string): void;
  isFenced(id: string): boolean;
}

/** A live engine does any of these in seconds; moving the largest models to the host takes a minute. */
const CONTROL_MS = 120_000;
/** Waiting for running generations ends with the caller's own deadline, which is a day at most. */
const DAY_MS = 86_400_000;
/** Reading a flag. Beyond this the engine is blocked: it waits for a trainer. */
const FLAG_MS = 5000;
/** Requests that were on their way when the servers were paused: asked to end again, so often, so far apart. */
const STRAGGLER_ROUNDS = 10;
const STRAGGLER_MS = 100;

const hasWeightsOfItsOwn = ({ engine }: Replica): boolean => engine.transfer !== undefined;

/** Why a replica need not be asked: it does not run, or must stay as it is. */
function skipReason(replica: Replica, guard: ControlGuard): string | null {
  if (!hasWeightsOfItsOwn(replica)) return null;
  if (["unreachable", "starting", "stopped"].includes(replica.state)) return replica.state;
  return guard.isFenced(replica.id) ? "quarantined" : null;
}

/** Creates the fan-out. `onPaused` learns of every change of the fleet-wide pause. */
export function createControl(
  fleet: FleetRegistry,
  guard: ControlGuard,
  clock: Clock,
  onPaused: (paused: boolean) => void,
): Gateway["control"] {
  const gates: Record<"pause" | "sleep", (() => void) | null> = { pause: null, sleep: null };
  const close = (which: "pause" | "sleep"): boolean => {
    // Embedded replicas hold requests themselves, and know to the token which weights answered.
    if (gates[which] !== null || !fleet.replicas().some(hasWeightsOfItsOwn)) return false;
    gates[which] = fleet.closeGate();
    return true;
  };
  const open = (which: "pause" | "sleep"): void => {
    gates[which]?.();
    gates[which] = null;
  };

  /** Runs the call under the caller's signal and a limit of its own. */
  async function bounded<T>(
    call: Call<T>,
    control: EngineControl,
    signal: AbortSignal,
    milliseconds: number,
  ): Promise<T> {
    const limit = new AbortController();
    const late = new GatewayError(
      "deadline_exceeded",
      `did not answer within ${milliseconds / 1000} s although its /health may say 200: its engine is blocked (it waits for a trainer), restart or detach it`,
    );
    const timer = clock.timer(milliseconds, () => limit.abort(late));
    const both = AbortSignal.any([signal, limit.signal]);
    try {
      return await orAborted(call(control, both), both);
    } finally {
      timer.cancel();
    }
  }

  async function toAll<T>(
    name: string,
    signal: AbortSignal,
    call: Call<T>,
    milliseconds = CONTROL_MS,
  ): Promise<ControlResult<T>> {
    const ask = async (replica: Replica): Promise<ControlResult<T>["servers"][number]> => {
      const { control } = replica.engine;
      const skipped = skipReason(replica, guard);
      if (skipped !== null) return { id: replica.id, skipped };
      if (control === undefined) return { id: replica.id, error: `${name} is not supported by this replica` };
      try {
        return { id: replica.id, result: await bounded(call, control, signal, milliseconds) };
      } catch (thrown) {
        return { id: replica.id, error: toGatewayError(thrown).message };
      }
    };
    const servers = await Promise.all(fleet.replicas().map(ask));
    const failed = servers.filter((server) => server.error !== undefined);
    if (failed.length > 0) {
      const which = failed.map((server) => `${server.id}: ${server.error}`).join("; ");
      throw new GatewayError(
        "replica_failed",
        `${name} failed on ${failed.length} of ${servers.length} replicas (${which}).`,
        { replica: failed[0]?.id ?? "" },
      );
    }
    return { servers };
  }

  /** True when every replica that answers says so; `otherwise` when none does. */
  async function everyone(call: Call<boolean>, signal: AbortSignal, otherwise: boolean): Promise<boolean> {
    const asked = fleet.replicas().flatMap(({ engine }) => (engine.control === undefined ? [] : [engine.control]));
    const answers = await Promise.all(
      asked.map((control) => bounded(call, control, signal, FLAG_MS).catch(() => undefined)),
    );
    const told = answers.filter((answer) => answer !== undefined);
    return told.length === 0 ? otherwise : told.every(Boolean);
  }

  /** Takes back what some servers did and others refused: a server that stays paused behind an open gate answers nobody. */
  async function takeBack(name: string, call: Call<unknown>): Promise<void> {
    try {
      guard.refuseInWindow(name);
    } catch {
      // They stay as they are: a generation would meet empty parameters. The end of the update lets them go on.
      return;
    }
    const limit = new AbortController();
    await Promise.all(
      upstreams().map(({ engine }) =>
        engine.control === undefined
          ? undefined
          : bounded(call, engine.control, limit.signal, FLAG_MS).catch(() => undefined),
      ),
    );
  }

  const upstreams = (): Replica[] =>
    fleet.replicas().filter((replica) => hasWeightsOfItsOwn(replica) && skipReason(replica, guard) === null);

  async function pauseAll(mode: PauseMode, clearCache: boolean, signal: AbortSignal): Promise<ControlResult<null>> {
    const ids = upstreams().map(({ id }) => id);
    // First what runs, then the servers: a request on its way to a paused server would wait there, with an old stamp.
    if (mode === "wait") await fleet.drained(ids, signal);
    const call: Call<null> = async (control, own) => {
      await control.pause(mode, clearCache, { signal: own });
      return null;
    };
    const result = await toAll("pause", signal, call, mode === "wait" ? DAY_MS : CONTROL_MS);
    if (mode !== "abort") return result;
    for (let round = 0; round < STRAGGLER_ROUNDS && upstreams().some(({ inFlight }) => inFlight > 0); round += 1) {
      await pass(clock, STRAGGLER_MS, signal);
      await toAll("pause", signal, call);
    }
    return result;
  }

  return {
    async pause(mode, clearCache, signal) {
      const closed = close("pause");
      try {
        const result = await pauseAll(mode, clearCache, signal);
        guard.setPaused(mode, clearCache);
        onPaused(true);
        return result;
      } catch (error) {
        if (closed) {
          await takeBack("/resume", (control, own) => control.resume({ signal: own }));
          open("pause");
        }
        throw error;
      }
    },
    async resume(signal) {
      guard.refuseInWindow("/resume");
      const result = await toAll<null>("resume", signal, async (control, own) => {
        await control.resume({ signal: own });
        return null;
      });
      guard.setPaused(null);
      open("pause");
      onPaused(false);
      return result;
    },
    isPaused: (signal) => everyone((control, own) => control.isPaused({ signal: own }), signal, gates.pause !== null),
    resetPrefixCache: (resetRunning, signal) =>
      toAll("reset_prefix_cache", signal, (control, own) => control.resetPrefixCache(resetRunning, { signal: own })),
    async sleep(level, signal, mode) {
      guard.refuseInWindow("/sleep");
      const closed = close("sleep");
      const slept = new Set<EngineControl>();
      // Level 2 drops the weights themselves: what wakes up holds nothing until the next update.
      const forget = (): void => {
        if (level < 2) return;
        for (const { id, engine } of upstreams())
          if (engine.control !== undefined && slept.has(engine.control)) fleet.setWeights(id, null, null);
      };
      try {
        const result = await toAll<null>("sleep", signal, async (control, own) => {
          slept.add(control);
          try {
            await control.sleep(level, { signal: own, ...(mode === undefined ? {} : { mode }) });
          } catch (error) {
            // It said no. Any other failure may be one of the answer alone.
            if (["invalid_value", "unsupported"].includes(toGatewayError(error).code)) slept.delete(control);
            throw error;
          }
          return null;
        });
        forget();
        return result;
      } catch (error) {
        forget();
        if (closed) {
          await takeBack("/wake_up", (control, own) => control.wakeUp(null, { signal: own }));
          open("sleep");
        }
        throw error;
      }
    },
    async wakeUp(tags, signal) {
      guard.refuseInWindow("/wake_up");
      const result = await toAll<null>("wake_up", signal, async (control, own) => {
        await control.wakeUp(tags, { signal: own });
        return null;
      });
      if (gates.sleep === null) return result;
      const asleep =
        tags !== null && (await everyone((control, own) => control.isSleeping({ signal: own }), signal, false));
      if (!asleep) open("sleep");
      return result;
    },
    isSleeping: (signal) =>
      everyone((control, own) => control.isSleeping({ signal: own }), signal, gates.sleep !== null),
  };
}
