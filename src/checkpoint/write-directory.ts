/**
 * A directory that appears whole or not at all: filled beside its place under another name, flushed, renamed. What a
 * killed process left behind is cleared by the next one that writes to the same place. Knows nothing of models.
 */
import { GatewayError, invalidValue } from "../errors.ts";
import type { DirectoryFiles } from "../ports.ts";

/** A leftover is removed when nothing in it has changed for this long: another process may be writing right now. */
const STALE_MILLISECONDS = 15 * 60_000;

const FULL: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

const split = (path: string): { readonly parent: string; readonly name: string } => {
  const at = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  return { parent: path.slice(0, Math.max(at, 1)), name: path.slice(at + 1) };
};

/** The nearest directory on the way up that is there, without symbolic links. */
async function realAncestor(files: DirectoryFiles, path: string): Promise<string> {
  for (let at = path; ; at = split(at).parent) {
    const there = await files.realPath(at).catch(() => undefined);
    if (there !== undefined) return there;
    if (split(at).parent === at) return at;
  }
}

async function check(files: DirectoryFiles, output: string, sources: readonly string[]): Promise<string> {
  if (output === "") throw invalidValue("output", output, "the path of a new directory");
  const target = files.resolve(output);
  const ancestor = await realAncestor(files, target);
  for (const source of sources) {
    const real = await files.realPath(source);
    if (ancestor === real || ancestor.startsWith(`${real}/`) || ancestor.startsWith(`${real}\\`)) {
      throw invalidValue("output", output, `outside of the model directory ${source}, which is never changed`);
    }
  }
  if (ancestor === target || (await files.stat(target)) !== undefined) {
    throw new GatewayError("conflict", `output ${target} exists already; give the path of a new directory.`, {
      param: "output",
    });
  }
  return target;
}

async function newestChange(files: DirectoryFiles, directory: string): Promise<number> {
  let newest = (await files.stat(directory))?.modified ?? 0;
  for (const name of await files.list(directory)) {
    newest = Math.max(newest, (await files.stat(files.resolve(directory, name)))?.modified ?? 0);
  }
  return newest;
}

/** `now` is the time stamp of a directory made a moment ago: the file system's own clock. */
async function clearLeftovers(files: DirectoryFiles, parent: string, prefix: string, own: string): Promise<void> {
  const now = (await files.stat(own))?.modified ?? 0;
  for (const name of await files.list(parent)) {
    const path = files.resolve(parent, name);
    if (!name.startsWith(prefix) || path === own) continue;
    // Another process may clear it at the same time.
    const changed = await newestChange(files, path).catch(() => now);
    if (now - changed > STALE_MILLISECONDS) await files.remove(path);
  }
}

function toFailure(error: unknown, output: string): unknown {
  if (error instanceof GatewayError) return error;
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code !== "string") return error;
  const reason = (error as Error).message;
  if (FULL.has(code)) {
    return new GatewayError("limit_exceeded", `The disk is full; nothing of output ${output} was kept (${reason}).`, {
      param: "output",
      cause: error,
    });
  }
  return new GatewayError("invalid_value", `output ${output} cannot be written: ${reason}.`, {
    param: "output",
    cause: error,
  });
}

/** Refuses a place that is taken, or that lies in one of `sources`. Returns the absolute path. */
export async function checkOutput(files: DirectoryFiles, output: string, sources: readonly string[]): Promise<string> {
  try {
    return await check(files, output, sources);
  } catch (error) {
    throw toFailure(error, output);
  }
}

/**
 * Makes `target` with what `fill` writes into the directory it is given. On any failure nothing of it stays.
 *
 * @param target absolute, checked by `checkOutput`
 * @param id makes the temporary name unique
 * @throws what `fill` throws; GatewayError `limit_exceeded` (disk full) or `invalid_value` for the file system's own errors.
 */
export async function writeDirectory(
  files: DirectoryFiles,
  target: string,
  id: string,
  fill: (directory: string) => Promise<void>,
): Promise<void> {
  const { parent, name } = split(target);
  const prefix = `.${name}.partial-`;
  const staged = files.resolve(parent, `${prefix}${id}`);
  try {
    await files.makeDirectory(staged);
    await clearLeftovers(files, parent, prefix, staged);
    await fill(staged);
    await files.flushDirectory(staged);
    await files.rename(staged, target);
    await files.flushDirectory(parent);
  } catch (error) {
    // The first error is the one to tell.
    await files.remove(staged).catch(() => undefined);
    throw toFailure(error, target);
  }
}
