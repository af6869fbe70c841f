/** Weights in tiers and asleep, served: the same answers from less memory, through syncs, deaths and sleep. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import type { Fleet } from "../../src/contract/control/fleet.ts";
import type { Server } from "../../src/contract/control/servers.ts";
import type { WeightSync } from "../../src/contract/control/weight-syncs.ts";
import { ask, cli, json, modelPath, postJson, type Served, serve } from "./serve.ts";

/** A quarter of tide-nano's weights as fp32: 1,049,728 parameters. */
const QUARTER = 1_049_728;
const QUESTION = "What is 17 + 25?";
const elsewhere = process.platform === "linux" ? false : "weights on disk need Linux";

const serverOf = async (url: string): Promise<Server> =>
  (await json<Fleet>(`${url}/api/fleet`)).body.servers[0] as Server;
const bytesOf = async (url: string) => (await serverOf(url)).residency?.bytes;

/** Sleeps, shows that a request waits and that memory is given back, wakes tag by tag; the answer of that request. */
async function sleepAndWake(url: string, level: number): Promise<string> {
  const { body: slept } = await json(`${url}/sleep?level=${level}`, { method: "POST" });
  assert.deepEqual(slept, { status: "sleeping", level });
  assert.deepEqual((await json(`${url}/is_sleeping`)).body, { is_sleeping: true });
  assert.equal((await bytesOf(url))?.cpu, 0);
  let answered = false;
  const answer = ask(url, QUESTION).finally(() => {
    answered = true;
  });
  const { body: half } = await json(`${url}/wake_up?tags=weights`, { method: "POST" });
  assert.deepEqual(half, { status: "sleeping", tags: ["weights"] });
  assert.equal(answered, false);
  const { body: awake } = await json(`${url}/wake_up?tags=kv_cache`, { method: "POST" });
  assert.deepEqual(awake, { status: "awake", tags: ["kv_cache"] });
  assert.deepEqual((await json(`${url}/is_sleeping`)).body, { is_sleeping: false });
  return (await answer).text;
}

describe("weights in tiers", { skip: elsewhere }, () => {
  let plain: Served;
  let tiers: Served;
  before(async () => {
    [plain, tiers] = await Promise.all([serve(), serve(["--max-in-cpu", String(QUARTER)])]);
  });
  after(async () => void (await Promise.all([plain?.stop(), tiers?.stop()])));

  test("the same text within the budget; fleet and metrics say where the weights are", async () => {
    const want = await ask(plain.url, QUESTION);
    const got = await ask(tiers.url, QUESTION);
    assert.deepEqual(got, want);
    // A heartbeat of the worker, once a second, tells the counts.
    let residency = (await serverOf(tiers.url)).residency;
    for (let tries = 0; tries < 100 && residency?.page_ins === 0; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      residency = (await serverOf(tiers.url)).residency;
    }
    assert.ok(residency !== null && residency.bytes.cpu <= QUARTER && residency.bytes.disk > 3 * QUARTER - 4096);
    assert.equal(residency.bytes.cpu + residency.bytes.disk, 4 * QUARTER);
    assert.equal(residency.budget_bytes, QUARTER);
    assert.ok((residency.page_ins_per_token ?? 0) > 1);
    assert.deepEqual(await bytesOf(plain.url), { device: 0, cpu: 4 * QUARTER, disk: 0 });
    const metrics = await (await fetch(`${tiers.url}/metrics`)).text();
    assert.match(
      metrics,
      new RegExp(`tidegate_weight_bytes\\{replica="embedded-0",tier="disk"\\} ${residency.bytes.disk}`),
    );
  });

  test("sleep levels 1 and 2 give the weights back; requests wait; the same answer after", async () => {
    const { text } = await ask(plain.url, QUESTION);
    for (const { url } of [plain, tiers]) {
      const before = await bytesOf(url);
      for (const level of [1, 2]) {
        assert.equal(await sleepAndWake(url, level), text);
        assert.deepEqual(await bytesOf(url), before);
      }
    }
  });

  test("a sync streams into the tiers, also while they are asleep; a killed worker comes back in its tiers", async () => {
    const sync = async (url: string, directory: "base" | "trained"): Promise<WeightSync> => {
      const body = { source: { kind: "disk", path: modelPath(directory) } };
      return (await postJson<WeightSync>(`${url}/api/weight-syncs`, body, { prefer: "wait=60" })).body;
    };
    const before = await bytesOf(tiers.url);
    const { digest } = await sync(plain.url, "trained");
    assert.equal((await sync(tiers.url, "trained")).digest, digest);
    const want = await ask(plain.url, QUESTION);
    assert.deepEqual(await ask(tiers.url, QUESTION), want);
    assert.deepEqual(await bytesOf(tiers.url), before);

    await json(`${tiers.url}/sleep?level=2`, { method: "POST" });
    await json(`${tiers.url}/wake_up?tags=weights`, { method: "POST" });
    assert.equal((await sync(tiers.url, "base")).state, "completed");
    assert.deepEqual((await json(`${tiers.url}/wake_up`, { method: "POST" })).body, { status: "awake", tags: null });
    await sync(plain.url, "base");
    const later = await ask(plain.url, QUESTION);
    assert.deepEqual(await ask(tiers.url, QUESTION), later);

    const { details } = await serverOf(tiers.url);
    process.kill(Number(details.pid), "SIGKILL");
    let server = await serverOf(tiers.url);
    for (let tries = 0; tries < 400 && (server.state !== "ready" || server.details.pid === details.pid); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      server = await serverOf(tiers.url);
    }
    assert.deepEqual(server.residency?.bytes, before);
    assert.deepEqual(await ask(tiers.url, QUESTION), later);
  });

  test("a budget below one step is refused at the start, with the bytes that are missing", async () => {
    const { code, output } = await cli(["serve", "--port", "0", "--max-in-cpu", "100k"]);
    assert.equal(code, 3, output);
    assert.match(output, /\d+ bytes are missing: one step needs \d+ bytes of the largest piece on disk/);
    const bad = await cli(["serve", "--port", "0", "--max-in-cpu", "much"]);
    assert.equal(bad.code, 2);
    assert.match(bad.output, /--max-in-cpu: /);
  });
});

describe("--offload-plan", { skip: elsewhere }, () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "tidegate-plan-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));
  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  const deepspeed = (param: object): string =>
    JSON.stringify({ zero_optimization: { stage: 3, stage3_param_persistence_threshold: 0, offload_param: param } });

  test("accelerate's YAML with DeepSpeed's JSON beside it: weights live where it says, from the start and after a death", async () => {
    // Elements of four bytes: a quarter of the weights.
    await write("ds.json", deepspeed({ device: "nvme", max_in_cpu: QUARTER / 4, buffer_count: 2 }));
    const yaml = await write(
      "accelerate.yaml",
      "distributed_type: DEEPSPEED\ndeepspeed_config:\n  deepspeed_config_file: ds.json\nnum_processes: 1\n",
    );
    const [plain, planned] = await Promise.all([serve(), serve(["--offload-plan", yaml])]);
    try {
      assert.deepEqual(await ask(planned.url, QUESTION), await ask(plain.url, QUESTION));
      const { residency } = await serverOf(planned.url);
      assert.ok(residency !== null && residency.bytes.cpu <= QUARTER);
      assert.equal(residency.bytes.cpu + residency.bytes.disk, 4 * QUARTER);
      assert.equal(residency.budget_bytes, QUARTER);
      const old = await serverOf(planned.url);
      process.kill(Number(old.details.pid), "SIGKILL");
      let now = old;
      for (let tries = 0; tries < 400 && (now.state !== "ready" || now.details.pid === old.details.pid); tries++) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        now = await serverOf(planned.url);
      }
      assert.deepEqual(now.residency?.bytes, residency.bytes);
    } finally {
      await Promise.all([plain.stop(), planned.stop()]);
    }
  });

  test("refusals: both budgets, wrong types by path, a budget that fits nothing, a file that is not there", async () => {
    const plan = await write("cpu.json", deepspeed({ device: "cpu" }));
    const odd = await write("odd.json", deepspeed({ device: 3 }));
    const small = await write("small.json", deepspeed({ device: "nvme", max_in_cpu: 10 }));
    const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
      [["--offload-plan", plan, "--max-in-cpu", "1MiB"], 2, /--offload-plan and --max-in-cpu both say/],
      [["--offload-plan", odd], 3, /zero_optimization\.offload_param\.device/],
      [["--offload-plan", small], 3, /max_in_cpu is 10 elements.*bytes are missing/],
      [["--offload-plan", join(folder, "none.json")], 3, /none\.json does not exist/],
    ];
    const ends = await Promise.all(cases.map(([args]) => cli(["serve", "--port", "0", ...args])));
    for (const [index, [, code, message]] of cases.entries()) {
      assert.match(ends[index]?.output ?? "", message);
      assert.equal(ends[index]?.code, code);
    }
  });
});
