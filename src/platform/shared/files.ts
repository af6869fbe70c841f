/** The `Files` port over `node:fs/promises`, which all three server runtimes have. Knows nothing of what the files hold. */
import { constants } from "node:fs";
import {
  copyFile,
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
} from "node:fs/promises";
import { resolve } from "node:path";
import type { DirectoryFiles, FileReader, FileStat, FileWriter } from "../../ports.ts";

/** Largest file that `readText` takes when the caller names no limit: tokenizers of 20 MiB exist, 64 MiB ones do not. */
const TEXT_LIMIT = 64 * 2 ** 20;

/** One `read` call of the kernel ends near 2 GiB, and smaller steps let other work run between. */
const READ_STEP = 16 * 2 ** 20;

const isAbsent = (error: unknown): boolean => {
  const code = (error as { code?: unknown } | null)?.code;
  return code === "ENOENT" || code === "ENOTDIR";
};

async function statPath(path: string): Promise<FileStat | undefined> {
  try {
    const found = await stat(path);
    const kind = found.isFile() ? "file" : found.isDirectory() ? "directory" : "other";
    return { kind, size: found.size, modified: found.mtimeMs };
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

async function readText(path: string, limit = TEXT_LIMIT): Promise<string> {
  const found = await stat(path);
  if (found.size > limit) throw new RangeError(`${path} has ${found.size} bytes; at most ${limit} are read as text.`);
  return await readFile(path, "utf8");
}

function createReader(path: string, handle: FileHandle, size: number): FileReader {
  return {
    size,
    async read(offset, length) {
      // Checked before the allocation: a header that lies about lengths must not cost memory.
      if (offset < 0 || length < 0 || offset + length > size) {
        throw new RangeError(`${path} has ${size} bytes; ${length} at ${offset} are not there.`);
      }
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const step = Math.min(READ_STEP, length - done);
        const { bytesRead } = await handle.read(bytes, done, step, offset + done);
        if (bytesRead === 0) throw new RangeError(`${path} became shorter while it was read.`);
        done += bytesRead;
      }
      return bytes;
    },
    close: () => handle.close(),
  };
}

function createWriter(handle: FileHandle): FileWriter {
  return {
    async write(bytes) {
      for (let done = 0; done < bytes.byteLength; ) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.byteLength - done);
        done += bytesWritten;
      }
    },
    async close() {
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    },
  };
}

async function copyFlushed(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  const handle = await open(to, "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What opening or flushing a directory gives where that is not possible: Windows, some network file systems. */
const NO_DIRECTORY_SYNC: ReadonlySet<unknown> = new Set(["EISDIR", "EPERM", "EINVAL", "ENOTSUP", "EBADF", "EACCES"]);

async function flushDirectory(path: string): Promise<void> {
  try {
    const handle = await open(path, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!NO_DIRECTORY_SYNC.has((error as { code?: unknown }).code)) throw error;
  }
}

/** Creates the port. Relative paths are resolved against the working directory of the process. */
export function createFiles(): DirectoryFiles {
  return {
    resolve: (...parts) => resolve(...parts),
    stat: statPath,
    list: async (path) => (await readdir(path)).sort(),
    readText,
    async openRead(path) {
      const handle = await open(path, "r");
      try {
        return createReader(path, handle, (await handle.stat()).size);
      } catch (error) {
        await handle.close();
        throw error;
      }
    },
    openWrite: async (path) => createWriter(await open(path, "w")),
    makeDirectory: async (path) => void (await mkdir(path, { recursive: true })),
    rename,
    remove: (path) => rm(path, { recursive: true, force: true }),
    realPath: (path) => realpath(path),
    copy: copyFlushed,
    flushDirectory,
  };
}
