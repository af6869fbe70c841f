/** A file system in memory behind the `Files` port, for tests: no disk, no clean-up, faults on demand. */
import type { DirectoryFiles } from "../../../src/ports.ts";

export interface MemoryFiles extends DirectoryFiles {
  /** Absolute path → bytes. Tests read and write it directly. */
  readonly entries: Map<string, Uint8Array>;
  /** Readers and writers that are still open. */
  readonly open: () => number;
}

/** Creates an empty file system; directories exist when something is in them or `makeDirectory` made them. */
export function createMemoryFiles(initial: Readonly<Record<string, Uint8Array | string>> = {}): MemoryFiles {
  const entries = new Map<string, Uint8Array>();
  const directories = new Set<string>(["/"]);
  let open = 0;
  for (const [path, content] of Object.entries(initial)) {
    entries.set(path, typeof content === "string" ? new TextEncoder().encode(content) : content);
  }
  const resolve = (...parts: string[]): string => {
    let path = "/";
    for (const part of parts) path = part.startsWith("/") ? part : `${path}/${part}`;
    const out: string[] = [];
    for (const part of path.split("/")) {
      if (part === "..") out.pop();
      else if (part !== "" && part !== ".") out.push(part);
    }
    return `/${out.join("/")}`;
  };
  const under = (path: string): string => (path === "/" ? "/" : `${path}/`);
  const isDirectory = (path: string): boolean =>
    directories.has(path) || [...entries.keys(), ...directories].some((key) => key.startsWith(under(path)));
  const must = (path: string): Uint8Array => {
    const bytes = entries.get(resolve(path));
    if (bytes === undefined) throw new Error(`ENOENT: ${path}`);
    return bytes;
  };
  return {
    entries,
    open: () => open,
    resolve,
    async stat(path) {
      const at = resolve(path);
      const bytes = entries.get(at);
      if (bytes !== undefined) return { kind: "file", size: bytes.byteLength, modified: 0 };
      return isDirectory(at) ? { kind: "directory", size: 0, modified: 0 } : undefined;
    },
    async list(path) {
      const prefix = under(resolve(path));
      const names = [...entries.keys(), ...directories]
        .filter((key) => key.startsWith(prefix) && key !== prefix)
        .map((key) => key.slice(prefix.length).split("/")[0]!);
      return [...new Set(names)].sort();
    },
    async readText(path, limit = 64 * 2 ** 20) {
      const bytes = must(path);
      if (bytes.byteLength > limit) throw new Error(`${path} is larger than ${limit} bytes`);
      return new TextDecoder().decode(bytes);
    },
    async openRead(path) {
      const bytes = must(path);
      open += 1;
      let closed = false;
      return {
        size: bytes.byteLength,
        async read(offset, length) {
          if (closed) throw new Error("read after close");
          const now = must(path);
          if (offset + length > now.byteLength) throw new Error("unexpected end of file");
          return now.slice(offset, offset + length);
        },
        async close() {
          if (!closed) open -= 1;
          closed = true;
        },
      };
    },
    async openWrite(path) {
      const at = resolve(path);
      entries.set(at, new Uint8Array(0));
      open += 1;
      const pieces: Uint8Array[] = [];
      let closed = false;
      return {
        async write(bytes) {
          pieces.push(bytes.slice());
        },
        async close() {
          if (closed) return;
          closed = true;
          open -= 1;
          const out = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
          let offset = 0;
          for (const piece of pieces) {
            out.set(piece, offset);
            offset += piece.byteLength;
          }
          entries.set(at, out);
        },
      };
    },
    async makeDirectory(path) {
      directories.add(resolve(path));
    },
    async rename(from, to) {
      const source = resolve(from);
      const target = resolve(to);
      for (const [key, bytes] of [...entries]) {
        if (key !== source && !key.startsWith(under(source))) continue;
        entries.delete(key);
        entries.set(target + key.slice(source.length), bytes);
      }
      if (directories.delete(source)) directories.add(target);
    },
    async realPath(path) {
      const at = resolve(path);
      if (!entries.has(at) && !isDirectory(at)) throw new Error(`ENOENT: ${path}`);
      return at;
    },
    async copy(from, to) {
      if (entries.has(resolve(to))) throw new Error(`EEXIST: ${to}`);
      entries.set(resolve(to), must(from).slice());
    },
    async flushDirectory() {},
    async remove(path) {
      const at = resolve(path);
      for (const key of [...entries.keys()]) if (key === at || key.startsWith(under(at))) entries.delete(key);
      for (const key of [...directories]) if (key === at || key.startsWith(under(at))) directories.delete(key);
    },
  };
}
