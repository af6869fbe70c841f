/**
 * The embedded engine through the whole gateway: tokens per second and CPU time per token at batch 1, 8 and 32.
 * `bun benchmarks/engine/run.ts [--model DIR] [--tokens 200] [--rounds 5]`. Rounds of all batch sizes are interleaved;
 * the figures are medians. CPU time is that of the worker process, and of the gateway process beside it. Linux only.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    tokens: { type: "string", default: "200" },
    rounds: { type: "string", default: "5" },
  },
});
const tokens = Number(values.tokens);
const BATCHES = [1, 8, 32] as const;

interface Gateway {
  readonly url: string;
  readonly pid: number;
  readonly process: ChildProcess;
}

function start(): Promise<Gateway> {
  const args = [
    "src/cli/main.ts",
    "serve",
    "--port",
    "0",
    ...(values.model === undefined ? [] : ["--model", values.model]),
  ];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  return new Promise((resolve, reject) => {
    const take = (bytes: Buffer): void => {
      if (output.length < 100_000) output += bytes.toString();
      const url = /listening on (http:\/\/[^\s"]+)/.exec(output)?.[1];
      if (url !== undefined && /\bready\b.*replicas=/.test(output))
        resolve({ url, pid: child.pid ?? 0, process: child });
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("close", () => reject(new Error(`the gateway ended:\n${output}`)));
  });
}

/** CPU seconds of all threads. */
const cpu = (pid: number): number =>
  readdirSync(`/proc/${pid}/task`).reduce((sum, task) => {
    try {
      return sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]) / 1e9;
    } catch {
      return sum;
    }
  }, 0);

const rss = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
const median = (list: readonly number[]): number =>
  list.toSorted((x, y) => x - y)[Math.floor(list.length / 2)] ?? Number.NaN;

async function generate(url: string, index: number): Promise<number> {
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ prompt: `What is ${index} + 25?`, max_tokens: tokens, ignore_eos: true, temperature: 0 }),
  });
  const body = (await response.json()) as { usage?: { completion_tokens: number } };
  if (response.status !== 200 || body.usage === undefined) throw new Error(JSON.stringify(body));
  return body.usage.completion_tokens;
}

const gateway = await start();
try {
  const fleet = (await (await fetch(`${gateway.url}/api/fleet`)).json()) as {
    servers: { details: { pid: number; provider: string } }[];
  };
  const { pid: worker, provider } = fleet.servers[0]?.details ?? { pid: 0, provider: "" };
  console.log(`${provider}; ${tokens} tokens per request`);
  const samples = new Map(BATCHES.map((batch) => [batch, [] as { rate: number; worker: number; gateway: number }[]]));
  for (let round = -1; round < Number(values.rounds); round += 1) {
    for (const batch of BATCHES) {
      const before = { worker: cpu(worker), gateway: cpu(gateway.pid), time: performance.now() };
      const made = (
        await Promise.all(Array.from({ length: batch }, (_, index) => generate(gateway.url, index)))
      ).reduce((a, b) => a + b, 0);
      const seconds = (performance.now() - before.time) / 1000;
      // The first round only warms up.
      if (round < 0) continue;
      samples.get(batch)?.push({
        rate: made / seconds,
        worker: ((cpu(worker) - before.worker) / made) * 1e6,
        gateway: ((cpu(gateway.pid) - before.gateway) / made) * 1e6,
      });
    }
  }
  for (const [batch, list] of samples) {
    const of = (key: "rate" | "worker" | "gateway"): number => median(list.map((sample) => sample[key]));
    console.log(
      `batch ${String(batch).padStart(2)}  ${of("rate").toFixed(0).padStart(6)} tokens/s  CPU per token: worker ${of("worker").toFixed(0).padStart(5)} µs, gateway ${of("gateway").toFixed(1).padStart(5)} µs`,
    );
  }
  console.log(`RSS: worker ${rss(worker).toFixed(0)} MiB, gateway ${rss(gateway.pid).toFixed(0)} MiB`);
} finally {
  gateway.process.kill("SIGTERM");
}
