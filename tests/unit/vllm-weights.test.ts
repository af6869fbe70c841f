/** Weight syncs of whole fleets of (fake) vLLM servers: over a shared disk, by URL, and what happens when one fails. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import type { Server } from "../../src/contract/control/servers.ts";
import type { WeightSync } from "../../src/contract/control/weight-syncs.ts";
import { type FakeWeights, type FakeWeightsOptions, startFakeWeights, weightsOf } from "../fakes/vllm-weights.ts";
import { post, type Started, startHere, until } from "../runtime/start.ts";
import { toSafetensors } from "./cases/sync-fakes.ts";

let work: string;
const directory = (name: string): string => join(work, name);

before(async () => {
  work = mkdtempSync(join(tmpdir(), "tidegate-weights-"));
  const values = (start: number): Record<string, number[]> => ({ embed: [start, 2, 3, 4], head: [5, 6, start] });
  for (const [at, name] of ["base", "one", "two", "three"].entries()) {
    mkdirSync(directory(name));
    writeFileSync(join(directory(name), "model.safetensors"), await toSafetensors(values(at)));
  }
});
after(() => rmSync(work, { recursive: true, force: true }));

const open: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.stop();
});

async function fakeServer(options: FakeWeightsOptions = {}): Promise<FakeWeights> {
  const fake = await startFakeWeights({ root: directory("base"), ...options });
  open.push(fake);
  return fake;
}

async function front(servers: readonly FakeWeights[], settings: Record<string, unknown> = {}): Promise<Started> {
  const gateway = await startHere({ upstream: servers.map(({ url }) => url), probeInterval: 0.05, ...settings });
  open.push(gateway);
  // The start is over when one of them serves.
  const states = () => gateway.gateway?.fleet.snapshot().servers.map(({ state }) => state) ?? [];
  await until("all are up", () => states().every((state) => state === "ready"));
  return gateway;
}

const disk = (name: string, fields: object = {}) => ({ source: { kind: "disk", path: directory(name) }, ...fields });

interface Answered {
  readonly status: number;
  readonly body: WeightSync & {
    readonly code?: string;
    readonly detail?: string;
    readonly phase?: string;
    readonly replica?: string;
    readonly upstream?: string;
  };
}

async function sync(gateway: Started, body: object): Promise<Answered> {
  const answer = await post(`${gateway.url}/api/weight-syncs`, body, { headers: { prefer: "wait=20" } });
  return { status: answer.status, body: (await answer.json()) as Answered["body"] };
}

async function server(gateway: Started, id: string): Promise<Server> {
  return (await (await fetch(`${gateway.url}/api/servers/${id}`)).json()) as Server;
}

async function generate(
  gateway: Started,
): Promise<{ status: number; version: string | null; by: string | null; text: string }> {
  const answer = await post(`${gateway.url}/v1/completions`, { prompt: "a", max_tokens: 4, temperature: 0 });
  const body = (await answer.json()) as { choices?: { text: string }[] };
  const { headers } = answer;
  return {
    status: answer.status,
    version: headers.get("x-weight-version"),
    by: headers.get("x-served-by"),
    text: body.choices?.[0]?.text ?? "",
  };
}

const generations = (fake: FakeWeights): number => fake.seen("/v1/completions").length;
const paths = (fake: FakeWeights): string[] =>
  fake.state.seen.filter(({ method }) => method === "POST").map(({ target }) => target);

describe("vllm weights: over a disk that both see", () => {
  test("both servers load what was received, between pause and resume, and answers say the version", async () => {
    const fakes = [await fakeServer(), await fakeServer()];
    const gateway = await front(fakes);
    const { status, body } = await sync(gateway, disk("one", { label: "step 1" }));
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body.state, "completed");
    assert.match(body.digest ?? "", /^sha256:/);
    // vLLM does not tell what it read: nothing is claimed.
    for (const entry of body.servers) assert.equal(entry.digest, undefined);
    for (const fake of fakes) {
      assert.equal(fake.state.weights, weightsOf(directory("one")));
      assert.equal(fake.state.weightVersion, "1");
      assert.equal(fake.state.paused, false);
      const sent = paths(fake);
      const order = [
        "/pause?mode=wait&clear_cache=true",
        "/collective_rpc",
        "/update_weight_version",
        "/reset_prefix_cache?reset_running_requests=true",
        "/resume",
        "/v1/completions",
      ];
      assert.deepEqual(sent.slice(sent.indexOf("/pause?mode=wait&clear_cache=true")), order);
    }
    const { version, text } = await generate(gateway);
    assert.equal(version, "1");
    const again = await generate(gateway);
    assert.equal(again.text, text, "both replicas answer alike");
  });

  test("a server that cannot see the path: refused before anything is touched, with the mend", async () => {
    const fakes = [await fakeServer(), await fakeServer({ sees: () => false })];
    const gateway = await front(fakes);
    const before = await generate(gateway);
    const { status, body } = await sync(gateway, disk("one"));
    assert.equal(status, 400);
    assert.equal(body.code, "unsupported");
    assert.equal(body.replica, "vllm-1");
    assert.match(body.detail ?? "", /spool-dir.*tidegate-vllm/s);
    for (const fake of fakes) assert.equal(fake.state.empty, false);
    assert.deepEqual((await generate(gateway)).text, before.text);
    assert.equal((await server(gateway, "vllm-1")).state, "ready");
  });

  test("tensors that the served model lacks, partial sets, servers without dev routes: 4xx before anything is sent", async () => {
    const fake = await fakeServer();
    const gateway = await front([fake]);
    mkdirSync(directory("odd"), { recursive: true });
    writeFileSync(
      join(directory("odd"), "model.safetensors"),
      await toSafetensors({ embed: [1, 2, 3, 4], head: [5, 6, 1], tail: [1] }),
    );
    const odd = await sync(gateway, disk("odd"));
    assert.deepEqual([odd.status, odd.body.code], [400, "weights_unexpected_tensor"]);
    const partial = await sync(gateway, disk("one", { partial: true }));
    assert.deepEqual([partial.status, partial.body.code], [400, "unsupported"]);
    assert.match(partial.body.detail ?? "", /every tensor/);
    assert.deepEqual(paths(fake), []);
    const plain = await fakeServer({ devMode: false });
    const other = await front([plain]);
    const refused = await sync(other, disk("one"));
    assert.deepEqual([refused.status, refused.body.code], [400, "unsupported"]);
    assert.match(refused.body.detail ?? "", /VLLM_SERVER_DEV_MODE=1/);
  });

  test("a tied model on a CPU: the output head is packed anew, and without the plugin the server is refused", async () => {
    mkdirSync(directory("tied"), { recursive: true });
    writeFileSync(join(directory("tied"), "config.json"), '{"tie_word_embeddings": true}');
    writeFileSync(
      join(directory("tied"), "model.safetensors"),
      readFileSync(join(directory("base"), "model.safetensors")),
    );
    const stock = await fakeServer({ root: directory("tied"), cpu: true });
    const refused = await sync(await front([stock]), disk("one"));
    assert.deepEqual([refused.status, refused.body.code], [400, "unsupported"]);
    assert.match(refused.body.detail ?? "", /tied embeddings.*tidegate-vllm/s);
    assert.equal(stock.loads, 0);
    const mended = await fakeServer({ root: directory("tied"), cpu: true, plugin: true });
    assert.equal((await sync(await front([mended]), disk("one"))).body.state, "completed");
    assert.equal(mended.repacks, 2, "once to see that it can, once behind the reload");
  });

  test("running streams end before the switch, later ones wait: no answer mixes versions", async () => {
    const fakes = [await fakeServer({ tokenDelayMs: 5 }), await fakeServer({ tokenDelayMs: 5 })];
    const gateway = await front(fakes);
    const texts = new Map<string, Set<string>>();
    let go = true;
    const stream = async (): Promise<void> => {
      while (go) {
        const answer = await post(`${gateway.url}/v1/completions`, {
          prompt: "a",
          max_tokens: 24,
          temperature: 0,
          stream: true,
        });
        assert.equal(answer.status, 200);
        const version = answer.headers.get("x-weight-version") ?? "";
        const pieces = (await answer.text()).split("\n\n").filter((line) => line.startsWith("data: {"));
        const text = pieces.map((line) => JSON.parse(line.slice(6)).choices[0]?.text ?? "").join("");
        texts.set(version, (texts.get(version) ?? new Set()).add(text));
      }
    };
    const streams = Array.from({ length: 8 }, stream);
    for (const name of ["one", "two"]) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.equal((await sync(gateway, disk(name))).body.state, "completed");
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    go = false;
    await Promise.all(streams);
    assert.deepEqual([...texts.keys()].sort(), ["0", "1", "2"]);
    for (const [version, seen] of texts) assert.equal(seen.size, 1, `version ${version}`);
    for (const fake of fakes) assert.equal(fake.state.dead, false);
  });
});

describe("vllm weights: a server that fails in the switch", () => {
  test("is fenced with phase, replica and its own words, stays paused and alive, and comes back by refit", async () => {
    const [good, bad] = [await fakeServer(), await fakeServer()];
    const gateway = await front([good, bad]);
    bad.loadFault = { kind: "fail", words: "CUDA out of memory. Tried to allocate 2.00 GiB" };
    const { body } = await sync(gateway, disk("one"));
    assert.equal(body.state, "completed");
    assert.deepEqual(
      body.servers.map(({ phase }) => phase),
      ["switched", "fenced"],
    );
    assert.equal(body.error?.replica, "vllm-1");
    assert.equal(body.error?.phase, "switch");
    assert.match(body.error?.upstream ?? "", /CUDA out of memory/);
    const fenced = await server(gateway, "vllm-1");
    assert.deepEqual([fenced.state, fenced.weight_version], ["quarantined", null]);
    const before = generations(bad);
    for (let at = 0; at < 10; at += 1) assert.equal((await generate(gateway)).by, "vllm-0");
    assert.equal(generations(bad), before);
    assert.equal(bad.state.paused, true);
    // A trainer's resume must not wake what has no weights.
    assert.equal((await post(`${gateway.url}/resume`, {})).status, 424);
    assert.equal(bad.state.paused, true);

    const stillBad = await post(`${gateway.url}/api/servers/vllm-1/refit`, {});
    assert.equal(stillBad.status, 424);
    const problem = (await stillBad.json()) as Answered["body"];
    assert.deepEqual([problem.code, problem.replica, problem.phase], ["replica_failed", "vllm-1", "refit"]);
    assert.match(problem.upstream ?? "", /CUDA out of memory/);
    assert.equal((await server(gateway, "vllm-1")).state, "quarantined");

    bad.loadFault = null;
    const refitted = await post(`${gateway.url}/api/servers/vllm-1/refit`, {});
    assert.equal(refitted.status, 200);
    const back = (await refitted.json()) as Server;
    assert.deepEqual([back.state, back.weight_version], ["ready", 1]);
    assert.equal(bad.state.weights, weightsOf(directory("one")));
    assert.equal(bad.state.paused, false);
    assert.equal(bad.state.dead, false);
  });

  test("one that says 200 and has nothing is found out by one token of ours, not by a caller's", async () => {
    const [good, liar] = [await fakeServer(), await fakeServer()];
    const gateway = await front([good, liar]);
    liar.loadFault = { kind: "lie" };
    const { body } = await sync(gateway, disk("one"));
    assert.deepEqual(
      body.servers.map(({ phase }) => phase),
      ["switched", "fenced"],
    );
    for (let at = 0; at < 6; at += 1) assert.deepEqual((await generate(gateway)).status, 200);
    assert.equal(generations(liar), 1);
  });

  test("one that never answers is fenced at the deadline", async () => {
    const [good, slow] = [await fakeServer(), await fakeServer()];
    const gateway = await front([good, slow]);
    slow.loadFault = { kind: "hang" };
    const { body } = await sync(gateway, disk("one", { deadline_s: 1 }));
    assert.deepEqual(
      body.servers.map(({ phase }) => phase),
      ["switched", "fenced"],
    );
    assert.equal(body.error?.code, "deadline_exceeded");
    assert.equal((await generate(gateway)).version, "1");
    slow.loadFault = null;
    assert.equal((await post(`${gateway.url}/api/servers/vllm-1/refit`, {})).status, 200);
    assert.equal((await server(gateway, "vllm-1")).weight_version, 1);
  });

  test("one that an earlier sync fenced gets the weights of the next", async () => {
    const [good, bad] = [await fakeServer(), await fakeServer()];
    const gateway = await front([good, bad]);
    bad.loadFault = { kind: "fail", words: "busy" };
    assert.equal((await sync(gateway, disk("one"))).body.servers[1]?.phase, "fenced");
    bad.loadFault = null;
    const { body } = await sync(gateway, disk("two"));
    assert.deepEqual(
      body.servers.map(({ phase }) => phase),
      ["switched", "left_out"],
    );
    await until("it is back", async () => (await server(gateway, "vllm-1")).state === "ready");
    assert.equal((await server(gateway, "vllm-1")).weight_version, 2);
    assert.equal(bad.state.weights, weightsOf(directory("two")));
  });

  test("all fail: nothing is published; refit brings back what each started with", async () => {
    const fakes = [await fakeServer(), await fakeServer()];
    const gateway = await front(fakes);
    for (const fake of fakes) fake.loadFault = { kind: "fail", words: "no space" };
    const { status, body } = await sync(gateway, disk("one"));
    assert.equal(status, 424, JSON.stringify(body));
    assert.equal((await generate(gateway)).status, 503);
    // Put back by hand it would be asked, and die: it loads first.
    for (const fake of fakes) fake.loadFault = null;
    const patched = await fetch(`${gateway.url}/api/servers/vllm-0`, {
      method: "PATCH",
      headers: { "content-type": "application/json" },
      body: '{"state":"ready"}',
    });
    assert.equal(patched.status, 200);
    assert.equal((await post(`${gateway.url}/api/servers/vllm-1/refit`, {})).status, 200);
    await until(
      "vllm-0 is back",
      async () =>
        (await server(gateway, "vllm-0")).state === "ready" && (await server(gateway, "vllm-0")).weight_version === 0,
    );
    for (const fake of fakes) {
      assert.equal(fake.state.weights, weightsOf(directory("base")));
      assert.equal(fake.state.dead, false);
    }
    assert.deepEqual([(await generate(gateway)).version, (await generate(gateway)).status], ["0", 200]);
  });
});

describe("vllm weights: a server restarted behind its URL", () => {
  test("gets no request before it has the published weights again", async () => {
    const first = await fakeServer({ started: 1000 });
    const steady = await fakeServer();
    const gateway = await front([first, steady]);
    for (const name of ["one", "two", "three"]) assert.equal((await sync(gateway, disk(name))).body.state, "completed");
    await first.stop();
    const again = await fakeServer({ port: first.port, started: 2000 });
    again.loadFault = { kind: "fail", words: "disk is away" };
    await until("noticed and fenced", async () => (await server(gateway, "vllm-0")).state === "quarantined");
    for (let at = 0; at < 10; at += 1) {
      const { by, version } = await generate(gateway);
      assert.deepEqual([by, version], ["vllm-1", "3"]);
    }
    assert.equal(generations(again), 0);
    again.loadFault = null;
    assert.equal((await post(`${gateway.url}/api/servers/vllm-0/refit`, {})).status, 200);
    assert.equal(again.state.weights, weightsOf(directory("three")));
    assert.equal((await server(gateway, "vllm-0")).weight_version, 3);
  });

  test("is noticed while it never was away, by its start time, and loads by itself", async () => {
    const clock = { started: 1000 };
    const fake = await startFakeWeights({
      root: directory("base"),
      get started() {
        return clock.started;
      },
    });
    open.push(fake);
    const gateway = await front([fake]);
    assert.equal((await sync(gateway, disk("one"))).body.state, "completed");
    const loads = fake.loads;
    fake.state.weights = weightsOf(directory("base"));
    fake.state.weightVersion = "default";
    await until("it has loaded again", () => fake.loads > loads);
    await until("it is back", async () => (await server(gateway, "vllm-0")).state === "ready");
    assert.equal((await generate(gateway)).version, "1");
    assert.equal(fake.state.weights, weightsOf(directory("one")));
  });

  test("a connection that was only lost changes nothing: same process, same weights", async () => {
    const fake = await fakeServer({ started: 1000 });
    const gateway = await front([fake]);
    assert.equal((await sync(gateway, disk("one"))).body.state, "completed");
    const loads = fake.loads;
    fake.state.setFaults({ health: "unavailable" });
    await until("it is away", async () => (await server(gateway, "vllm-0")).state === "unreachable");
    fake.state.setFaults({});
    await until("it is back", async () => (await server(gateway, "vllm-0")).state === "ready");
    assert.equal((await generate(gateway)).version, "1");
    assert.equal(fake.loads, loads);
  });
});

describe("vllm weights: by URL, with the plugin", () => {
  const plugin: FakeWeightsOptions = { backend: "tidegate", sees: () => false };

  test("servers without a shared disk fetch, prove the digest and then switch", async () => {
    const fakes = [await fakeServer(plugin), await fakeServer({ ...plugin, worldSize: 2 })];
    const gateway = await front(fakes);
    const { status, body } = await sync(gateway, disk("one"));
    assert.equal(status, 200, JSON.stringify(body));
    for (const entry of body.servers) assert.equal(entry.digest, body.digest);
    for (const fake of fakes) assert.equal(fake.state.weights, weightsOf(directory("one")));
    assert.equal((await server(gateway, "vllm-1")).weight_digest, body.digest);
    const upload = await fetch(`${gateway.url}/api/weight-syncs`, {
      method: "POST",
      headers: { "content-type": "application/octet-stream", prefer: "wait=20" },
      body: (await toSafetensors({ embed: [9, 2, 3, 4], head: [5, 6, 9] })) as BodyInit,
    });
    assert.equal(upload.status, 200, await upload.clone().text());
    assert.equal((await generate(gateway)).version, "2");
  });

  test("a fetch that fails leaves all as it was: rolled back for real", async () => {
    const fakes = [await fakeServer(plugin), await fakeServer(plugin)];
    const gateway = await front(fakes);
    const before = await generate(gateway);
    fakes[1]!.fetchFault = "connection reset by peer";
    const { status, body } = await sync(gateway, disk("one"));
    assert.equal(status, 424, JSON.stringify(body));
    assert.deepEqual([body.phase, body.replica], ["stage", "vllm-1"]);
    assert.match(body.upstream ?? "", /connection reset by peer/);
    for (const fake of fakes) {
      assert.deepEqual([fake.state.empty, fake.state.paused, fake.state.updating], [false, false, false]);
    }
    const after = await generate(gateway);
    assert.deepEqual([after.text, after.version], [before.text, "0"]);
    fakes[1]!.fetchFault = null;
    assert.equal((await sync(gateway, disk("one"))).body.state, "completed");
  });

  test("files are only for the token of a running transfer", async () => {
    const fake = await fakeServer(plugin);
    const gateway = await front([fake]);
    const { body } = await sync(gateway, disk("one"));
    const update = fake.seen("/update_weights").at(-1);
    const { update_info: info } = JSON.parse(new TextDecoder().decode(update?.body)) as {
      update_info: { url: string; token: string };
    };
    const headers = { authorization: `Bearer ${info.token}` };
    for (const init of [{ headers }, {}, { headers: { authorization: "Bearer nothing" } }]) {
      assert.equal((await fetch(info.url, init)).status, 401);
      assert.equal((await fetch(`${info.url}/0`, init)).status, 401);
    }
    assert.ok(!JSON.stringify(body).includes(info.token));
  });
});
