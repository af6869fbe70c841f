/** The ports that are the same on every runtime with `node:` modules. The runtime adds its name, fetch and spawn arguments. */
import { createHash } from "node:crypto";
import { lookup } from "node:dns/promises";
import { tmpdir } from "node:os";
import process from "node:process";
import { setTimeout } from "node:timers";
import type { Clock, Fetch, Ports, Sha256 } from "../../ports.ts";
import { openConnection } from "./connect.ts";
import { createFiles } from "./files.ts";
import { createSpawn } from "./spawn.ts";
import { openDatabase } from "./sqlite.ts";

/** Timers of all runtimes hold a signed 32-bit number of milliseconds; more would fire at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  timer(milliseconds, callback) {
    const timer = setTimeout(callback, Math.min(Math.max(0, milliseconds), LONGEST_TIMER));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

function createSha256(): Sha256 {
  const hash = createHash("sha256");
  return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest("hex") };
}

function usage(): { rssBytes: number; cpuSeconds: number } {
  const cpu = process.cpuUsage();
  return { rssBytes: process.memoryUsage().rss, cpuSeconds: (cpu.user + cpu.system) / 1e6 };
}

/** Builds the ports of a server runtime. Log lines go to standard error; standard output stays free for results. */
export function createProcessPorts(own: {
  readonly runtime: string;
  readonly fetch: Fetch;
  /** Arguments with which this runtime's executable runs a TypeScript file. */
  readonly toArguments: (file: string) => readonly string[];
}): Ports {
  return {
    runtime: own.runtime,
    clock,
    random: { uuid: () => crypto.randomUUID(), float: () => Math.random() },
    fetch: own.fetch,
    resolve: async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
    writeLine: (line) => void process.stderr.write(`${line}\n`),
    sha256: createSha256,
    usage,
    files: createFiles(),
    spawn: createSpawn(own.toArguments),
    temporaryDirectory: tmpdir(),
    openDatabase,
    openConnection,
  };
}
