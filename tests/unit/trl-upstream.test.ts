/** One `trl vllm-serve` behind the gateway: found out by itself, handed on byte for byte, its rendezvous told. */
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { createApp } from "../../src/app.ts";
import { parseConfig } from "../../src/config.ts";
import { createGateway, type Gateway } from "../../src/gateway.ts";
import { currentPorts } from "../../src/platform/current-ports.ts";
import { type FakeTrl, type FakeTrlOptions, startFakeTrl } from "../fakes/trl-vllm-serve.ts";
import { startFakeVllm } from "../fakes/vllm-server.ts";

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

interface Front {
  readonly fake: FakeTrl;
  readonly gateway: Gateway;
  ask(path: string, body?: unknown, host?: string): Promise<Response>;
}

async function open(options: FakeTrlOptions & { kind?: string; more?: readonly string[] } = {}): Promise<Front> {
  const fake = await startFakeTrl(options);
  stops.push(() => fake.stop());
  const config = parseConfig({
    upstream: [fake.url, ...(options.more ?? [])],
    upstreamKind: options.kind ?? "auto",
    logLevel: "error",
    drainTimeout: 0.1,
  });
  const gateway = createGateway(config, { ...(await currentPorts()), writeLine: () => {} });
  await gateway.start(AbortSignal.timeout(20_000));
  stops.push(() => gateway.stop());
  const app = createApp(gateway);
  return {
    fake,
    gateway,
    ask: async (path, body, host = "gateway.test") =>
      await app.fetch(
        new Request(`http://${host}${path}`, {
          method: body === undefined ? "GET" : "POST",
          ...(body !== undefined && { body: body === null ? "" : JSON.stringify(body) }),
          headers: { "content-type": "application/json" },
        }),
      ),
  };
}

const INIT = { host: "0.0.0.0", port: 51_216, world_size: 3, client_device_uuid: "GPU-1" };

describe("a `trl vllm-serve` upstream", { timeout: 60_000 }, () => {
  for (const dialect of ["0.16", "1.10"] as const) {
    for (const kind of ["auto", "trl"]) {
      test(`TRL ${dialect}, kind ${kind}: sizes and generation are its own`, async () => {
        const { ask, gateway, fake } = await open({ dialect, kind, worldSize: 2 });
        assert.equal(gateway.fleet.snapshot().servers[0]?.kind, "trl");
        assert.deepEqual(await (await ask("/get_world_size/")).json(), { world_size: 2 });
        assert.deepEqual(await (await ask("/get_tensor_parallel_size/")).json(), { tensor_parallel_size: 2 });
        const body = { prompts: ["a", "bcd"], n: 2, max_tokens: 3 };
        const answer = await ask("/generate/", body);
        assert.equal(answer.status, 200);
        const { completion_ids } = (await answer.json()) as { completion_ids: number[][] };
        assert.deepEqual(
          completion_ids.map(([first]) => first),
          [1, 2, 4, 5],
        );
        assert.equal(fake.seen.at(-1)?.body, JSON.stringify(body));
      });
    }
  }

  test("the weight calls go on byte for byte; the empty prefix cache ends an update with a new version", async () => {
    const { ask, gateway, fake } = await open({ worldSize: 2 });
    const param = { name: "w", dtype: "torch.bfloat16", shape: [2, 3] };
    const said = async (path: string, body: unknown): Promise<unknown> => {
      const answer = await ask(path, body);
      assert.equal(answer.status, 200, path);
      return ((await answer.json()) as { message: unknown }).message;
    };
    assert.equal(await said("/init_communicator/", INIT), "Request received, initializing communicator");
    assert.equal(await said("/update_named_param/", param), "Request received, updating named parameter");
    assert.equal(gateway.fleet.snapshot().weight_version, 0);
    assert.match(String(await said("/reset_prefix_cache/", null)), /status: True$/);
    assert.equal(gateway.fleet.snapshot().weight_version, 1);
    assert.equal(gateway.fleet.snapshot().servers[0]?.weight_version, 1);
    await said("/reset_prefix_cache/", null);
    assert.equal(gateway.fleet.snapshot().weight_version, 1);
    assert.equal(await said("/close_communicator/", null), "Request received, closing communicator");
    const posts = fake.seen.filter(({ call }) => call.startsWith("POST"));
    assert.deepEqual(
      posts.map(({ call }) => call),
      [
        "POST /init_communicator/",
        "POST /update_named_param/",
        "POST /reset_prefix_cache/",
        "POST /reset_prefix_cache/",
        "POST /close_communicator/",
      ],
    );
    assert.deepEqual(
      posts.slice(0, 2).map(({ body }) => body),
      [JSON.stringify(INIT), JSON.stringify(param)],
    );
  });

  test("the rendezvous' host is told in the header that TRL's client reads", async () => {
    const { ask } = await open();
    // The upstream is beside the gateway: the trainer finds it where it found the gateway.
    const near = await ask("/health/", undefined, "gateway.example");
    assert.equal(near.headers.get("x-forwarded-for"), "gateway.example");
    const local = await ask("/health/", undefined, "127.0.0.1");
    assert.equal(local.headers.get("x-forwarded-for"), "127.0.0.1");
  });

  test("its refusals are its own; its 500 becomes a 4xx, which no trainer repeats", async () => {
    const { ask, fake } = await open();
    const { client_device_uuid: _, ...without } = INIT;
    assert.equal((await ask("/init_communicator/", without)).status, 422);
    fake.fail = "/update_named_param/";
    const failed = await ask("/update_named_param/", { name: "w", dtype: "torch.float32", shape: [1] });
    assert.equal(failed.status, 424);
    assert.match(((await failed.json()) as { detail: string }).detail, /trl-?\d*|vllm-0.*500.*Internal Server Error/);
    await fake.stop();
    const gone = await ask("/close_communicator/", null);
    assert.equal(gone.status, 424);
  });

  test("beside another server a trainer's tensors are refused with the mend", async () => {
    const other = await startFakeVllm();
    stops.push(() => other.stop());
    const { ask, fake } = await open({ more: [other.url] });
    const refused = await ask("/init_communicator/", INIT);
    assert.equal(refused.status, 409);
    assert.match(((await refused.json()) as { detail: string }).detail, /only alone/);
    assert.ok(!fake.seen.some(({ call }) => call === "POST /init_communicator/"));
  });
});
