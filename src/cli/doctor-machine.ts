/** What `doctor` finds on this machine: runtime, memory, the port, the native packages of the worker. */
import { statfs } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { freemem, totalmem } from "node:os";
import type { Ports } from "../ports.ts";
import type { Finding } from "./findings.ts";
import { toSize } from "./progress.ts";

/** The oldest versions that the test suite runs on. */
const OLDEST: Readonly<Record<string, readonly [number, number]>> = { bun: [1, 4], deno: [2, 9], node: [22, 18] };

/** Less free memory than this and even the smallest model's worker may be ended by the kernel. */
const LITTLE_MEMORY = 512 * 2 ** 20;
/** A new weight version is spooled before it is switched to. */
const LITTLE_DISK = 2 * 2 ** 30;

function checkRuntime(runtime: string): Finding {
  const [name = "", version = ""] = runtime.split(" ");
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [needMajor, needMinor] = OLDEST[name] ?? [0, 0];
  if (major > needMajor || (major === needMajor && minor >= needMinor)) {
    return { level: "ok", subject: "runtime", found: runtime };
  }
  return {
    level: "failure",
    subject: "runtime",
    found: `${runtime} is too old`,
    mend: `use ${name} ${needMajor}.${needMinor} or newer, or "npm start", which brings its own Bun`,
  };
}

/** Binds the port for a moment. */
function checkPort(port: number): Promise<Finding> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: Error & { code?: string }) =>
      resolve({
        level: "failure",
        subject: "port",
        found: error.code === "EADDRINUSE" ? `${port} is taken` : `${port}: ${error.message}`,
        mend: "choose another with --port, or end the program that has it",
      }),
    );
    server.listen(port, "127.0.0.1", () =>
      server.close(() => resolve({ level: "ok", subject: "port", found: `${port} is free` })),
    );
  });
}

/** The worker's native code comes inside packages; a wrong install leaves them out. Nothing is loaded here. */
function checkNative(name: string): Finding {
  try {
    createRequire(import.meta.url).resolve(name);
    return { level: "ok", subject: "package", found: `${name} is installed` };
  } catch {
    return {
      level: "failure",
      subject: "package",
      found: `${name} is not installed; embedded models cannot be served`,
      mend: "install again: npm ci (or bun install, deno install)",
    };
  }
}

function checkMemory(): Finding {
  const free = freemem();
  const found = `${toSize(free)} free of ${toSize(totalmem())}`;
  if (free >= LITTLE_MEMORY) return { level: "ok", subject: "memory", found };
  return { level: "warning", subject: "memory", found, mend: "free some, or serve upstreams instead of a model" };
}

async function checkDisk(directory: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(directory);
  const found = `${toSize(bavail * bsize)} free in ${directory}`;
  if (bavail * bsize >= LITTLE_DISK) return { level: "ok", subject: "disk", found };
  return {
    level: "warning",
    subject: "disk",
    found,
    mend: "name a directory with room for one checkpoint with --spool-dir (or TMPDIR)",
  };
}

/** Looks at the machine. */
export async function checkMachine(ports: Ports, port: number): Promise<Finding[]> {
  return [
    checkRuntime(ports.runtime),
    await checkPort(port),
    checkNative("onnxruntime-node"),
    checkNative("koffi"),
    checkMemory(),
    await checkDisk(ports.temporaryDirectory ?? "/"),
  ];
}
