/**
 * Weight syncs end to end. `bun benchmarks/sync/run.ts [--megabytes 256] [--rounds 5] [--growth 1,2,4,8,16]`.
 *
 * Throughput: bytes of the checkpoint per second of a whole sync (`Prefer: wait`), against a plain copy of the same file
 * to the same disk (written and flushed); rounds are interleaved, the figures are medians. Pause: from the moment the
 * gate closes until it opens, against the time in which the weights are received and loaded beside the old ones.
 * Growth: the same sync over 1 to 16 replicas. Servers are fakes that take the bytes and drop them; embedded replicas are
 * real, with the shipped model.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeCheckpoint } from "./checkpoint.ts";
import { copyFlushed, followSync } from "./timing.ts";

const { values } = parseArgs({
  options: {
    megabytes: { type: "string", default: "256" },
    rounds: { type: "string", default: "5" },
    growth: { type: "string", default: "1,2,4,8,16" },
  },
});
const rounds = Number(values.rounds);
const growth = values.growth.split(",").map(Number);
const work = mkdtempSync(join(tmpdir(), "tidegate-bench-sync-"));
const checkpoints = ["a", "b"].map((name) => join(work, name));

const median = (numbers: readonly number[]): number => {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
};

interface Process {
  readonly output: string;
  readonly child: ChildProcess;
}

/** Starts a program and resolves when its output matches. */
function launch(args: readonly string[], ready: RegExp): Promise<Process & { readonly match: RegExpExecArray }> {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  return new Promise((resolve, reject) => {
    const take = (bytes: Buffer): void => {
      if (output.length > 200_000) return;
      output += bytes.toString();
      const match = ready.exec(output);
      if (match !== null) resolve({ output, child, match });
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("close", () => reject(new Error(`${args[0]} ended:\n${output}`)));
  });
}

const stop = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null) return resolve();
    child.on("close", () => resolve());
    child.kill("SIGTERM");
  });

interface Fleet {
  readonly url: string;
  stop(): Promise<void>;
}

async function openFleet(kind: "embedded" | "disk" | "url", count: number): Promise<Fleet> {
  const children: ChildProcess[] = [];
  let flags = ["--replicas", String(count), "--max-concurrency", "4"];
  if (kind !== "embedded") {
    const backend = kind === "url" ? ["--backend", "tidegate"] : [];
    const fakes = await launch(["benchmarks/sync/upstreams.ts", "--count", String(count), ...backend], /^(http.*)\n/);
    children.push(fakes.child);
    flags = (fakes.match[1] ?? "").split(" ").flatMap((url) => ["--upstream", url]);
  }
  const served = ["src/cli/main.ts", "serve", "--port", "0", "--spool-dir", join(work, "spool"), ...flags];
  const gateway = await launch(served, /listening on (http:\/\/[^\s"]+)[\s\S]*\bready\b.*replicas=/);
  children.push(gateway.child);
  const url = gateway.match[1] ?? "";
  for (;;) {
    const { servers } = (await (await fetch(`${url}/api/fleet`)).json()) as { servers: { state: string }[] };
    if (servers.every(({ state }) => state === "ready")) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url,
    async stop() {
      for (const child of children.reverse()) await stop(child);
    },
  };
}

interface Timed {
  readonly seconds: number;
  /** Gate closed. */
  readonly pause: number;
  /** Received and staged beside the old weights. */
  readonly load: number;
}

/** One sync, timed from outside; phases by the sync's events. */
async function sync({ url }: Fleet, path: string): Promise<Timed> {
  const start = performance.now();
  const answer = await fetch(`${url}/api/weight-syncs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ source: { kind: "disk", path } }),
  });
  if (answer.status !== 202) throw new Error(`${answer.status} ${await answer.text()}`);
  const { id } = (await answer.json()) as { id: string };
  const seen = await followSync(url, id);
  const end = performance.now();
  const closed = seen.get("drain") ?? seen.get("switch") ?? end;
  const opened = seen.get("done") ?? end;
  return { seconds: (end - start) / 1000, pause: opened - closed, load: closed - start };
}

const note = (text: string): void => void process.stderr.write(`${text}\n`);
const fixed = (value: number, digits = 1): string => value.toFixed(digits);

try {
  let bytes = 0;
  for (const [at, directory] of checkpoints.entries()) {
    bytes = await writeCheckpoint(directory, Number(values.megabytes), 7 + at);
  }
  const kinds = ["disk", "url"] as const;
  const copies: number[] = [];
  const times: Record<(typeof kinds)[number], Timed[]> = { disk: [], url: [] };
  note(`${bytes} bytes written`);
  const fleets = { disk: await openFleet("disk", 1), url: await openFleet("url", 1) };
  for (let round = -1; round < rounds; round += 1) {
    const path = checkpoints[Math.abs(round) % 2] ?? "";
    note(`round ${round}`);
    const copied = await copyFlushed(join(path, "model.safetensors"), join(work, "copy"));
    if (round >= 0) copies.push(copied);
    for (const kind of kinds) {
      const timed = await sync(fleets[kind], path);
      if (round >= 0) times[kind].push(timed);
    }
  }
  for (const fleet of Object.values(fleets)) await fleet.stop();
  const plain = median(copies);
  console.log(`${fixed(bytes / 2 ** 20, 0)} MiB, ${rounds} rounds, medians`);
  console.log(`plain copy, flushed: ${fixed(plain, 2)} s, ${fixed(bytes / plain / 1e6, 0)} MB/s`);
  for (const kind of kinds) {
    const seconds = median(times[kind].map((timed) => timed.seconds));
    const pause = median(times[kind].map((timed) => timed.pause));
    const load = median(times[kind].map((timed) => timed.load));
    console.log(
      `sync, ${kind}: ${fixed(seconds, 2)} s, ${fixed(bytes / seconds / 1e6, 0)} MB/s, ${fixed(seconds / plain, 2)} × copy; gate closed ${fixed(pause)} ms, loading ${fixed(load, 0)} ms, ratio ${fixed(pause / load, 3)}`,
    );
  }
  console.log("\ngrowth: whole sync in s (ratio to 1 replica), gate closed in ms");
  const embedded = ["base", "trained"].map((name) => join(process.cwd(), "models/tide-nano", name));
  for (const kind of ["embedded", "disk", "url"] as const) {
    let first = Number.NaN;
    for (const count of growth) {
      const fleet = await openFleet(kind, count);
      const paths = kind === "embedded" ? embedded : checkpoints;
      const found: Timed[] = [];
      for (let round = -1; round < rounds; round += 1) {
        const timed = await sync(fleet, paths[Math.abs(round) % 2] ?? "");
        if (round >= 0) found.push(timed);
      }
      await fleet.stop();
      const seconds = median(found.map((timed) => timed.seconds));
      if (count === growth[0]) first = seconds;
      const pause = median(found.map((timed) => timed.pause));
      console.log(`${kind}, ${count}: ${fixed(seconds, 3)} s (${fixed(seconds / first, 2)}), ${fixed(pause)} ms`);
    }
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
