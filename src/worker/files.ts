/** The worker's own `Files`: it reads model directories and weight sets, and never writes. */
import { type FileHandle, open, readdir, readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { FileReader, Files } from "../ports.ts";

/** Largest text file read when the caller names no limit; the port's own default. */
const TEXT_LIMIT = 64 * 2 ** 20;

const isAbsent = (error: unknown): boolean =>
  ["ENOENT", "ENOTDIR"].includes(String((error as { code?: unknown } | null)?.code));

const readOnly = (): Promise<never> => Promise.reject(new Error("The worker writes no files."));

function toReader(path: string, handle: FileHandle, size: number): FileReader {
  return {
    size,
    async read(offset, length) {
      if (offset < 0 || length < 0 || offset + length > size) {
        throw new RangeError(`${path} has ${size} bytes; ${length} at ${offset} are not there.`);
      }
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
        if (bytesRead === 0) throw new RangeError(`${path} became shorter while it was read.`);
        done += bytesRead;
      }
      return bytes;
    },
    close: () => handle.close(),
  };
}

/** Creates the port. */
export function createReadOnlyFiles(): Files {
  return {
    resolve: (...parts) => resolve(...parts),
    async stat(path) {
      try {
        const found = await stat(path);
        const kind = found.isFile() ? "file" : found.isDirectory() ? "directory" : "other";
        return { kind, size: found.size, modified: found.mtimeMs };
      } catch (error) {
        if (isAbsent(error)) return undefined;
        throw error;
      }
    },
    list: async (path) => (await readdir(path)).sort(),
    async readText(path, limit = TEXT_LIMIT) {
      const { size } = await stat(path);
      if (size > limit) throw new RangeError(`${path} has ${size} bytes; at most ${limit} are read as text.`);
      return await readFile(path, "utf8");
    },
    async openRead(path) {
      const handle = await open(path, "r");
      try {
        return toReader(path, handle, (await handle.stat()).size);
      } catch (error) {
        await handle.close();
        throw error;
      }
    },
    openWrite: readOnly,
    makeDirectory: readOnly,
    rename: readOnly,
    remove: readOnly,
  };
}
