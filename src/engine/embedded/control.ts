/**
 * vLLM's RL controls over the worker's own calls. Remembers what it was told, because a worker that starts again knows
 * nothing of a pause, and must not serve in the middle of somebody's weight update.
 */
import type { EngineControl, PauseMode } from "../engine.ts";
import type { WorkerConnection } from "./connection.ts";

export interface EmbeddedControl {
  readonly control: EngineControl;
  /** Puts a fresh worker into the state that was asked for. */
  restore(connection: WorkerConnection, signal: AbortSignal): Promise<void>;
}

/** Creates the controls; `connection` throws while no worker serves. */
export function createEmbeddedControl(connection: () => WorkerConnection): EmbeddedControl {
  let paused: PauseMode | null = null;
  let asleep: number | null = null;
  return {
    async restore(fresh, signal) {
      if (paused !== null) await fresh.call("pause", { mode: paused, clearCache: true }, { signal });
      if (asleep !== null) await fresh.call("sleep", { level: asleep, mode: "keep" }, { signal });
    },
    control: {
      async pause(mode, clearCache, { signal }) {
        await connection().call("pause", { mode, clearCache }, { signal });
        paused = mode;
      },
      async resume({ signal }) {
        await connection().call("resume", {}, { signal });
        paused = null;
      },
      isPaused: ({ signal }) => connection().call("isPaused", {}, { signal }),
      resetPrefixCache: (resetRunning, { signal }) =>
        connection().call("resetPrefixCache", { resetRunning }, { signal }),
      async sleep(level, { signal, mode = "abort" }) {
        const worker = connection();
        worker.heardResidency(await worker.call("sleep", { level, mode }, { signal }));
        asleep = Math.max(asleep ?? 0, level);
      },
      async wakeUp(tags, { signal }) {
        const worker = connection();
        worker.heardResidency(await worker.call("wakeUp", { tags }, { signal }));
        if (!(await connection().call("isSleeping", {}, { signal }))) asleep = null;
      },
      isSleeping: ({ signal }) => connection().call("isSleeping", {}, { signal }),
    },
  };
}
