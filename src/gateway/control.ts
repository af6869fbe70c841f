/** vLLM's RL controls over the whole fleet: one call in, one call to every replica, one result per replica out. */
import type { EngineControl } from "../engine/engine.ts";
import { GatewayError, toGatewayError } from "../errors.ts";
import type { FleetRegistry, Replica } from "../fleet/types.ts";
import type { ControlResult, Gateway } from "../gateway-types.ts";

type Call<T> = (control: EngineControl) => Promise<T>;

async function toAll<T>(fleet: FleetRegistry, name: string, call: Call<T>): Promise<ControlResult<T>> {
  const ask = async (replica: Replica): Promise<ControlResult<T>["servers"][number]> => {
    const { control } = replica.engine;
    if (control === undefined) return { id: replica.id, error: `${name} is not supported by this replica` };
    try {
      return { id: replica.id, result: await call(control) };
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
      {
        replica: failed[0]?.id ?? "",
      },
    );
  }
  return { servers };
}

/** True when every replica that can be asked says so; a fleet with nobody to ask says false. */
async function everyone(fleet: FleetRegistry, call: Call<boolean>): Promise<boolean> {
  const controls = fleet
    .replicas()
    .flatMap((replica) => (replica.engine.control === undefined ? [] : [replica.engine.control]));
  const answers = await Promise.all(controls.map(call));
  return answers.length > 0 && answers.every(Boolean);
}

/** Creates the fan-out. `onPaused` learns of every change of the fleet-wide pause. */
export function createControl(fleet: FleetRegistry, onPaused: (paused: boolean) => void): Gateway["control"] {
  return {
    async pause(mode, clearCache, signal) {
      const result = await toAll(fleet, "pause", async (control) => {
        await control.pause(mode, clearCache, { signal });
        return null;
      });
      onPaused(true);
      return result;
    },
    async resume(signal) {
      const result = await toAll(fleet, "resume", async (control) => {
        await control.resume({ signal });
        return null;
      });
      onPaused(false);
      return result;
    },
    isPaused: (signal) => everyone(fleet, (control) => control.isPaused({ signal })),
    resetPrefixCache: (resetRunning, signal) =>
      toAll(fleet, "reset_prefix_cache", (control) => control.resetPrefixCache(resetRunning, { signal })),
    sleep: (level, signal) =>
      toAll(fleet, "sleep", async (control) => {
        await control.sleep(level, { signal });
        return null;
      }),
    wakeUp: (tags, signal) =>
      toAll(fleet, "wake_up", async (control) => {
        await control.wakeUp(tags, { signal });
        return null;
      }),
    isSleeping: (signal) => everyone(fleet, (control) => control.isSleeping({ signal })),
  };
}
