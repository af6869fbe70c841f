import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { vllmRoutes } from "../../routes/vllm/mod.ts";
import { GatewayError } from "../../src/errors.ts";
import type { Readiness } from "../../src/gateway-types.ts";
import { createFakeGateway, type FakeOptions } from "../support/fake-gateway.ts";
import { readRecording, replay } from "../support/recording.ts";
import { createRouteApp } from "../support/route-app.ts";

const appOf = (options: FakeOptions = {}) => {
  const fake = createFakeGateway(options);
  return { ...fake, app: createRouteApp(vllmRoutes, fake.gateway) };
};

/** Recorded calls whose answer must be the very same. */
const SAME = [
  "get-world-size",
  "get-world-size-no-dp",
  "pause-idle-abort",
  "pause-mode-in-body",
  "resume",
  "is-paused",
  "is-sleeping",
  "reset-prefix-cache",
  "sleep-level-1",
  "wake-up",
  "shutdown-weight-transfer-unconfigured",
];

/** Recorded refusals: vLLM's status and shape, our words. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  "get-world-size-bad-query": /^include_dp must be one of .*"true"/,
  "pause-bad-mode": /^mode must be one of "abort", "wait", "keep"/,
  "reset-prefix-cache-bad-query": /^reset_running_requests must be one of/,
  "sleep-bad-level": /^level must be at most 2/,
  "update-weight-version-missing": /^new_version is required: a string/,
  "update-weight-version-number": /^new_version must be a string, got 7/,
  "init-weight-transfer-no-body": /^init_info is required: an object/,
  "init-weight-transfer-no-init-info": /^init_info is required: an object/,
  "init-weight-transfer-init-info-string": /^init_info must be an object, got "x"/,
  "update-weights-no-body": /^update_info is required/,
  "update-weights-bad-body": /^update_info is required/,
  "finish-weight-update-bad-version": /^weight_version must be a string, got 3/,
  "abort-requests-array": /must be a JSON object/,
  "abort-requests-no-body": /^body is required/,
};

/** Where vLLM says 500, which trainers repeat three times, we say 400 or 409 and what to do. */
const NO_NCCL: Readonly<Record<string, number>> = {
  "init-weight-transfer-unconfigured": 400,
  "start-weight-update-unconfigured": 409,
  "start-weight-update-old-body-unconfigured": 409,
  "update-weights-unconfigured": 409,
  "finish-weight-update-unconfigured": 409,
};

const DOWN: Readiness = {
  ready: false,
  reason: "No replica is ready.",
  servers: [{ id: "embedded-0", state: "starting", reason: "loading" }],
};

describe("vLLM routes", () => {
  for (const name of SAME) {
    test(`answers ${name} as vLLM does`, async () => {
      const recording = readRecording(name);
      const response = await replay(appOf().app, recording);
      assert.equal(response.status, recording.response.status);
      assert.deepEqual(await response.json(), recording.response.body);
    });
  }

  for (const [name, message] of Object.entries(REFUSED)) {
    test(`refuses ${name} with vLLM's status and shape`, async () => {
      const recording = readRecording(name);
      const response = await replay(appOf().app, recording);
      assert.equal(response.status, recording.response.status);
      const { error } = (await response.json()) as { error: Record<string, unknown> };
      const recorded = (recording.response.body as { error: Record<string, unknown> }).error;
      assert.deepEqual(Object.keys(error), Object.keys(recorded));
      assert.match(String(error.message), message);
      assert.equal(error.code, 400);
    });
  }

  for (const [name, status] of Object.entries(NO_NCCL)) {
    test(`says ${status} and the way that works to ${name}`, async () => {
      const response = await replay(appOf().app, readRecording(name));
      assert.equal(response.status, status);
      const { error } = (await response.json()) as { error: { message: string; code: number } };
      assert.match(error.message, /needs an NCCL group.*POST \/api\/weight-syncs/);
      assert.equal(error.code, status);
    });
  }

  test("health and ping are empty 200s while somebody serves, else 503 with reasons", async () => {
    for (const path of ["/health", "/ping"]) {
      const up = await appOf().app.request(path);
      assert.equal(up.status, 200);
      assert.equal(await up.text(), "");
      const down = await appOf({ over: { fleet: { readiness: () => DOWN } } }).app.request(path);
      assert.equal(down.status, 503);
      assert.deepEqual(await down.json(), { detail: "No replica is ready.", servers: DOWN.servers });
    }
  });

  test("hands query values to the gateway", async () => {
    const { app, controls } = appOf();
    await app.post("/pause?mode=keep&clear_cache=false");
    await app.post("/pause");
    await app.post("/reset_prefix_cache?reset_running_requests=true&reset_external=true");
    await app.post("/sleep?level=2");
    await app.post("/wake_up?tags=weights&tags=kv_cache");
    await app.post("/wake_up?tags=weights");
    assert.deepEqual(controls, [
      ["pause", "keep", false],
      ["pause", "abort", true],
      ["resetPrefixCache", true],
      ["sleep", 2],
      ["wakeUp", ["weights", "kv_cache"]],
      ["wakeUp", ["weights"]],
    ]);
  });

  test("says sleeping while some tag sleeps", async () => {
    const { app } = appOf({ over: { control: { isSleeping: () => Promise.resolve(true) } } });
    const response = await app.post("/wake_up?tags=weights");
    assert.deepEqual(await response.json(), readRecording("wake-up-weights").response.body);
  });

  test("a refused reset is a 200 with success false", async () => {
    const resetPrefixCache = () =>
      Promise.resolve({
        servers: [
          { id: "a", result: true },
          { id: "b", result: false },
        ],
      });
    const { app } = appOf({ over: { control: { resetPrefixCache } } });
    const response = await app.post("/reset_prefix_cache");
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), { success: false });
  });

  test("never answers a stateful call with 500, 502 or 503", async () => {
    const failures = [
      new GatewayError("internal", "x"),
      new GatewayError("upstream_failed", "x"),
      new GatewayError("no_replica", "x"),
      new Error("unexpected"),
    ];
    for (const failure of failures) {
      const { app } = appOf({ over: { control: { pause: () => Promise.reject(failure) } } });
      const response = await app.post("/pause");
      assert.ok([424, 409].includes(response.status), `${failure.message}: ${response.status}`);
    }
    const { app } = appOf({ over: { control: { resume: () => Promise.resolve({ servers: [] }) } } });
    assert.equal((await app.post("/resume")).status, 409);
  });

  test("names the replicas that did not pause", async () => {
    const pause = () =>
      Promise.resolve({
        servers: [
          { id: "a", result: null },
          { id: "b", error: "the worker is gone" },
        ],
      });
    const response = await appOf({ over: { control: { pause } } }).app.post("/pause");
    assert.equal(response.status, 424);
    assert.match(await response.text(), /1 of 2 replicas did not pause: b: the worker is gone/);
  });

  test("confirms the current weight version and refuses another", async () => {
    const { app } = appOf();
    assert.deepEqual(await (await app.request("/weight_info")).json(), { weight_version: "7" });
    const same = await app.post("/update_weight_version", { new_version: "7" });
    assert.deepEqual(await same.json(), { success: true, new_version: "7" });
    const other = await app.post("/update_weight_version", { new_version: "step-8" });
    assert.equal(other.status, 409);
    assert.match(await other.text(), /serves weight version 7, not \\"step-8\\"/);
  });

  test("aborts all requests and goes on; a fleet that was paused stays paused", async () => {
    const { app, controls } = appOf();
    const response = await app.post("/abort_requests", {});
    assert.deepEqual(await response.json(), { status: "aborted", aborted: 2 });
    assert.deepEqual(controls, [["pause", "abort", false], ["resume"]]);
    const paused = appOf({ over: { control: { isPaused: () => Promise.resolve(true) } } });
    await paused.app.post("/abort_requests", {});
    assert.deepEqual(paused.controls, [["pause", "abort", false]]);
    assert.equal((await app.post("/abort_requests", { request_ids: ["a"] })).status, 400);
  });

  test("server_info says what TRL's client looks at, or hands a vLLM replica's own on", async () => {
    const own = await appOf().app.request("/server_info?config_format=json");
    const body = (await own.json()) as {
      vllm_config: { model_config: { dtype: string }; weight_transfer_config: unknown };
    };
    assert.equal(body.vllm_config.weight_transfer_config, null);
    assert.equal(body.vllm_config.model_config.dtype, "torch.float32");
    const text = (await (await appOf().app.request("/server_info")).json()) as { vllm_config: unknown };
    assert.equal(typeof text.vllm_config, "string");
    let target = "";
    const upstream: FakeOptions["upstream"] = (call) => {
      target = call.target;
      return new Response('{"vllm_config":{}}');
    };
    const forwarded = await appOf({ upstream }).app.request("/server_info?config_format=json");
    assert.equal(await forwarded.text(), '{"vllm_config":{}}');
    assert.equal(target, "/server_info?config_format=json");
  });

  test("load counts what is in flight, unknown paths are vLLM's 404", async () => {
    const { app } = appOf();
    assert.deepEqual(await (await app.request("/load")).json(), { server_load: 2 });
    const response = await app.request("/no/such/path");
    assert.equal(response.status, 404);
    assert.deepEqual(await response.json(), readRecording("not-found-404").response.body);
  });
});
