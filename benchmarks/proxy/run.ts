/**
 * The gateway against a bare Bun proxy, one interleaved run: `bun benchmarks/proxy/run.ts [--rounds 7] [--only a,e] [--soak 20000]`.
 * Reports CPU µs per request (per chunk for streams) from the processes' own accounting, the ratio of medians, latency
 * at concurrency 1, and the gateway's resident memory. Linux only: it reads /proc.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { WORKLOADS, type Workload } from "./workloads.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" },
    only: { type: "string" },
    soak: { type: "string", default: "0" },
    scale: { type: "string", default: "1" },
  },
});
const rounds = Number(values.rounds);
const scale = Number(values.scale);
const chosen = WORKLOADS.filter(
  (workload) => values.only === undefined || values.only.split(",").includes(workload.key),
);

interface Target {
  readonly name: string;
  readonly url: string;
  readonly process: ChildProcess;
  readonly pid: number;
  readonly headers: Record<string, string>;
}

function start(name: string, command: string[], headers: Record<string, string> = {}): Promise<Target> {
  const child = spawn(process.execPath, command, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_ENV: "production" },
  });
  let output = "";
  return new Promise((resolve, reject) => {
    const take = (bytes: Buffer): void => {
      if (output.length < 10_000) output += bytes.toString();
      const url = /listening on (http:\/\/[^\s"]+)/.exec(output)?.[1];
      if (url !== undefined) resolve({ name, url, process: child, pid: child.pid ?? 0, headers });
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("close", () => reject(new Error(`${name} ended before it listened: ${output}`)));
  });
}

/** Nanoseconds of CPU of all threads. */
function cpu(pid: number): number {
  let total = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      total += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]);
    } catch {
      // The thread ended between the two looks.
    }
  }
  return total;
}

const rss = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

async function once(target: Target, workload: Workload): Promise<void> {
  const response = await fetch(target.url + workload.path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-workload": workload.key, ...target.headers },
    body: workload.body,
  });
  if (response.status !== 200) throw new Error(`${target.name}: ${response.status} ${await response.text()}`);
  await response.arrayBuffer();
}

async function load(target: Target, workload: Workload, count: number): Promise<void> {
  let left = count;
  await Promise.all(
    Array.from({ length: workload.concurrency }, async () => {
      while (left > 0) {
        left -= 1;
        await once(target, workload);
      }
    }),
  );
}

/** Requests before the measurement. */
const WARM_UP = { a: 20_000, b: 4000, c: 2000, d: 1500, e: 32 } as const;

const median = (list: readonly number[]): number =>
  list.toSorted((x, y) => x - y)[Math.floor(list.length / 2)] ?? Number.NaN;
const quantile = (list: readonly number[], q: number): number =>
  list.toSorted((x, y) => x - y)[Math.min(list.length - 1, Math.floor(list.length * q))] ?? Number.NaN;

const upstream = await start("upstream", ["benchmarks/proxy/upstream.ts"]);
const key = "benchmark-key-0123456789";
const targets = [
  await start("bare", ["benchmarks/proxy/bare.ts", upstream.url]),
  await start(
    "tidegate",
    ["src/cli/main.ts", "serve", "--port", "0", "--upstream", upstream.url, "--api-key", `bench=${key}`],
    { authorization: `Bearer ${key}` },
  ),
];
try {
  for (const target of targets)
    for (let tries = 0; tries < 100; tries += 1) {
      try {
        await once(target, WORKLOADS[0] as Workload);
        break;
      } catch (error) {
        if (tries === 99) throw error;
        await Bun.sleep(100);
      }
    }
  console.log(`idle RSS of the gateway: ${rss(targets[1]?.pid ?? 0).toFixed(0)} MiB`);
  for (const workload of chosen) {
    const count = Math.max(1, Math.round(workload.requests * scale));
    const samples = new Map(targets.map((target) => [target.name, [] as number[]]));
    const latency = new Map(targets.map((target) => [target.name, [] as number[]]));
    // Both are compiled to their final form before anything is measured; the figures are of a gateway at work.
    for (const target of targets) await load(target, workload, WARM_UP[workload.key]);
    for (let round = 0; round < rounds; round += 1) {
      for (const target of round % 2 === 0 ? targets : targets.toReversed()) {
        const before = cpu(target.pid);
        await load(target, workload, count);
        samples.get(target.name)?.push((cpu(target.pid) - before) / 1000 / count / workload.unitsPerRequest);
        if (workload.key !== "e")
          for (let i = 0; i < 40; i += 1) {
            const begin = performance.now();
            await once(target, workload);
            latency.get(target.name)?.push(performance.now() - begin);
          }
      }
    }
    const [bare, ours] = targets.map((target) => median(samples.get(target.name) ?? []));
    const ratio = (ours ?? Number.NaN) / (bare ?? Number.NaN);
    const [bareTimes, ourTimes] = targets.map((target) => latency.get(target.name) ?? []);
    const added = (q: number): string =>
      ((quantile(ourTimes ?? [], q) - quantile(bareTimes ?? [], q)) * 1000).toFixed(0);
    console.log(
      `${workload.key}  ${workload.name.padEnd(32)} bare ${bare?.toFixed(1).padStart(7)} µs  tidegate ${ours?.toFixed(1).padStart(7)} µs per ${workload.unit}  ratio ${ratio.toFixed(2)} (budget ${workload.budget})${workload.key === "e" ? "" : `  added p50 ${added(0.5)} µs, p99 ${added(0.99)} µs`}`,
    );
  }
  const soak = Number(values.soak);
  if (soak > 0) {
    const gateway = targets[1] as Target;
    const small = WORKLOADS[0] as Workload;
    for (let part = 0; part <= 4; part += 1) {
      if (part > 0) await load(gateway, small, soak / 4);
      console.log(`RSS after ${(soak / 4) * part} more requests: ${rss(gateway.pid).toFixed(0)} MiB`);
    }
  }
} finally {
  for (const target of [...targets, upstream]) target.process.kill();
}
