/**
 * A weight sync by streamed upload under running streams, `wait` mode, one embedded replica:
 * `bun benchmarks/sync/upload.ts --model DIR [--rounds 3] [--streams 8] [--tokens 32] [--flag …]`.
 *
 * Each round: a plain copy of the file (read, written, flushed), a model load (`tidegate serve`, start to ready), a sync
 * into an idle replica, a sync under streams; the model's own weights and changed ones take turns. Prints medians and
 * their ratios. Not timed but asserted (exit 1): every stream is stamped with one version, from its head to its end, and
 * its text is the greedy answer of that very version alone; no request fails. BF16 in one file only.
 */
import { mkdirSync, mkdtempSync, openAsBlob, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cpuSeconds, type Gateway, median, startGateway } from "../engine/processes.ts";
import { writeChangedWeights } from "./changed-weights.ts";
import { ask, type Finished, runStreams } from "./streams.ts";
import { copyFlushed, followSync } from "./timing.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    rounds: { type: "string", default: "3" },
    streams: { type: "string", default: "8" },
    tokens: { type: "string", default: "32" },
    flag: { type: "string", multiple: true, default: [] },
  },
});
if (values.model === undefined) throw new Error("--model DIR is missing: a directory with model.safetensors in BF16");
const { model } = values;
const [rounds, streams, tokens] = [Number(values.rounds), Number(values.streams), Number(values.tokens)];
const PROMPTS = [
  "The capital of France is",
  "Once upon a time there was a",
  "The three primary colours are",
  "Water boils at a temperature of",
  "In the beginning of the war,",
  "A short list of fruits: apples,",
  "The largest planet of the solar system",
  "To bake bread you need",
  "My favourite season is",
  "The quick brown fox",
];

interface Timed {
  /** Seconds: the whole sync; of it until 202 (received and checked); gate closed; of it without waiting for streams. */
  readonly total: number;
  readonly receive: number;
  readonly closed: number;
  readonly pause: number;
  /** CPU seconds of gateway and worker. */
  readonly gateway: number;
  readonly worker: number;
}

const work = mkdtempSync(join(tmpdir(), "tidegate-bench-upload-"));
const files = [join(model, "model.safetensors"), join(work, "changed.safetensors")] as const;
const flags = ["--model", model, "--spool-dir", join(work, "spool"), "--max-model-len", "1024", "--device", "cpu"];
flags.push("--max-concurrency", String(Math.max(8, streams)), ...values.flag);
/** Which file's weights a version has. */
const versions = new Map<string, number>([["0", 0]]);
const answers = new Map<string, string>();

async function upload(gateway: Gateway, file: 0 | 1): Promise<Timed> {
  const [gatewayBefore, workerBefore] = [cpuSeconds(gateway.pid), cpuSeconds(gateway.worker)];
  // A blob over a file: its bytes are read as they are sent, and its length is known.
  const body = await openAsBlob(files[file]);
  const start = performance.now();
  const answer = await fetch(`${gateway.url}/api/weight-syncs?mode=wait`, {
    method: "POST",
    headers: { "content-type": "application/octet-stream" },
    body: body.stream(),
    duplex: "half",
  } as RequestInit);
  if (answer.status !== 202) throw new Error(`${answer.status} ${await answer.text()}`);
  const { id, version } = (await answer.json()) as { id: string; version: number };
  const received = performance.now();
  versions.set(String(version), file);
  const seen = await followSync(gateway.url, id);
  const end = seen.get("done") ?? Number.NaN;
  const switching = seen.get("switch") ?? end;
  return {
    total: (end - start) / 1000,
    receive: (received - start) / 1000,
    closed: (end - (seen.get("drain") ?? switching)) / 1000,
    pause: (end - switching) / 1000,
    gateway: cpuSeconds(gateway.pid) - gatewayBefore,
    worker: cpuSeconds(gateway.worker) - workerBefore,
  };
}

/** The longest time without a chunk of any stream between two moments. */
function longestGap(chunks: readonly number[], from: number, to: number): number {
  let [last, longest] = [from, 0];
  for (const at of chunks) {
    if (at < from || at > to) continue;
    longest = Math.max(longest, at - last);
    last = at;
  }
  return longest / 1000;
}

async function load(): Promise<number> {
  const start = performance.now();
  const gateway = await startGateway(flags);
  const seconds = (performance.now() - start) / 1000;
  await gateway.stop();
  return seconds;
}

/** What is wrong with an answer; null = it is one version's. */
function judge({ prompt, text, first, last }: Finished): string | null {
  if (first !== last) return `versions ${first} to ${last}`;
  const file = versions.get(first);
  const whole = answers.get(`${file} ${prompt}`);
  if (whole === undefined) return `version ${first} is unknown`;
  return text !== "" && whole.startsWith(text)
    ? null
    : `version ${first} said ${JSON.stringify(text)}, alone ${JSON.stringify(whole)}`;
}

const note = (text: string): void => void process.stderr.write(`${text}\n`);
const measured = {
  copy: [] as number[],
  load: [] as number[],
  idle: [] as Timed[],
  streams: [] as Timed[],
  silence: [] as number[],
  usual: [] as number[],
};
const finished: Finished[] = [];
mkdirSync(join(work, "spool"));
try {
  writeChangedWeights(files[0], files[1], 7);
  const gateway = await startGateway(flags);
  try {
    for (let round = -1; round < rounds; round += 1) {
      note(`round ${round + 1}/${rounds}`);
      const copied = await copyFlushed(files[1], join(work, "copy"));
      const loaded = await load();
      const idle = await upload(gateway, 1);
      if (round < 0) for (const prompt of PROMPTS) answers.set(`1 ${prompt}`, await ask(gateway.url, prompt, tokens));
      const running = runStreams(gateway.url, PROMPTS, streams, tokens);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const before = performance.now();
      const under = await upload(gateway, 0);
      const after = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 1500));
      await running.stop();
      if (round < 0) for (const prompt of PROMPTS) answers.set(`0 ${prompt}`, await ask(gateway.url, prompt, tokens));
      finished.push(...running.finished);
      if (round < 0) continue;
      measured.copy.push(copied);
      measured.load.push(loaded);
      measured.idle.push(idle);
      measured.streams.push(under);
      measured.silence.push(longestGap(running.chunks, before, after + 1500));
      measured.usual.push(longestGap(running.chunks, before - 1000, before));
    }
  } finally {
    await gateway.stop();
  }
  const [copy, loading] = [median(measured.copy), median(measured.load)];
  const show = (seconds: number): string =>
    `${seconds.toFixed(3)} s, ${(seconds / copy).toFixed(2)} × copy, ${(seconds / loading).toFixed(2)} × load`;
  console.log(`${statSync(files[0]).size} bytes, ${rounds} rounds, ${streams} streams of ${tokens} tokens; medians`);
  console.log(`plain copy, flushed: ${copy.toFixed(3)} s; model load, start to ready: ${loading.toFixed(3)} s`);
  for (const kind of ["idle", "streams"] as const) {
    const of = (field: keyof Timed): number => median(measured[kind].map((timed) => timed[field]));
    console.log(`sync, ${kind === "idle" ? "no streams" : "under streams"}:`);
    console.log(`  whole: ${show(of("total"))}; of it received and checked after ${of("receive").toFixed(3)} s`);
    console.log(`  gate closed: ${show(of("closed"))}; of it the switch itself: ${show(of("pause"))}`);
    console.log(`  CPU: gateway ${of("gateway").toFixed(2)} s, worker ${of("worker").toFixed(2)} s`);
  }
  console.log(
    `longest time without a token of any stream: ${show(median(measured.silence))}; before the sync ${median(measured.usual).toFixed(3)} s`,
  );
  const differ = PROMPTS.filter((prompt) => answers.get(`0 ${prompt}`) !== answers.get(`1 ${prompt}`)).length;
  const wrong = finished.flatMap((answer) => judge(answer) ?? []);
  const seen = new Set(finished.map(({ first }) => first)).size;
  console.log(
    `${finished.length} streams over ${seen} versions, ${wrong.length} wrong; answers of the versions differ for ${differ} of ${PROMPTS.length} prompts`,
  );
  for (const text of wrong.slice(0, 10)) console.log(text);
  if (wrong.length > 0 || differ < PROMPTS.length / 2 || seen < rounds) process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}
