/** `--upstream dns://name:port`: every address is a server; who appears is attached, who leaves is drained and detached. */
import assert from "node:assert/strict";
import process from "node:process";
import { afterEach, describe, test } from "node:test";
import { parseConfig } from "../../src/config.ts";
import { createGateway } from "../../src/gateway.ts";
import { currentPorts } from "../../src/platform/current-ports.ts";
import { type FakeVllm, startFakeVllm } from "../fakes/vllm-server.ts";
import { type Rig, realClock, startRig } from "../support/trainer-rig.ts";

// Several addresses with one port: only Linux has all of 127.0.0.0/8.
const skip = process.platform === "linux" ? false : "needs 127.0.0.2 and so on";

const plain = { fetch: (url: string, init: RequestInit) => fetch(url, { ...init, redirect: "manual" }) };
const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
};

let rig: Rig | undefined;
let others: FakeVllm[] = [];
afterEach(async () => {
  await rig?.end();
  for (const fake of others) await fake.stop();
  rig = undefined;
  others = [];
});

/** A fake at 127.0.0.1 in the rig, others at further addresses with its port, and a name whose addresses the test sets. */
async function start(addresses: () => readonly string[] | Error, more = 2): Promise<Rig> {
  const asked: string[] = [];
  rig = await startRig(
    [{}],
    { dnsInterval: 0.05 },
    {
      ...plain,
      async resolve(name) {
        asked.push(name);
        const found = addresses();
        if (found instanceof Error) throw found;
        return found;
      },
    },
    async (fake) => {
      for (let at = 2; at < 2 + more; at += 1) {
        others.push(await startFakeVllm({ host: `127.0.0.${at}`, port: fake.port, name: `at-${at}` }));
      }
      return `dns://vllm.example:${fake.port}`;
    },
  );
  assert.equal(asked[0], "vllm.example");
  return rig;
}

interface Shown {
  readonly id: string;
  readonly url: string;
  readonly state: string;
  readonly weight_version: number | null;
}
const servers = async (): Promise<readonly Shown[]> =>
  (await rig!.get("/api/fleet")).servers as unknown as readonly Shown[];
const hosts = async (): Promise<readonly string[]> => (await servers()).map(({ url }) => new URL(url).hostname);

describe("an upstream that is a name", { skip }, () => {
  test("is every address it has; one that appears serves, one that leaves is detached", async () => {
    let found = ["127.0.0.2", "127.0.0.1"];
    await start(() => found);
    assert.deepEqual(await hosts(), ["127.0.0.1", "127.0.0.2"]);
    found = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];
    await until(async () => (await servers()).filter(({ state }) => state === "ready").length === 3);
    const by = new Set<string | null>();
    for (let times = 0; times < 6; times += 1) by.add((await rig!.ask()).by);
    assert.equal(by.size, 3);
    found = ["127.0.0.3"];
    await until(async () => (await hosts()).join() === "127.0.0.3");
    assert.equal((await rig!.ask()).status, 200);
  });

  test("one that appears with older weights gets no request", async () => {
    let found = ["127.0.0.1"];
    await start(() => found);
    const { trainer } = await rig!.join();
    for (const { status } of await rig!.sync(trainer, 1)) assert.equal(status, 200);
    found = ["127.0.0.1", "127.0.0.2"];
    await until(async () => (await servers()).some(({ state }) => state === "quarantined"));
    for (let times = 0; times < 6; times += 1) assert.equal((await rig!.ask()).version, "1");
    assert.equal(others[0]!.seen("/v1/completions").length, 0);
  });

  test("requests of a server that leaves are let finish", async () => {
    let found = ["127.0.0.1"];
    await start(() => found);
    rig!.fakes[0]!.state.tokenDelayMs = 20;
    const running = rig!.ask();
    await until(() => rig!.fakes[0]!.state.running.size === 1);
    found = ["127.0.0.2"];
    await until(async () => (await servers()).some(({ state }) => state === "draining"));
    assert.equal((await running).status, 200);
    await until(async () => (await hosts()).join() === "127.0.0.2");
  });

  test("a name server that fails, or knows nobody, changes nothing", async () => {
    let found: readonly string[] | Error = ["127.0.0.1", "127.0.0.2"];
    let looks = 0;
    await start(() => {
      looks += 1;
      return found;
    });
    for (const trouble of [new Error("SERVFAIL"), []]) {
      found = trouble;
      const from = looks;
      await until(() => looks > from + 2);
      assert.deepEqual(await hosts(), ["127.0.0.1", "127.0.0.2"]);
    }
    assert.ok(rig!.lines.some((line) => /name cannot be looked up.*SERVFAIL/.test(line)));
  });

  test("a server that somebody detached is not attached again while its address stays", async () => {
    let looks = 0;
    await start(() => {
      looks += 1;
      return ["127.0.0.1", "127.0.0.2"];
    });
    const [first] = await servers();
    assert.equal((await rig!.request(`/api/servers/${first!.id}`, { method: "DELETE" })).status, 204);
    const from = looks;
    await until(() => looks > from + 2);
    assert.deepEqual(await hosts(), ["127.0.0.2"]);
  });

  test("an address that does not answer yet joins when it does", async () => {
    let found = ["127.0.0.1"];
    await start(() => found, 0);
    found = ["127.0.0.1", "127.0.0.9"];
    await until(async () => (await servers())[1]?.state === "unreachable");
    others.push(await startFakeVllm({ host: "127.0.0.9", port: rig!.fakes[0]!.port }));
    await until(async () => (await servers()).every(({ state }) => state === "ready"));
  });
});

describe("what cannot be", () => {
  test("malformed names are refused with the form", () => {
    for (const upstream of ["dns://", "dns://name", "dns://name:0", "dns://name:70000", "dns://na me:80", "ftp://x"]) {
      assert.throws(() => parseConfig({ upstream: [upstream] }), { code: "invalid_value" }, upstream);
    }
    assert.deepEqual(parseConfig({ upstream: ["dns://[::1]:80", "http://a:1/"] }).upstream, [
      "dns://[::1]:80",
      "http://a:1",
    ]);
  });

  const ports = {
    runtime: "edge",
    clock: realClock,
    random: { uuid: () => crypto.randomUUID(), float: () => 0.5 },
    writeLine: () => undefined,
    ...plain,
  };

  test("a runtime that cannot look names up says so", () => {
    const config = parseConfig({ upstream: ["dns://name:80"] });
    assert.throws(() => createGateway(config, ports), /dns:\/\/name:80: edge cannot look names up/);
  });

  test("a name without an address ends the start after --upstream-wait", async () => {
    const config = parseConfig({ upstream: ["dns://name:80"], upstreamWait: 0.05 });
    const gateway = createGateway(config, { ...ports, resolve: () => Promise.reject(new Error("ENOTFOUND")) });
    await assert.rejects(gateway.start(new AbortController().signal), /None of the names has an address: dns:\/\/name/);
    await gateway.stop();
  });

  test("the runtime's own look-up knows this machine", async () => {
    const { resolve } = await currentPorts();
    const found = await resolve!("localhost");
    assert.ok(
      found.some((address) => address === "127.0.0.1" || address === "::1"),
      String(found),
    );
  });
});
