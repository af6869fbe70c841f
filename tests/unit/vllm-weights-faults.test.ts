/** vLLM servers (fakes) that fail in a weight sync, or are restarted behind their URL: fenced, alive, refitted. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Server } from "../../src/contract/control/servers.ts";
import { startFakeWeights, weightsOf } from "../fakes/vllm-weights.ts";
import { post, until } from "../runtime/start.ts";
import {
  type Answered,
  directory,
  disk,
  fakeServer,
  front,
  generate,
  generations,
  open,
  server,
  sync,
  useWeights,
} from "./cases/vllm-weights-rig.ts";

useWeights();

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
