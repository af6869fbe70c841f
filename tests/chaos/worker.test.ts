/** Real worker processes over the shipped model: what they answer, and what becomes of them when something is killed. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { loadPlatform } from "../../src/cli/runtime.ts";
import type { GenerateEvent, GenerateRequest } from "../../src/contract/generation.ts";
import type { WeightDigest, WeightVersion } from "../../src/contract/ids.ts";
import { createEmbeddedEngine } from "../../src/engine/embedded/embedded.ts";
import type { CurrentWeights, Engine, EngineNotice, WeightSet } from "../../src/engine/engine.ts";
import { GatewayError } from "../../src/errors.ts";
import { createLogger } from "../../src/observe/log.ts";
import { encodeFrame } from "../../src/worker/frame.ts";
import { checkOrder, collect, engineCases, request, soon, textOf } from "../unit/cases/engine.ts";

const ports = (await loadPlatform()).createPorts();
const { files } = ports;
assert.ok(files !== undefined);
const model = (name: string): string => fileURLToPath(new URL(`../../models/tide-nano/${name}`, import.meta.url));
const MAIN = new URL("../../src/worker/main.ts", import.meta.url);
const version = (value: number): WeightVersion => value as WeightVersion;
const log = createLogger({ format: "text", level: "error", clock: ports.clock, writeLine: () => {} });

function createEngine(weights: () => CurrentWeights): Engine {
  return createEmbeddedEngine(
    {
      kind: "embedded",
      model: model("base"),
      servedModelName: "tide-nano",
      maxConcurrency: 4,
      maxModelLen: undefined,
      device: "auto",
    },
    { ports, log, currentWeights: weights },
  );
}

const OWN: CurrentWeights = { version: version(0), digest: null, sets: [] };

const chat = (question: string, sampling: GenerateRequest["sampling"] = {}): GenerateRequest => ({
  requestId: "chat",
  prompts: [
    {
      kind: "chat",
      messages: [{ role: "user", content: question }],
      tools: null,
      addGenerationPrompt: true,
      continueFinalMessage: false,
      templateKwargs: {},
      addSpecialTokens: false,
    },
  ],
  sampling: { temperature: 0, maxTokens: 60, ...sampling },
  echo: false,
});

const generate = (engine: Engine, sent: GenerateRequest, signal = soon()): AsyncIterable<GenerateEvent> => {
  assert.ok(engine.generate !== undefined);
  return engine.generate(sent, { signal });
};

const QUESTIONS = ["What is 17 + 25?", "What is 42 - 17?", "What is 8 + 90?", "What is 66 - 38?", "What is 5 + 7?"];
const answers = async (engine: Engine): Promise<string[]> => {
  const all = await Promise.all(QUESTIONS.map((question) => collect(generate(engine, chat(question)))));
  for (const events of all) checkOrder(events);
  return all.map((events) => textOf(events));
};

const until = async (what: string, condition: () => boolean): Promise<void> => {
  for (let turn = 0; turn < 1000; turn += 1) {
    if (condition()) return;
    await new Promise((resolve) => void setTimeout(resolve, 20));
  }
  throw new Error(`did not happen: ${what}`);
};

engineCases("embedded, a worker process", async () => ({ engine: createEngine(() => OWN) }));

describe("weights of a running worker", () => {
  let engine: Engine;
  let trained: WeightSet;
  const target = () => {
    assert.ok(engine.weights !== undefined);
    return engine.weights;
  };
  before(async () => {
    engine = createEngine(() => OWN);
    await engine.start({ signal: soon() });
    const { weightFiles } = await openCheckpoint(files, model("trained"));
    trained = { files: weightFiles, digest: "" as WeightDigest, partial: false };
  });
  after(() => engine.stop({ signal: soon() }));

  test("stage changes nothing, commit changes the answers, and back again gives the first ones", async () => {
    const base = await answers(engine);
    const first = await engine.start({ signal: soon() });
    const digest = await target().stage("a", trained, { signal: soon(), onProgress: () => {} });
    assert.notEqual(digest, first.weightDigest);
    assert.deepEqual(await answers(engine), base);
    await target().commit("a", version(1), "wait", { signal: soon() });
    const after = await answers(engine);
    assert.notDeepEqual(after, base);
    const info = await engine.start({ signal: soon() });
    assert.equal(info.weightVersion, 1);
    assert.equal(info.weightDigest, digest);
    const back = { ...trained, files: (await openCheckpoint(files, model("base"))).weightFiles };
    assert.equal(await target().stage("b", back, { signal: soon(), onProgress: () => {} }), first.weightDigest);
    await target().commit("b", version(2), "wait", { signal: soon() });
    assert.deepEqual(await answers(engine), base);
  });
  test("a running stream goes on across a kept switch, stamped with both versions", async () => {
    await target().stage("c", trained, { signal: soon(), onProgress: () => {} });
    const events: GenerateEvent[] = [];
    let commit: Promise<void> | undefined;
    for await (const event of generate(engine, chat("What is 17 + 25?", { maxTokens: 300, ignoreEos: true }))) {
      events.push(event);
      if (event.type === "delta") commit ??= target().commit("c", version(3), "keep", { signal: soon() });
    }
    await commit;
    checkOrder(events);
    assert.deepEqual(events.at(-1), { type: "end", firstVersion: 2, lastVersion: 3 });
    const ids = events.flatMap((event) => (event.type === "delta" ? [...event.tokenIds] : []));
    assert.equal(ids.length, 300);
  });
  test("a file that is no checkpoint is refused, and the old weights serve on", async () => {
    const before = await answers(engine);
    const bad = { ...trained, files: [files.resolve(model("base"), "tokenizer.json")] };
    await assert.rejects(target().stage("d", bad, { signal: soon(), onProgress: () => {} }), (error: unknown) => {
      assert.ok(error instanceof GatewayError, String(error));
      assert.equal(error.status, 400);
      return true;
    });
    assert.deepEqual(await answers(engine), before);
  });
});

describe("kill -9 of a worker under load", () => {
  test("ends its streams with an error, and it comes back with the current weights", async () => {
    const { weightFiles } = await openCheckpoint(files, model("trained"));
    let weights = OWN;
    const engine = createEngine(() => weights);
    const notices: EngineNotice[] = [];
    engine.subscribe((notice) => void notices.push(notice));
    const info = await engine.start({ signal: soon() });
    const set: WeightSet = { files: weightFiles, digest: "" as WeightDigest, partial: false };
    assert.ok(engine.weights !== undefined);
    const digest = await engine.weights.stage("a", set, { signal: soon(), onProgress: () => {} });
    assert.ok(digest !== null);
    await engine.weights.commit("a", version(1), "wait", { signal: soon() });
    weights = { version: version(1), digest, sets: [{ ...set, digest }] };
    const before = await answers(engine);

    let begun = 0;
    const load = Array.from({ length: 4 }, async () => {
      for await (const event of generate(engine, request({ maxTokens: 900, ignoreEos: true }))) {
        if (event.type === "start") begun += 1;
      }
    });
    const ends = Promise.allSettled(load);
    await until("all run", () => begun === 4);
    process.kill(Number(info.details.pid), "SIGKILL");
    for (const end of await ends) {
      assert.equal(end.status, "rejected");
      assert.ok(end.reason instanceof GatewayError && end.reason.code === "replica_failed", String(end.reason));
      assert.match(end.reason.message, /SIGKILL/);
    }
    await until("up again", () => notices.at(-1)?.type === "up");
    assert.deepEqual(
      notices.map(({ type }) => type),
      ["down", "up"],
    );
    const up = notices[1];
    assert.ok(up?.type === "up");
    assert.equal(up.info.weightVersion, 1);
    assert.equal(up.info.weightDigest, digest);
    assert.notEqual(up.info.details.pid, info.details.pid);
    assert.deepEqual(await answers(engine), before);
    await engine.stop({ signal: soon() });
    assert.throws(() => process.kill(Number(up.info.details.pid), 0), { code: "ESRCH" });
  });
});

describe("a worker whose parent", () => {
  const start = () => {
    assert.ok(ports.spawn !== undefined);
    return ports.spawn(MAIN, ["worker"]);
  };
  const greeting = async (child: ReturnType<typeof start>): Promise<void> => {
    for await (const chunk of child.stdout) if (chunk.byteLength > 0) return;
  };
  test("sends what is no frame ends with its own exit code", async () => {
    const child = start();
    await child.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
    assert.deepEqual(await child.exited, { code: 76, signal: null });
  });
  test("asks it to stop ends with 0", async () => {
    const child = start();
    await greeting(child);
    await child.write(encodeFrame({ type: "stop" }));
    assert.deepEqual(await child.exited, { code: 0, signal: null });
  });
  test("is killed ends by itself", async () => {
    const args = "Deno" in globalThis ? ["run", "-A"] : "Bun" in globalThis ? ["run"] : [];
    const file = fileURLToPath(new URL("../support/worker-parent.ts", import.meta.url));
    const parent = spawn(process.execPath, [...args, file], { stdio: ["ignore", "pipe", "inherit"] });
    const pid = await new Promise<number>((resolve) => {
      parent.stdout.once("data", (line: Uint8Array) => resolve(Number(new TextDecoder().decode(line))));
    });
    process.kill(pid, 0);
    parent.kill("SIGKILL");
    await until("the worker is gone", () => {
      try {
        process.kill(pid, 0);
        return false;
      } catch {
        return true;
      }
    });
  });
});
