/**
 * What the control groups of this process leave it (Linux): a container is ended by the kernel at its own limit, however much
 * the machine has free. Versions 2 and 1 of the interface; every group above this one may be the narrow one. Reads a few
 * small files and keeps nothing.
 */
import { readFileSync } from "node:fs";

/** Bytes. */
export interface CgroupMemory {
  /** The smallest limit of this group and those above it. */
  readonly limitBytes: number;
  /** What is left until the first limit is reached; page cache that the kernel would give up counts as free. */
  readonly freeBytes: number;
}

/** A small file as text; null where there is none, or it may not be read. */
export type ReadSmallFile = (path: string) => string | null;

const readSmallFile: ReadSmallFile = (path) => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
};

/** Version 1 says "no limit" with a number near 2^63; no machine has a pebibyte. */
const NO_LIMIT = 2 ** 50;

/** Groups above each other are few; a path that says otherwise is not followed. */
const DEPTH_LIMIT = 64;

interface Layout {
  readonly root: string;
  readonly limit: string;
  readonly used: string;
  /** The line of memory.stat with the page cache that was not used lately. */
  readonly cache: RegExp;
}

const LAYOUTS: readonly (Layout & { readonly line: RegExp })[] = [
  {
    line: /^0::(\/.*)$/m,
    root: "/sys/fs/cgroup",
    limit: "memory.max",
    used: "memory.current",
    cache: /^inactive_file (\d+)$/m,
  },
  {
    line: /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m,
    root: "/sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    cache: /^total_inactive_file (\d+)$/m,
  },
];

/** A whole number of bytes; null for "max", for no limit and for what is no number. */
function toBytes(text: string | null): number | null {
  const digits = /^(\d{1,20})\s*$/.exec(text ?? "")?.[1];
  const bytes = Number(digits);
  return digits !== undefined && bytes < NO_LIMIT ? bytes : null;
}

/** This group's folder and those above it; a path from outside the container's own view is just not there. */
function toFolders(root: string, path: string): string[] {
  const parts = path.split("/").filter((part) => part !== "" && part !== "." && part !== "..");
  const folders = [root];
  for (const part of parts.slice(0, DEPTH_LIMIT)) folders.push(`${folders.at(-1)}/${part}`);
  return folders;
}

/** The tightest limit on this process; null where nothing limits it, or there are no control groups. */
export function readCgroupMemory(read: ReadSmallFile = readSmallFile): CgroupMemory | null {
  const own = read("/proc/self/cgroup");
  if (own === null) return null;
  let limitBytes = Number.POSITIVE_INFINITY;
  let freeBytes = Number.POSITIVE_INFINITY;
  for (const { line, root, limit, used, cache } of LAYOUTS) {
    const path = line.exec(own)?.[1];
    if (path === undefined) continue;
    for (const folder of toFolders(root, path)) {
      const most = toBytes(read(`${folder}/${limit}`));
      if (most === null) continue;
      const taken = toBytes(read(`${folder}/${used}`)) ?? 0;
      const cached = Number(cache.exec(read(`${folder}/memory.stat`) ?? "")?.[1] ?? 0);
      limitBytes = Math.min(limitBytes, most);
      freeBytes = Math.min(freeBytes, Math.max(0, most - Math.max(0, taken - cached)));
    }
  }
  return limitBytes === Number.POSITIVE_INFINITY ? null : { limitBytes, freeBytes };
}
