/**
 * Our whole engine (gateway, worker, HTTP) and what people would run instead, on the same weights, in one interleaved run.
 *
 *   bun benchmarks/engine/run.ts [--model DIR] [--gguf FILE]… [--rounds 3] [--only decode,prefill,arrivals,buffer]
 *     [--batches 1,8,32,64] [--steps 16] [--context 128] [--threads 1] [--python PYTHON]… [--modules DIR] [--node NODE]
 *     [--skip ANCHOR]… [--files DIR]
 *
 * A model directory is run in float32, a GGUF file with its own blocks (`--quantize keep`); without either, the shipped
 * model. Anchors that are not installed are left out, visibly. CPU time is user and system of all processes and threads.
 * Every operation goes round all engines before the next; the figures are medians of the rounds, after one that warms up.
 */
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Skipped, startAnchor } from "./anchor.ts";
import { toFilesName, writeGraphFiles } from "./graph-files.ts";
import { type Engine, type Measured, type Operation, toKey } from "./operations.ts";
import { startOurs } from "./ours.ts";
import { showMachine, showTable } from "./report.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    gguf: { type: "string", multiple: true, default: [] },
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: "decode,prefill,arrivals" },
    batches: { type: "string", default: "1,8,32,64" },
    steps: { type: "string" },
    context: { type: "string", default: "128" },
    prefill: { type: "string", default: "128,512" },
    threads: { type: "string", default: "1" },
    gap: { type: "string", default: "250" },
    python: { type: "string", multiple: true, default: ["python3"] },
    modules: { type: "string" },
    node: { type: "string", default: "node" },
    skip: { type: "string", multiple: true, default: [] },
    files: { type: "string", default: join(tmpdir(), "tidegate-benchmark") },
  },
});
const [rounds, context] = [Number(values.rounds), Number(values.context)];
/** The shipped model is so small that few steps are below what can be measured. */
const steps = Number(values.steps ?? (values.model === undefined && values.gguf.length === 0 ? "200" : "16"));
const numbers = (list: string): number[] => list.split(",").filter(Boolean).map(Number);
const wanted = new Set(values.only.split(","));

const operations: readonly Operation[] = [
  ...(wanted.has("decode")
    ? numbers(values.batches).map((batch) => ({ op: "decode", batch, context, steps }) as const)
    : []),
  ...(wanted.has("prefill") ? numbers(values.prefill).map((tokens) => ({ op: "prefill", tokens }) as const) : []),
  ...(wanted.has("arrivals")
    ? [{ op: "arrivals", requests: 8, gap: Number(values.gap), context, tokens: 32 } as const]
    : []),
];

const programs = new URL("./anchors/", import.meta.url).pathname;
const modules = values.modules === undefined ? [] : ["--modules", values.modules];

/** The engines of a model, ours first; each starts when it is called. */
async function toStarters(model: string | undefined, keep: boolean): Promise<[string, () => Promise<Engine>][]> {
  const threads = ["--threads", values.threads];
  const python = (name: string, program: string, args: string[]) =>
    [name, () => startPython(name, [join(programs, program), ...args, ...threads])] as [string, () => Promise<Engine>];
  const node = (name: string, program: string, args: string[]) =>
    [name, () => startAnchor(name, [values.node, join(programs, program), ...args, ...threads])] as [
      string,
      () => Promise<Engine>,
    ];
  const flags = ["--max-concurrency", "64", "--max-model-len", "1024", "--device", "cpu"];
  if (model !== undefined) flags.push("--model", model);
  if (keep) flags.push("--quantize", "keep");
  const starters: [string, () => Promise<Engine>][] = [["ours", () => startOurs(flags)]];
  if (model === undefined) return starters;
  const directory = join(values.files, toFilesName(model, keep));
  mkdirSync(directory, { recursive: true });
  const { bare, transformersJs } = await writeGraphFiles(model, keep, directory);
  starters.push(node("bare loop", "bare.mjs", ["--graph", bare]));
  if (keep) {
    starters.push(python("llama.cpp", "llama_cpp_python.py", ["--gguf", model]));
    starters.push(node("node-llama-cpp", "node-llama-cpp.mjs", ["--gguf", model, ...modules]));
  } else {
    starters.push(python("torch", "torch_cpu.py", ["--model", model, "--dtype", "float32"]));
    starters.push(node("transformers.js", "transformersjs.mjs", ["--model", transformersJs, ...modules]));
    starters.push(python("vLLM", "vllm_cpu.py", ["--model", model, "--dtype", "float32"]));
  }
  return starters;
}

/** The first of the Pythons that has what the program needs. */
async function startPython(name: string, args: readonly string[]): Promise<Engine> {
  let reason: unknown = new Skipped("no Python");
  for (const python of values.python) {
    try {
      return await startAnchor(name, [python, ...args]);
    } catch (error) {
      if (!(error instanceof Skipped)) throw error;
      reason = error;
    }
  }
  throw reason;
}

async function start(model: string | undefined, keep: boolean): Promise<Engine[]> {
  const engines: Engine[] = [];
  for (const [name, starter] of await toStarters(model, keep)) {
    if (values.skip.includes(name)) continue;
    try {
      process.stderr.write(`starting ${name} … `);
      engines.push(await starter());
      process.stderr.write("ready\n");
    } catch (error) {
      process.stderr.write("\n");
      if (!(error instanceof Skipped)) throw error;
      console.log(`SKIPPED ${name}: ${error.message}`);
    }
  }
  return engines;
}

const showGateway = ({ gateway, tokens }: Measured): string =>
  gateway === undefined ? "" : `, of it the gateway ${((gateway / tokens) * 1000).toFixed(3)}`;

/** Rounds that only warm up. */
const WARM_UPS = 1;

async function measure(engines: readonly Engine[], samples: Map<string, Measured[]>): Promise<void> {
  for (let round = -WARM_UPS; round < rounds; round++) {
    for (const operation of operations) {
      // Large batches are long enough by themselves: warming them up would double the run.
      if (round < 0 && operation.op === "decode" && operation.batch > 8) continue;
      // Another goes first each time, so that drift hits all alike.
      const turn = Math.max(0, round) % engines.length;
      for (const engine of [...engines.slice(turn), ...engines.slice(0, turn)]) {
        process.stderr.write(`round ${round + 1}/${rounds} ${toKey(operation)} ${engine.name} … `);
        const measured = await engine.run(operation);
        const shown =
          measured === undefined
            ? "–"
            : `${((measured.cpu / measured.tokens) * 1000).toFixed(2)} ms${showGateway(measured)}`;
        process.stderr.write(`${shown}\n`);
        if (measured === undefined || round < 0) continue;
        const key = `${engine.name}/${toKey(operation)}`;
        samples.set(key, [...(samples.get(key) ?? []), measured]);
      }
    }
  }
}

async function runModel(model: string | undefined, keep: boolean): Promise<void> {
  const engines = await start(model, keep);
  const samples = new Map<string, Measured[]>();
  try {
    await measure(engines, samples);
  } finally {
    for (const engine of engines) await engine.stop();
  }
  console.log(showTable(model ?? "the shipped model", engines, operations, samples));
}

console.log(await showMachine(values.threads));
if (values.model !== undefined || values.gguf.length === 0) await runModel(values.model, false);
for (const file of values.gguf) await runModel(file, true);
