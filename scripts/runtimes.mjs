/** Where the pinned runtimes lie. Binaries are found in their packages, because install scripts may be switched off. */
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The repository, as a `file:` URL that ends in a slash. */
export const ROOT = new URL("../", import.meta.url);

/** Which runtime runs this very script. */
export const HOST = "Deno" in globalThis ? "deno" : "Bun" in globalThis ? "bun" : "node";

/** Deno's rights while it serves: sockets, model and weight files, settings, its own workers. Not FFI: that is the worker's. */
export const DENO_SERVE_RIGHTS = [
  "--no-prompt",
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  `--allow-run=${HOST === "deno" ? process.execPath : "deno"}`,
];

const { platform, arch } = process;
const modules = (path) => fileURLToPath(new URL(`node_modules/${path}`, ROOT));

/** A placeholder script that waits for its install step is a few hundred bytes; a runtime has tens of megabytes. */
const isBinary = (path) => existsSync(path) && statSync(path).size > 1e6;

const CANDIDATES = {
  bun: [
    "bun/bin/bun.exe",
    `@oven/bun-${platform}-${arch === "arm64" ? "aarch64" : arch}/bin/bun`,
    `@oven/bun-${platform}-${arch === "arm64" ? "aarch64" : arch}-musl/bin/bun`,
    `@oven/bun-${platform}-${arch}-baseline/bin/bun`,
    `@oven/bun-${platform}-${arch}-musl-baseline/bin/bun`,
  ],
  deno: [`@deno/${platform}-${arch}${platform === "linux" ? "-glibc" : ""}/deno`],
  workerd: [`@cloudflare/workerd-${platform}-${arch === "x64" ? "64" : arch}/bin/workerd`],
  node: [`node-${platform}-${arch}/bin/node`],
};

/** Path of a pinned runtime, or undefined when there is none for this machine (wrong C library, older processor). */
export function findRuntime(name) {
  for (const candidate of CANDIDATES[name]) {
    const path = modules(candidate);
    // Started once: a binary for another C library or with newer instructions is there, but does not run.
    if (isBinary(path) && spawnSync(path, ["--version"]).status === 0) return path;
  }
  return name === HOST ? process.execPath : undefined;
}

/** Like `findRuntime`, for scripts that cannot go on without it. */
export function binaryOf(name) {
  const path = findRuntime(name);
  if (path === undefined) throw new Error(`no ${name} for ${platform} ${arch}; install the packages with "npm ci"`);
  return path;
}

/**
 * The command that runs a TypeScript file of ours: the host where it can, else the pinned Bun. On Deno the server has
 * exact rights; other commands may also ask for facts of the machine (`doctor`).
 */
export function serverCommand(task) {
  const facts = task === "start" ? [] : ["--allow-sys"];
  if (HOST === "deno") return [process.execPath, "run", ...DENO_SERVE_RIGHTS, ...facts];
  if (HOST === "bun") return [process.execPath, "run"];
  const bun = findRuntime("bun");
  if (bun !== undefined) return [bun, "run"];
  const [major, minor] = process.versions.node.split(".").map(Number);
  // Node itself runs TypeScript from 22.18 on.
  if (major > 22 || (major === 22 && minor >= 18)) return [process.execPath];
  const node = findRuntime("node");
  if (node !== undefined) return [node];
  console.error(`no Bun for ${platform} ${arch}; use Node 22.18 or newer`);
  return process.exit(3);
}
