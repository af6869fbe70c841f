/** The parent's side of the worker: start, death, restart, heartbeat, credit, stop. The children here are fakes. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { WeightDigest, WeightVersion } from "../../src/contract/ids.ts";
import { createEmbeddedEngine } from "../../src/engine/embedded/embedded.ts";
import { RestartPolicy } from "../../src/engine/embedded/restart.ts";
import type { CurrentWeights, Engine, EngineNotice, WeightSet } from "../../src/engine/engine.ts";
import { GatewayError } from "../../src/errors.ts";
import { createLogger } from "../../src/observe/log.ts";
import { BASE, createFakeChild, digestOf, type FakeChild, MODEL, set } from "../support/fake-worker.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { checkOrder, collect, engineCases, request, soon, textOf } from "./cases/engine.ts";

const version = (value: number): WeightVersion => value as WeightVersion;

type ChildOptions = NonNullable<Parameters<typeof createFakeChild>[0]>;

interface Rig {
  readonly engine: Engine;
  readonly children: FakeChild[];
  readonly notices: EngineNotice[];
  readonly lines: string[];
  /** The n-th child is made with these. */
  readonly plan: ChildOptions[];
  weights: CurrentWeights;
  readonly spawned: { readonly module: URL; readonly args: readonly string[] }[];
  /** Lets time pass until `condition` holds. */
  until(what: string, condition: () => boolean): Promise<void>;
  readonly clock: ReturnType<typeof createManualClock>;
}

function createRig(): Rig {
  const clock = createManualClock();
  const lines: string[] = [];
  const rig: Omit<Rig, "engine"> = {
    children: [],
    notices: [],
    lines,
    plan: [],
    spawned: [],
    clock,
    weights: { version: version(0), digest: null, sets: [] },
    async until(what, condition) {
      for (let turn = 0; turn < 2000; turn += 1) {
        if (condition()) return;
        await clock.advance(20);
        await new Promise((resolve) => void setTimeout(resolve, 0));
      }
      throw new Error(`did not happen: ${what}`);
    },
  };
  const engine = createEmbeddedEngine(
    {
      kind: "embedded",
      model: MODEL,
      servedModelName: "tiny",
      maxConcurrency: 4,
      maxModelLen: undefined,
      device: "auto",
    },
    {
      ports: {
        clock,
        random: { uuid: () => "0", float: () => 0.5 },
        spawn(module, args) {
          const child = createFakeChild(rig.plan[rig.children.length] ?? {});
          rig.children.push(child);
          rig.spawned.push({ module, args });
          return child;
        },
      },
      log: createLogger({ format: "text", level: "debug", clock, writeLine: (line) => void lines.push(line) }),
      currentWeights: () => rig.weights,
    },
  );
  engine.subscribe((notice) => void rig.notices.push(notice));
  return Object.assign(rig, { engine });
}

const generate = (rig: Rig, sampling = {}): ReturnType<NonNullable<Engine["generate"]>> => {
  assert.ok(rig.engine.generate !== undefined);
  return rig.engine.generate(request({ maxTokens: 40, ...sampling }), { signal: soon() });
};
const started = async (rig = createRig()): Promise<Rig> => {
  await rig.engine.start({ signal: soon() });
  return rig;
};
const isFailure = (text: RegExp) => (error: unknown) =>
  error instanceof GatewayError && error.code === "replica_failed" && text.test(error.message);

engineCases("embedded, over a worker without a process", async () => ({ engine: createRig().engine }));

describe("starting", () => {
  test("spawns the worker's module, says so on its command line, and tells what is served", async () => {
    const rig = createRig();
    const info = await rig.engine.start({ signal: soon() });
    assert.match(rig.spawned[0]?.module.pathname ?? "", /src\/worker\/main\.ts$/);
    assert.ok(rig.spawned[0]?.args.includes("worker"));
    assert.deepEqual(info.models, [{ id: "tiny", maxModelLen: 64, root: MODEL, parent: null }]);
    assert.equal(info.weightDigest, digestOf(BASE));
    assert.equal(rig.engine.weights?.manifest()?.[0]?.name, "text");
    await rig.engine.stop({ signal: soon() });
  });
  test("a model that cannot be loaded is said, and no process stays", async () => {
    const rig = createRig();
    rig.plan.push({
      onLoad: () => {
        throw new GatewayError("weights_missing_tensor", "lm_head.weight is missing.", { tensor: "lm_head.weight" });
      },
    });
    await assert.rejects(rig.engine.start({ signal: soon() }), { code: "weights_missing_tensor" });
    assert.deepEqual(await rig.children[0]?.exited, { code: 0, signal: null });
    assert.deepEqual(rig.notices, []);
  });
  test("a worker that dies before it greets is said with its last words", async () => {
    const rig = createRig();
    rig.plan.push({ onLoad: () => new Promise(() => {}) });
    const start = rig.engine.start({ signal: soon() });
    await rig.until("spawned", () => rig.children[0]?.received.length === 1);
    rig.children[0]?.say("cannot open shared object\n");
    rig.children[0]?.end({ code: 127, signal: null });
    await assert.rejects(start, isFailure(/exit code 127\): cannot open shared object/));
  });
  test("the caller's signal is the deadline", async () => {
    const rig = createRig();
    rig.plan.push({ onLoad: () => new Promise(() => {}) });
    const deadline = new AbortController();
    const start = rig.engine.start({ signal: deadline.signal });
    const reason = new GatewayError("deadline_exceeded", "too slow");
    deadline.abort(reason);
    await assert.rejects(start, reason);
    assert.deepEqual(await rig.children[0]?.exited, { code: null, signal: "SIGKILL" });
  });
  test("another protocol is refused", async () => {
    const rig = createRig();
    rig.plan.push({ protocol: 99 });
    await assert.rejects(rig.engine.start({ signal: soon() }), isFailure(/speaks protocol 99/));
  });
});

describe("dying", () => {
  test("running generations fail with how it ended; the worker comes back with the current weights", async () => {
    const rig = await started();
    const read = collect(generate(rig, { ignoreEos: true, minTokens: 40 }));
    await rig.until("the request is there", () => rig.children[0]?.received.at(-1)?.type === "generate");
    const NEW = "uno dos tres";
    rig.weights = { version: version(3), digest: digestOf(NEW), sets: [set(NEW)] };
    rig.children[0]?.end({ code: null, signal: "SIGKILL" });
    await assert.rejects(read, isFailure(/signal SIGKILL/));
    await rig.until("up again", () => rig.notices.at(-1)?.type === "up");
    assert.equal(rig.notices[0]?.type, "down");
    assert.equal(rig.notices[0]?.type === "down" && rig.notices[0].recovering, true);
    const up = rig.notices.at(-1);
    assert.ok(up?.type === "up");
    assert.equal(up.info.weightVersion, 3);
    assert.equal(up.info.weightDigest, digestOf(NEW));
    assert.equal(up.info.details.restarts, 1);
    const events = await collect(generate(rig));
    checkOrder(events);
    assert.equal(textOf(events), NEW);
    assert.deepEqual(events[0], { type: "start", weightVersion: 3, weightDigest: digestOf(NEW) });
    await rig.engine.stop({ signal: soon() });
  });
  test("the last directive outlives the worker, and what is heard of it is what the worker now is", async () => {
    const rig = await started();
    const { residency } = rig.engine;
    assert.ok(residency?.latest !== undefined);
    assert.equal(residency.latest()?.budgetBytes, undefined);
    const report = await residency.apply({ maxInCpuBytes: 12_345 }, { signal: soon() });
    assert.equal(report.budgetBytes, 12_345);
    assert.equal(residency.latest()?.budgetBytes, 12_345);
    await assert.rejects(residency.apply({ maxInCpuBytes: -1 }, { signal: soon() }), { code: "invalid_value" });
    rig.children[0]?.end({ code: null, signal: "SIGKILL" });
    await rig.until("down", () => rig.notices.length === 1);
    assert.equal(residency.latest(), null);
    await rig.until("up again", () => rig.notices.at(-1)?.type === "up");
    const load = rig.children.at(-1)?.received.find(({ type }) => type === "load");
    assert.deepEqual(load?.type === "load" && load.residency, { maxInCpuBytes: 12_345 });
    assert.equal((await residency.report({ signal: soon() })).budgetBytes, 12_345);
    await rig.engine.stop({ signal: soon() });
  });
  test("while it is down, calls and probes say why", async () => {
    const rig = await started();
    rig.children[0]?.end({ code: 70, signal: null });
    await rig.until("down", () => rig.notices.length === 1);
    await assert.rejects(rig.engine.probe({ signal: soon() }), isFailure(/is being restarted.*exit code 70/));
    await assert.rejects(collect(generate(rig)), isFailure(/is being restarted/));
    await rig.engine.stop({ signal: soon() });
  });
  test("a crash in native code is called that, also where the runtime's last line blames others", async () => {
    const rig = await started();
    rig.children[0]?.say(
      "panic(main thread): Segmentation fault at address 0x8\noh no: Bun has crashed. This indicates a bug in Bun\n https://bun.report/x\n",
    );
    rig.children[0]?.end({ code: null, signal: "SIGSEGV" });
    await rig.until("down", () => rig.notices.length === 1);
    await assert.rejects(
      rig.engine.probe({ signal: soon() }),
      isFailure(/signal SIGSEGV\): native code crashed; panic\(main thread\): Segmentation fault at address 0x8\./),
    );
    await rig.engine.stop({ signal: soon() });
  });
  test("a digest that is not the published one keeps it down until it gives up", async () => {
    const rig = await started();
    rig.weights = { version: version(1), digest: digestOf("else") as WeightDigest, sets: [set("this") as WeightSet] };
    rig.children[0]?.end({ code: null, signal: "SIGSEGV" });
    await rig.until("given up", () => {
      const last = rig.notices.at(-1);
      return last?.type === "down" && !last.recovering;
    });
    assert.ok(rig.notices.every(({ type }) => type === "down"));
    assert.equal(rig.children.length, 6, "five starts after the first worker");
    const last = rig.notices.at(-1);
    assert.match(last?.type === "down" ? last.reason : "", /version 1 has/);
    await assert.rejects(rig.engine.probe({ signal: soon() }), isFailure(/has failed/));
    // The owner may try again by hand.
    rig.weights = { version: version(0), digest: null, sets: [] };
    await rig.engine.start({ signal: soon() });
    await rig.engine.probe({ signal: soon() });
    await rig.engine.stop({ signal: soon() });
  });
  test("weights published while it loads are loaded before it is up", async () => {
    const rig = await started();
    rig.plan[1] = {
      onLoad: () => {
        rig.weights = { version: version(5), digest: digestOf("five"), sets: [set("five")] };
      },
    };
    rig.children[0]?.end({ code: null, signal: "SIGKILL" });
    await rig.until("up again", () => rig.notices.at(-1)?.type === "up");
    const up = rig.notices.at(-1);
    assert.equal(up?.type === "up" && up.info.weightVersion, 5);
    assert.equal(rig.children.length, 3);
    await rig.engine.stop({ signal: soon() });
  });
  test("a pause outlives the worker", async () => {
    const rig = await started();
    await rig.engine.control?.pause("wait", true, { signal: soon() });
    rig.children[0]?.end({ code: null, signal: "SIGKILL" });
    await rig.until("up again", () => rig.notices.at(-1)?.type === "up");
    assert.equal(await rig.engine.control?.isPaused({ signal: soon() }), true);
    await rig.engine.control?.resume({ signal: soon() });
    assert.equal(textOf(await collect(generate(rig))), BASE);
    await rig.engine.stop({ signal: soon() });
  });
  test("what was staged is gone with it", async () => {
    const rig = await started();
    const target = rig.engine.weights;
    assert.ok(target !== undefined);
    await target.stage("s", set("new"), { signal: soon(), onProgress: () => {} });
    rig.children[0]?.end({ code: null, signal: "SIGKILL" });
    await target.discard("s");
    await rig.until("up again", () => rig.notices.at(-1)?.type === "up");
    await assert.rejects(target.commit("s", version(1), "wait", { signal: soon() }), { code: "conflict" });
    await rig.engine.stop({ signal: soon() });
  });
});

describe("a worker that hangs", () => {
  test("is ended and started again", async () => {
    const rig = await started();
    rig.children[0]?.hang();
    const read = collect(generate(rig));
    await Promise.all([
      assert.rejects(read, isFailure(/has not answered for \d+ s/)),
      rig.clock.advance(62_000),
      rig.until("up again", () => rig.notices.at(-1)?.type === "up"),
    ]);
    await rig.engine.stop({ signal: soon() });
  });
  test("is given longer while it loads weights", async () => {
    const rig = await started();
    const child = rig.children[0];
    assert.ok(child !== undefined);
    const leave = new AbortController();
    const staging = rig.engine.weights?.stage("s", set("x"), { signal: leave.signal, onProgress: () => {} });
    child.hang();
    await rig.engine.probe({ signal: soon() });
    await rig.clock.advance(120_000);
    assert.deepEqual(rig.notices, []);
    await rig.clock.advance(600_000);
    await assert.rejects(staging ?? Promise.resolve(), isFailure(/has not answered/));
    await rig.engine.stop({ signal: soon() });
  });
});

describe("weights", () => {
  test("stage, then commit: answers and info change together", async () => {
    const rig = await started();
    const target = rig.engine.weights;
    assert.ok(target !== undefined);
    const progress: number[] = [];
    const onProgress = ({ bytesDone }: { bytesDone: number }): void => void progress.push(bytesDone);
    assert.equal(await target.stage("s", set("new"), { signal: soon(), onProgress }), digestOf("new"));
    assert.ok(progress.length > 0);
    assert.equal(textOf(await collect(generate(rig))), BASE);
    await target.commit("s", version(1), "wait", { signal: soon() });
    assert.equal(textOf(await collect(generate(rig))), "new");
    const info = await rig.engine.start({ signal: soon() });
    assert.equal(info.weightVersion, 1);
    assert.equal(info.weightDigest, digestOf("new"));
    await rig.engine.stop({ signal: soon() });
  });
});

describe("reading slowly", () => {
  test("never has more on the way than the credit, and holds up nobody else", async () => {
    const rig = await started();
    const slow = generate(rig)[Symbol.asyncIterator]();
    await slow.next();
    assert.equal(textOf(await collect(generate(rig))), BASE);
    const rest: string[] = [];
    for (let step = await slow.next(); step.done !== true; step = await slow.next()) {
      if (step.value.type === "delta") rest.push(step.value.text);
    }
    assert.equal(rest.join(""), BASE);
    await rig.engine.stop({ signal: soon() });
  });
  test("a reader that leaves sends a cancel", async () => {
    const rig = await started();
    for await (const event of generate(rig, { ignoreEos: true })) if (event.type === "delta") break;
    assert.equal(rig.children[0]?.received.at(-1)?.type, "cancel");
    await rig.engine.stop({ signal: soon() });
  });
});

describe("stopping", () => {
  test("lets a running generation end", async () => {
    const rig = await started();
    const read = collect(generate(rig));
    await rig.until("it runs", () => rig.children[0]?.received.at(-1)?.type === "generate");
    let stopped = false;
    const stop = rig.engine.stop({ signal: soon() }).then(() => {
      stopped = true;
    });
    assert.equal(textOf(await read), BASE);
    await rig.until("stopped", () => stopped);
    await stop;
    assert.deepEqual(await rig.children[0]?.exited, { code: 0, signal: null });
    assert.deepEqual(rig.notices, [], "an end on request is no death");
  });
  test("does not wait longer than the signal", async () => {
    const rig = await started();
    await rig.engine.control?.pause("keep", false, { signal: soon() });
    const read = collect(generate(rig));
    await rig.until("it is there", () => rig.children[0]?.received.at(-1)?.type === "generate");
    await rig.engine.stop({ signal: AbortSignal.abort() });
    await assert.rejects(read, isFailure(/it was stopped/));
    await assert.rejects(rig.engine.start({ signal: soon() }), isFailure(/has been stopped/));
  });
  test("during a restart ends the restart", async () => {
    const rig = await started();
    rig.plan[1] = { onLoad: () => new Promise(() => {}) };
    rig.children[0]?.end({ code: null, signal: "SIGKILL" });
    await rig.until("the second one loads", () => rig.children[1]?.received.at(-1)?.type === "load");
    await rig.engine.stop({ signal: soon() });
    await rig.children[1]?.exited;
    assert.equal(rig.children.length, 2);
  });
  test("before the start, and twice, is fine", async () => {
    const rig = createRig();
    await rig.engine.stop({ signal: soon() });
    await rig.engine.stop({ signal: soon() });
  });
});

test("waits double, spread by chance, and begin anew after a sound life", () => {
  const policy = new RestartPolicy();
  policy.died(10);
  assert.equal(policy.delay(0), 100);
  assert.equal(policy.delay(1), 200);
  policy.died(10);
  assert.equal(policy.delay(1), 400);
  for (let death = 0; death < 20; death += 1) policy.died(10);
  assert.equal(policy.delay(1), 30_000);
  policy.died(3_600_000);
  assert.equal(policy.delay(1), 200);
});

test("a runtime without processes is told so by name", () => {
  const { clock } = createRig();
  const log = createLogger({ format: "text", level: "error", clock, writeLine: () => {} });
  const spec = {
    kind: "embedded",
    model: "/m",
    servedModelName: "m",
    maxConcurrency: 1,
    maxModelLen: undefined,
    device: "auto",
  } as const;
  assert.throws(
    () =>
      createEmbeddedEngine(spec, {
        ports: { clock, random: { uuid: () => "0", float: () => 0 } },
        log,
        currentWeights: () => ({ version: version(0), digest: null, sets: [] }),
      }),
    (error: unknown) => error instanceof GatewayError && error.code === "unsupported",
  );
});
