/** What a trainer's update leaves behind on the servers: closed sessions whatever their words, no old prefixes, no half pause. */
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { type Rig, startRig } from "../support/trainer-rig.ts";

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.end();
  rig = undefined;
});

const targets = ({ fakes }: Rig, at: number): readonly string[] =>
  fakes[at]!.state.seen.filter(({ method }) => method === "POST").map(({ target }) => target);

/** A revision that says something else when there is nothing to finish. */
const otherWords = async (url: string | URL | Request, init?: RequestInit): Promise<Response> => {
  const response = await fetch(url, { ...init, redirect: "manual" });
  if (response.status !== 500 || !String(url).endsWith("/finish_weight_update")) return response;
  return Response.json({ error: { message: "No session.", type: "InternalServerError" } }, { status: 500 });
};

describe("closing what is open", () => {
  test("a server that never began is made good by the next update, whatever it says to a finish", async () => {
    rig = await startRig([{}, {}], {}, { fetch: otherWords });
    const { trainer } = await rig.join();
    rig.fakes[1]!.state.setFaults({ paths: ["/start_weight_update"], status: 500, count: 1 });
    assert.equal((await rig.post("/start_weight_update", {})).status, 424);
    const answers = await rig.sync(trainer, 1);
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200],
      JSON.stringify(answers),
    );
    const fleet = await rig.get("/api/fleet");
    assert.deepEqual(
      fleet.servers.map(({ state, weight_version }) => [state, weight_version]),
      [
        ["ready", 1],
        ["ready", 1],
      ],
    );
  });
});

describe("a group that has lost a server", () => {
  for (const how of ["detached", "restarted"] as const) {
    test(`${how} while nobody sends: the next start is refused, and the trainer joins anew`, async () => {
      rig = await startRig([{}, {}]);
      await rig.join();
      const { state } = rig.fakes[1]!;
      if (how === "detached") await rig.request("/api/servers/vllm-1", { method: "DELETE" });
      else {
        state.reborn();
        // Noticed by a probe, long before the trainer says anything.
        while (!rig.lines.some((line) => /restarted|another process/.test(line)))
          await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const refused = await rig.post("/start_weight_update", {});
      assert.equal(refused.status, 409);
      assert.match(refused.body.error.message, new RegExp(`no longer complete: vllm-1 \\(.*it was ${how}\\)`));
      assert.equal(rig.fakes[0]!.state.transfer.active, false);
      const { trainer, status } = await rig.join();
      assert.equal(status, 200);
      for (const answer of await rig.sync(trainer, 1)) assert.equal(answer.status, 200, JSON.stringify(answer.body));
    });
  }
});

describe("prefixes of the old weights", () => {
  for (const clear of [true, false]) {
    test(`after the trainer's own pause with keep and clear_cache=${clear}`, async () => {
      rig = await startRig([{}, {}]);
      const { trainer } = await rig.join();
      await rig.post(`/pause?mode=keep&clear_cache=${clear}`);
      for (const { status } of await rig.sync(trainer, 1)) assert.equal(status, 200);
      for (const at of [0, 1]) {
        const seen = targets(rig, at);
        assert.equal(seen.at(-1), "/reset_prefix_cache?reset_running_requests=true");
        assert.equal(seen.at(-2), "/finish_weight_update");
      }
    });
  }

  for (const [clear, state] of [
    [true, "ready"],
    [false, "quarantined"],
  ] as const) {
    test(`a server that refuses to empty them, paused with clear_cache=${clear}, is ${state}`, async () => {
      const refuse: typeof fetch = Object.assign(
        async (url: string | URL | Request, init?: RequestInit) =>
          String(url).includes("/reset_prefix_cache") ? Response.json({ success: false }) : fetch(url, init),
        { preconnect: () => undefined },
      );
      rig = await startRig([{}], {}, { fetch: refuse });
      const { trainer } = await rig.join();
      await rig.post(`/pause?mode=keep&clear_cache=${clear}`);
      assert.equal((await rig.sync(trainer, 1)).at(-1)?.status, clear ? 200 : 424);
      assert.equal((await rig.get("/api/fleet")).servers[0]?.state, state);
    });
  }

  test("a server that keeps them serves nobody", async () => {
    rig = await startRig([{}, {}]);
    const { trainer } = await rig.join();
    rig.fakes[1]!.state.setFaults({ paths: ["/reset_prefix_cache"], status: 500 });
    const finished = (await rig.sync(trainer, 1)).at(-1);
    assert.equal(finished?.status, 424);
    assert.match(finished?.body.error.message ?? "", /vllm-1.*prefix cache of the old weights/);
    const fleet = await rig.get("/api/fleet");
    assert.deepEqual(
      fleet.servers.map(({ state }) => state),
      ["ready", "quarantined"],
    );
    rig.fakes[1]!.state.setFaults({});
    assert.equal((await rig.post("/api/servers/vllm-1/refit")).status, 200);
    assert.equal(targets(rig, 1).includes("/reset_prefix_cache?reset_running_requests=true"), true);
    assert.equal((await rig.ask()).version, "1");
  });
});

describe("a pause that one server refuses", () => {
  for (const [path, held] of [
    ["/pause", "paused"],
    ["/sleep", "sleeping"],
  ] as const) {
    test(`${path}: the others go on, and requests are answered`, async () => {
      rig = await startRig([{}, {}]);
      rig.fakes[1]!.state.setFaults({ paths: [path], status: 500 });
      const answer = await rig.post(path);
      assert.equal(answer.status, 424);
      assert.match(answer.body.error.message, /vllm-1/);
      assert.equal(rig.fakes[0]!.state[held], false);
      for (let round = 0; round < 3; round += 1) assert.equal((await rig.ask()).status, 200);
    });
  }

  test("in an open update nobody is resumed: parameters are empty", async () => {
    rig = await startRig([{}, {}]);
    await rig.join();
    await rig.post("/start_weight_update", {});
    rig.fakes[1]!.state.setFaults({ paths: ["/pause"], status: 500 });
    assert.equal((await rig.post("/pause?mode=keep")).status, 424);
    assert.equal(targets(rig, 0).includes("/resume"), false);
    assert.equal(rig.fakes[0]!.state.paused, true);
    rig.fakes[1]!.state.setFaults({});
    assert.equal((await rig.post("/finish_weight_update", {})).status, 200);
    assert.equal((await rig.ask()).status, 200);
  });
});

test("controls that reach nobody say why, and what helps", async () => {
  rig = await startRig([{}]);
  await rig.request("/api/servers/vllm-0", { method: "DELETE" });
  for (const path of ["/pause", "/resume", "/sleep", "/wake_up", "/reset_prefix_cache"]) {
    const { status, body } = await rig.post(path);
    assert.equal(status, 409, path);
    assert.match(body.error.message, /^No replica could be asked to .*attach a server with POST \/api\/servers/);
  }
});

test("words of what a control route does not take", async () => {
  rig = await startRig([{}]);
  const source = await rig.post("/api/weight-syncs", { source: { kind: "ftp" } });
  assert.equal(String(source.body.detail), 'source.kind must be one of "disk", "http", "upload", "nccl", got "ftp".');
  const patch = await rig.request("/api/servers/vllm-0", {
    method: "PATCH",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  assert.match(await patch.text(), /state must be given, or weight instead of it, got undefined/);
});

test("a 429 of every server says when to come back", async () => {
  rig = await startRig([{}]);
  rig.fakes[0]!.state.setFaults({ status: 429 });
  const answer = await rig.request("/v1/completions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ prompt: "a" }),
  });
  assert.deepEqual([answer.status, answer.headers.get("retry-after")], [429, "1"]);
});
