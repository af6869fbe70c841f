/** The weight target of an embedded engine: each member one call to the worker. */
import type { WeightDigest, WeightVersion } from "../../contract/ids.ts";
import type { TensorSpec, WeightTarget } from "../engine.ts";
import type { WorkerConnection } from "./connection.ts";

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
