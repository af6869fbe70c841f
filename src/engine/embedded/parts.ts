/** The two optional members of an embedded engine, each one call to the worker: RL controls, and the weight target. */
import type { WeightDigest, WeightVersion } from "../../contract/ids.ts";
import type { EngineControl, TensorSpec, WeightTarget } from "../engine.ts";
import type { WorkerConnection } from "./connection.ts";

/** vLLM's RL controls over the worker's own calls. */
export function createEmbeddedControl(connection: () => WorkerConnection): EngineControl {
  return {
    async pause(mode, clearCache, { signal }) {
      await connection().call("pause", { mode, clearCache }, { signal });
    },
    async resume({ signal }) {
      await connection().call("resume", {}, { signal });
    },
    isPaused: ({ signal }) => connection().call("isPaused", {}, { signal }),
    resetPrefixCache: (resetRunning, { signal }) => connection().call("resetPrefixCache", { resetRunning }, { signal }),
    async sleep(level, { signal }) {
      await connection().call("sleep", { level }, { signal });
    },
    async wakeUp(tags, { signal }) {
      await connection().call("wakeUp", { tags }, { signal });
    },
    isSleeping: ({ signal }) => connection().call("isSleeping", {}, { signal }),
  };
}

/** Two-phase weight changes. A staged set lives in one process: after a restart its commit is refused with `conflict`. */
export function createEmbeddedWeights(options: {
  readonly connection: () => WorkerConnection;
  readonly manifest: () => readonly TensorSpec[];
  readonly committed: (from: WorkerConnection, version: WeightVersion, digest: WeightDigest) => void;
}): WeightTarget {
  return {
    manifest: options.manifest,
    async stage(id, set, { signal, onProgress }) {
      const { digest } = await options.connection().call("stage", { stage: id, set }, { signal, onProgress });
      return digest;
    },
    async commit(id, version, mode, { signal }) {
      const connection = options.connection();
      // A caller who left does not undo a switch that was done: the version is noted all the same.
      const onResult = ({ digest }: { readonly digest: WeightDigest }): void =>
        options.committed(connection, version, digest);
      await connection.call("commit", { stage: id, version, mode }, { signal, onResult });
    },
    async discard(id) {
      try {
        await options.connection().call("discard", { stage: id });
      } catch {
        // A worker that is gone has nothing staged.
      }
    },
  };
}
