/**
 * The directory where received weights live: one folder per sync in a folder of this process. Only paths; what is in
 * the files is `ingest.ts`'s work. Why weights are copied at all: docs/decisions/0002-spool.md.
 */
import { GatewayError } from "../errors.ts";
import type { Files, Random } from "../ports.ts";

export interface Spool {
  /** Makes an empty folder for a set and answers with its path. Throws GatewayError `sync_failed` when it cannot. */
  create(id: string): Promise<string>;
  /** Where a set's folder is. */
  pathOf(id: string): string;
  /** Removes a set's folder; absent is fine. Rejects when the disk refuses. */
  remove(id: string): Promise<void>;
  /** Removes the folders of all sets but these: what a process that was killed has left. Nothing where others write too. */
  keepOnly(ids: readonly string[]): Promise<void>;
  /** Removes everything of this process, where it is not to be kept; the root too when it was made here and is empty. */
  clear(): Promise<void>;
}

/**
 * Two gateways may share one spool directory: each has its own folder, named at random.
 *
 * @param kept the sets outlive the process: then their folders are in the directory itself, found again by their ids.
 */
export function createSpool(files: Files, random: Pick<Random, "uuid">, root: string, kept = false): Spool {
  const own = kept ? files.resolve(root) : files.resolve(root, `spool-${random.uuid()}`);
  let madeRoot = false;
  return {
    async create(id) {
      const path = files.resolve(own, id);
      try {
        if ((await files.stat(root)) === undefined) madeRoot = true;
        for (const directory of new Set([root, own, path])) await files.makeDirectory(directory);
      } catch (cause) {
        throw new GatewayError(
          "sync_failed",
          `The spool directory ${root} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}. See --spool-dir.`,
          { phase: "receive", cause },
        );
      }
      return path;
    },
    pathOf: (id) => files.resolve(own, id),
    remove: (id) => files.remove(files.resolve(own, id)),
    async keepOnly(ids) {
      if (!kept || (await files.stat(own)) === undefined) return;
      const stale = (await files.list(own)).filter((name) => name.startsWith("ws_") && !ids.includes(name));
      for (const name of stale) await files.remove(files.resolve(own, name));
    },
    async clear() {
      if (kept) return;
      await files.remove(own);
      if (madeRoot && (await files.list(root).catch(() => [""])).length === 0) await files.remove(root);
    },
  };
}
