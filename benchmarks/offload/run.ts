/**
 * A model in tiers against the same model in memory: time and CPU per token, memory, and whether the text is the same.
 * `bun benchmarks/offload/run.ts [--model DIR] [--share 4] [--tokens 32] [--rounds 5]`. Without a model it writes one of
 * random weights (258 M parameters, bf16) into a temporary directory. Two gateways, one with all weights in memory
 * and one with `--max-in-cpu` of a share of them, take turns; the figures are medians of the rounds. Fails when the texts
 * differ, or when the worker in tiers takes more than its budget and a fifth, from its start to the end. Linux only.
 */
import { spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { writeRandomLlama } from "./random-llama.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    share: { type: "string", default: "4" },
    tokens: { type: "string", default: "32" },
    rounds: { type: "string", default: "5" },
    batch: { type: "string", default: "1,8" },
  },
});
const tokens = Number(values.tokens);
const batches = values.batch.split(",").map(Number);
/** How often memory is looked at. */
const SAMPLE_MILLISECONDS = 10;

interface Residency {
  readonly bytes: { readonly cpu: number; readonly disk: number };
  readonly page_ins: number;
  readonly tokens: number;
}
interface Gateway {
  readonly name: string;
  readonly url: string;
  readonly worker: number;
  readonly residency: () => Promise<Residency>;
  readonly stop: () => Promise<void>;
}

async function start(name: string, args: readonly string[]): Promise<Gateway> {
  const command = [
    "src/cli/main.ts",
    "serve",
    "--port",
    "0",
    "--max-model-len",
    "512",
    "--max-concurrency",
    "8",
    ...args,
  ];
  const child = spawn(process.execPath, command, { stdio: ["ignore", "pipe", "pipe"] });
  const closed = new Promise<void>((resolve) => child.on("close", () => resolve()));
  let output = "";
  const url = await new Promise<string>((resolve, reject) => {
    const take = (bytes: Buffer): void => {
      if (output.length < 100_000) output += bytes.toString();
      const found = /listening on (http:\/\/[^\s"]+)/.exec(output)?.[1];
      if (found !== undefined && /\bready\b.*replicas=/.test(output)) resolve(found);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    void closed.then(() => reject(new Error(`the gateway ended:\n${output}`)));
  });
  const server = async () => {
    const fleet = (await (await fetch(`${url}/api/fleet`)).json()) as {
      servers: { details: { pid: number }; residency: Residency }[];
    };
    return fleet.servers[0]!;
  };
  return {
    name,
    url,
    worker: (await server()).details.pid,
    async residency() {
      // A heartbeat tells it, once a second.
      await sleep(1500);
      return (await server()).residency;
    },
    async stop() {
      child.kill("SIGTERM");
      await closed;
    },
  };
}

const cpu = (pid: number): number =>
  readdirSync(`/proc/${pid}/task`).reduce((sum, task) => {
    try {
      return sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]) / 1e6;
    } catch {
      return sum;
    }
  }, 0);
const rss = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
/** Memory in which views of files without a name are: the weights, and nothing else of the worker. */
function mapped(pid: number): number {
  let sum = 0;
  let ours = false;
  for (const line of readFileSync(`/proc/${pid}/smaps`, "utf8").split("\n")) {
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) ours = line.includes("tidegate-weights-");
    else if (ours && line.startsWith("Rss:")) sum += Number(/\d+/.exec(line)?.[0]) * 1024;
  }
  return sum;
}
/** The most that a process ever took. */
const highest = (pid: number): number =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
const median = (list: readonly number[]): number =>
  list.toSorted((x, y) => x - y)[Math.floor(list.length / 2)] ?? Number.NaN;
const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);

/** Looks at memory until `work` is done; the most there was. */
async function watch<T>(pid: number, work: Promise<T>): Promise<{ value: T; rss: number; mapped: number }> {
  let running = true;
  const done = work.finally(() => {
    running = false;
  });
  let most = { rss: 0, mapped: 0 };
  while (running) {
    most = { rss: Math.max(most.rss, rss(pid)), mapped: Math.max(most.mapped, mapped(pid)) };
    await sleep(SAMPLE_MILLISECONDS);
  }
  return { value: await done, ...most };
}

async function generate(url: string, batch: number): Promise<string> {
  const body = {
    prompt: Array.from({ length: batch }, (_, row) =>
      Array.from({ length: 16 }, (_, at) => 3 + ((row * 31 + at * 7) % 400)),
    ),
    max_tokens: tokens,
    ignore_eos: true,
    temperature: 0,
    return_token_ids: true,
  };
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${url}/v1/completions`, { method: "POST", headers, body: JSON.stringify(body) });
  const answer = (await response.json()) as { choices?: { token_ids: number[] }[] };
  if (response.status !== 200) throw new Error(JSON.stringify(answer));
  return JSON.stringify(answer.choices?.map((choice) => choice.token_ids));
}

const directory = values.model ?? mkdtempSync(join(tmpdir(), "tidegate-offload-"));
if (values.model === undefined) {
  await writeRandomLlama(directory, {
    hidden: 1024,
    inner: 2816,
    layers: 20,
    heads: 16,
    kvHeads: 4,
    vocabulary: 32_000,
  });
  const words = new URL("../../models/tide-nano/base/", import.meta.url);
  for (const name of ["tokenizer.json", "tokenizer_config.json"])
    copyFileSync(new URL(name, words), join(directory, name));
  writeFileSync(join(directory, "generation_config.json"), "{}");
}
const gateways: Gateway[] = [];
try {
  const plain = await start("memory", ["--model", directory]);
  gateways.push(plain);
  const { cpu: weights } = (await plain.residency()).bytes;
  const budget = Math.floor(weights / Number(values.share));
  const tiers = await start("tiers", ["--model", directory, "--max-in-cpu", String(budget)]);
  gateways.push(tiers);
  console.log(
    `weights ${mebibytes(weights)} MiB as fp32, budget ${mebibytes(budget)} MiB; ${JSON.stringify(await tiers.residency())}`,
  );

  const samples = new Map<string, { wall: number[]; cpu: number[] }>();
  const most = new Map<string, { rss: number; mapped: number }>();
  let same = true;
  for (let round = -1; round < Number(values.rounds); round++) {
    for (const batch of batches) {
      const texts: string[] = [];
      for (const gateway of round % 2 === 0 ? gateways : gateways.toReversed()) {
        const before = { cpu: cpu(gateway.worker), wall: performance.now() };
        const { value, ...memory } = await watch(gateway.worker, generate(gateway.url, batch));
        const spent = { cpu: cpu(gateway.worker) - before.cpu, wall: performance.now() - before.wall };
        texts.push(value);
        const peak = most.get(gateway.name) ?? { rss: 0, mapped: 0 };
        most.set(gateway.name, { rss: Math.max(peak.rss, memory.rss), mapped: Math.max(peak.mapped, memory.mapped) });
        // The first round warms up.
        if (round < 0) continue;
        const key = `${gateway.name} ${batch}`;
        const list = samples.get(key) ?? { wall: [], cpu: [] };
        list.wall.push(spent.wall / (tokens * batch));
        list.cpu.push(spent.cpu / (tokens * batch));
        samples.set(key, list);
      }
      same &&= texts[0] === texts[1];
    }
  }
  for (const batch of batches) {
    const of = (name: string) => samples.get(`${name} ${batch}`)!;
    const line = (kind: "wall" | "cpu") => {
      const [memory, disk] = [median(of("memory")[kind]), median(of("tiers")[kind])];
      return `${kind} per token ${memory.toFixed(2)} ms in memory, ${disk.toFixed(2)} ms in tiers, ratio ${(disk / memory).toFixed(2)}`;
    };
    console.log(`batch ${batch}: ${line("wall")}; ${line("cpu")}`);
  }
  const report = await tiers.residency();
  console.log(`same token ids: ${same}; page-ins per token ${(report.page_ins / report.tokens).toFixed(2)}`);
  const share = highest(tiers.worker) / budget;
  console.log(
    `whole worker in tiers, from its start on: at most ${mebibytes(highest(tiers.worker))} MiB, ${(100 * share).toFixed(0)} % of the budget`,
  );
  if (!same || share > 1.2) process.exitCode = 1;
  for (const gateway of gateways) {
    const peak = most.get(gateway.name)!;
    await fetch(`${gateway.url}/sleep?level=1`, { method: "POST" });
    const asleep = rss(gateway.worker);
    await fetch(`${gateway.url}/wake_up`, { method: "POST" });
    console.log(
      `${gateway.name}: RSS at most ${mebibytes(peak.rss)} MiB while generating, ${mebibytes(asleep)} MiB asleep` +
        ` (${mebibytes(peak.rss - asleep)} MiB of weights, cache and results); mapped weights at most ${mebibytes(peak.mapped)} MiB`,
    );
  }
} finally {
  await Promise.all(gateways.map((gateway) => gateway.stop()));
  if (values.model === undefined) rmSync(directory, { recursive: true, force: true });
}
