/** The worker's own `Files`: it reads model directories and weight sets, and never writes. */
import { createFiles } from "../platform/shared/files.ts";
import type { Files } from "../ports.ts";

const readOnly = (): Promise<never> => Promise.reject(new Error("The worker writes no files."));

/** Creates the port. */
export function createReadOnlyFiles(): Files {
  const { resolve, stat, list, readText, openRead } = createFiles();
  return {
    resolve,
    stat,
    list,
    readText,
    openRead,
    openWrite: readOnly,
    makeDirectory: readOnly,
    rename: readOnly,
    remove: readOnly,
  };
}
