/**
 * The directory where received weights live: one folder per sync in a folder of this process. Only paths; what is in
 * the files is `ingest.ts`'s work. Why weights are copied at all: docs/decisions/0002-spool.md.
 */
import { GatewayError } from "../errors.ts";
import type { Files, Random } from "../ports.ts";

export interface Spool {
  /** Makes an empty folder for a set and answers with its path. Throws GatewayError `sync_failed` when it cannot. */
  create(id: string): Promise<string>;
  /** Removes a set's folder; absent is fine. Rejects when the disk refuses. */
  remove(id: string): Promise<void>;
  /** Removes everything of this process; the root too when it was made here and is empty. */
  clear(): Promise<void>;
}

/** Two gateways may share one spool directory: each has its own folder, named at random. */
export function createSpool(files: Files, random: Pick<Random, "uuid">, root: string): Spool {
  const own = files.resolve(root, `spool-${random.uuid()}`);
  let madeRoot = false;
  return {
    async create(id) {
      const path = files.resolve(own, id);
      try {
        if ((await files.stat(root)) === undefined) madeRoot = true;
        for (const directory of [root, own, path]) await files.makeDirectory(directory);
      } catch (cause) {
        throw new GatewayError(
          "sync_failed",
          `The spool directory ${root} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}. See --spool-dir.`,
          { phase: "receive", cause },
        );
      }
      return path;
    },
    remove: (id) => files.remove(files.resolve(own, id)),
    async clear() {
      await files.remove(own);
      if (madeRoot && (await files.list(root).catch(() => [""])).length === 0) await files.remove(root);
    },
  };
}
