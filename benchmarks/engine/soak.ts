/**
 * A soak of the embedded engine: a full batch with random cancellation for half an hour, and what the memory of gateway
 * and worker does meanwhile. `bun benchmarks/engine/soak.ts [--minutes 30] [--warm-up 5] [--model DIR] [--slots 32] [--seed 1]`.
 * Passes (exit 0) when, after the warm-up (so many minutes and 20,000 requests, at most half of the time), the RSS of each
 * process stays within ±5 % (medians of a minute against that of all of them, and the last third of the time against the
 * first), no request failed, and nothing is left at the end. One line of progress a minute, the curve at the end. Linux only.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { createDraw, type Plan, planLoad, send, whatIsLeft } from "../../tests/support/mixed-load.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "30" },
    "warm-up": { type: "string" },
    model: { type: "string" },
    slots: { type: "string", default: "32" },
    seed: { type: "string", default: "1" },
  },
});
const minutes = Number(values.minutes);
const warmUp = Number(values["warm-up"] ?? Math.min(5, minutes / 4));
const slots = Number(values.slots);
const seed = Number(values.seed);
/** Allowed on either side of the level after the warm-up. */
const TOLERANCE = 0.05;
const SAMPLE_SECONDS = 5;
/** While the first ones run, code is being compiled (docs/performance.md): on a busy machine that takes longer. */
const WARM_REQUESTS = 20_000;

interface Gateway {
  readonly url: string;
  readonly process: ChildProcess;
  readonly log: () => string;
}

function start(): Promise<Gateway> {
  const model = values.model === undefined ? [] : ["--model", values.model];
  const args = ["src/cli/main.ts", "serve", "--port", "0", "--max-concurrency", String(slots), ...model];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  return new Promise((resolve, reject) => {
    const take = (bytes: Buffer): void => {
      output = (output + bytes.toString()).slice(-20_000);
      const url = /listening on (http:\/\/[^\s"]+)/.exec(output)?.[1];
      if (url !== undefined && /\bready\b.*replicas=/.test(output)) resolve({ url, process: child, log: () => output });
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("close", () => reject(new Error(`the gateway ended:\n${output}`)));
  });
}

/** MiB. */
const rssOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
const median = (list: readonly number[]): number =>
  list.toSorted((x, y) => x - y)[Math.floor(list.length / 2)] ?? Number.NaN;

/** Requests without end, a thousand from each seed. */
function* plans(): Generator<Plan> {
  for (let turn = 0; ; turn += 1) {
    const drawn = { seed: seed + turn, requests: 1000, meanGap: 0, maxTokens: 96, maxPrompt: 300, leaving: 0.25 };
    yield* planLoad(drawn);
  }
}

const gateway = await start();
const pids: Record<string, number> = { gateway: gateway.process.pid ?? 0 };
const fleet = (await (await fetch(`${gateway.url}/api/fleet`)).json()) as { servers: { details: { pid: number } }[] };
pids.worker = fleet.servers[0]?.details.pid ?? 0;
const began = performance.now();
const elapsed = (): number => (performance.now() - began) / 60_000;
const counts = { done: 0, left: 0, tokens: 0 };
const errors: string[] = [];
const source = plans();
const draw = createDraw(seed);

/** One client: request after request. A few more of them than slots keep the batch full. */
async function client(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, draw() * 500));
  while (elapsed() < minutes) {
    const plan = source.next().value as Plan;
    const { status, samples, error } = await send(gateway.url, plan);
    for (const { ids } of samples.values()) counts.tokens += ids.length;
    if (error !== null || (status ?? 200) !== 200) errors.push(`request ${plan.index}: ${status} ${error}`);
    else if (status === null) counts.left += 1;
    else counts.done += 1;
  }
}

const levels: Record<string, number[]> = { gateway: [], worker: [] };
/** Every fifth minute, and the last. */
const curve: string[] = [];
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    gateway.process.kill("SIGTERM");
    process.exit(1);
  });
}
const clients = Promise.all(Array.from({ length: slots + 8 }, client));
try {
  let minute: Record<string, number[]> = { gateway: [], worker: [] };
  for (let next = 1; elapsed() < minutes; ) {
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_SECONDS * 1000));
    for (const name of Object.keys(minute)) minute[name]?.push(rssOf(pids[name] ?? 0));
    if (elapsed() < next) continue;
    const shown = Object.entries(minute).map(([name, list]) => `${name} ${median(list).toFixed(1)} MiB`);
    const warm = next > warmUp && (counts.done + counts.left >= WARM_REQUESTS || next > minutes / 2);
    if (warm) for (const [name, list] of Object.entries(minute)) levels[name]?.push(median(list));
    console.log(
      `minute ${next}${warm ? "" : " (warm-up)"}: ${shown.join(", ")}; ${counts.done} answered, ${counts.left} left early, ` +
        `${counts.tokens} tokens, ${errors.length} errors`,
    );
    if (next % 5 === 0) curve.push(`minute ${next}: ${shown.join(", ")}`);
    minute = { gateway: [], worker: [] };
    next += 1;
  }
  await clients;
  const left = await whatIsLeft(gateway.url);
  let passed = errors.length === 0 && Object.values(left).every((count) => count === 0);
  for (const [name, list] of Object.entries(levels)) {
    const level = median(list);
    const third = Math.max(1, Math.floor(list.length / 3));
    const [first, last] = [median(list.slice(0, third)), median(list.slice(-third))];
    const [least, most] = [Math.min(...list), Math.max(...list)];
    // A slow leak stays within the band for long, but not the drift from the first third to the last.
    const within = [least / level, most / level, last / first].every((ratio) => Math.abs(ratio - 1) <= TOLERANCE);
    passed &&= within;
    const percent = (value: number, of: number): string =>
      `${value.toFixed(1)} (${(100 * (value / of - 1)).toFixed(1)} %)`;
    console.log(
      `${name}: ${level.toFixed(1)} MiB after the warm-up, from ${percent(least, level)} to ${percent(most, level)}; ` +
        `first third ${first.toFixed(1)}, last ${percent(last, first)}${within ? "" : "  OUTSIDE ±5 %"}`,
    );
  }
  for (const line of curve) console.log(line);
  console.log(`left at the end: ${JSON.stringify(left)}`);
  for (const error of errors.slice(0, 10)) console.log(error);
  console.log(
    `${counts.done} answered, ${counts.left} left early, ${counts.tokens} tokens, ${errors.length} errors: ${passed ? "passed" : "FAILED"}`,
  );
  process.exitCode = passed ? 0 : 1;
} finally {
  gateway.process.kill("SIGTERM");
}
