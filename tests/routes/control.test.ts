import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Server } from "../../src/contract/control/servers.ts";
import type { WeightSync } from "../../src/contract/control/weight-syncs.ts";
import type { ReplicaId } from "../../src/contract/ids.ts";
import { GatewayError } from "../../src/errors.ts";
import { createFakeGateway, SERVER, SYNC } from "../support/fake-gateway.ts";
import { createHttpApp } from "../support/http-app.ts";
import { DISK, FAILED, json, type ProblemBody, RUNNING, recordingApp } from "../support/syncs.ts";

describe("fleet and servers", () => {
  test("the fleet is one object", async () => {
    const fleet = await json<{ state: string; servers: unknown[] }>(createHttpApp().request("/api/fleet"));
    assert.equal(fleet.state, "ready");
    assert.equal(fleet.servers.length, 1);
  });

  test("lists are newest first, cut by limit and after", async () => {
    const servers = ["a", "b", "c", "d"].map((id): Server => ({ ...SERVER, id: id as ReplicaId }));
    const fleet = createFakeGateway().gateway.fleet.snapshot();
    const app = createHttpApp({ over: { fleet: { snapshot: () => ({ ...fleet, servers }) } } });
    const ids = async (query: string): Promise<string> =>
      (await json<{ servers: Server[] }>(app.request(`/api/servers${query}`))).servers.map(({ id }) => id).join("");
    assert.equal(await ids(""), "dcba");
    assert.equal(await ids("?limit=2"), "dc");
    assert.equal(await ids("?limit=2&after=c"), "ba");
    assert.equal(await ids("?after=a"), "");
  });

  for (const [query, param] of [
    ["limit=0", "limit"],
    ["limit=1001", "limit"],
    ["limit=many", "limit"],
    ["after=", "after"],
    ["after=nobody", "after"],
  ] as const) {
    test(`?${query} is refused by name`, async () => {
      const response = await createHttpApp().request(`/api/servers?${query}`);
      assert.equal(response.status, 400);
      assert.equal((await json<ProblemBody>(response)).param, param);
    });
  }

  test("attach answers 201 and where", async () => {
    const response = await createHttpApp().send("POST", "/api/servers", { url: "http://127.0.0.1:8001" });
    assert.equal(response.status, 201);
    assert.equal(response.headers.get("location"), "/api/servers/embedded-0");
  });

  for (const [name, body, code, param] of [
    ["no url", {}, "missing_field", "url"],
    ["a word for a url", { url: "here" }, "invalid_value", "url"],
    ["another protocol", { url: "ftp://127.0.0.1" }, "invalid_value", "url"],
    ["an unknown kind", { url: "http://h", kind: "sglang" }, "invalid_value", "kind"],
    ["an unknown field", { url: "http://h", adress: 1 }, "unknown_field", "adress"],
    ["broken JSON", '{"url":', "malformed_json", undefined],
    ["a list", [], "invalid_value", "body"],
  ] as const) {
    test(`attach refuses ${name}`, async () => {
      const response = await createHttpApp().send("POST", "/api/servers", body);
      assert.equal(response.status, 400);
      const problem = await json<ProblemBody>(response);
      assert.deepEqual([problem.code, problem.param], [code, param]);
    });
  }

  for (const method of ["GET", "PATCH", "DELETE"]) {
    test(`${method} of a stranger is 404 and says where to look`, async () => {
      const app = createHttpApp();
      const response = await app.send(
        method,
        "/api/servers/nobody",
        method === "PATCH" ? { state: "ready" } : undefined,
      );
      assert.equal(response.status, 404);
      assert.match((await json<ProblemBody>(response)).detail, /nobody.*GET \/api\/servers/);
    });
  }

  test("patch and detach", async () => {
    const asked: unknown[] = [];
    const app = createHttpApp({
      over: {
        fleet: {
          patch: async (id, request) => {
            asked.push(["patch", id, request]);
            return { ...SERVER, state: "draining" };
          },
          detach: async (id) => void asked.push(["detach", id]),
        },
      },
    });
    const patched = await app.send("PATCH", "/api/servers/embedded-0", { state: "draining" });
    assert.equal((await json<Server>(patched)).state, "draining");
    assert.equal((await app.send("DELETE", "/api/servers/embedded-0")).status, 204);
    assert.deepEqual(asked, [
      ["patch", "embedded-0", { state: "draining" }],
      ["detach", "embedded-0"],
    ]);
    assert.equal((await app.send("PATCH", "/api/servers/embedded-0", { state: "stopped" })).status, 400);
  });
});

describe("starting a weight sync in JSON", () => {
  test("202, Location and the sync; defaults are filled in", async () => {
    const { app, started } = recordingApp(RUNNING);
    const response = await app.send("POST", "/api/weight-syncs", DISK, { "idempotency-key": "step-1" });
    assert.equal(response.status, 202);
    assert.equal(response.headers.get("location"), "/api/weight-syncs/ws_1");
    assert.equal((await json<WeightSync>(response)).state, "running");
    assert.deepEqual(started[0]?.request, { ...DISK, mode: "wait", deadline_s: 600, verify: true, partial: false });
    assert.equal(started[0]?.by.actor, "anonymous");
    assert.equal(started[0]?.by.idempotencyKey, "step-1");
  });

  test("Prefer: wait answers 200 with the completed sync", async () => {
    const waits: number[] = [];
    const { app } = recordingApp(RUNNING, {
      wait: async (_id, milliseconds) => {
        waits.push(milliseconds);
        return SYNC;
      },
    });
    const response = await app.send("POST", "/api/weight-syncs", DISK, { prefer: "respond-async, wait=12" });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("preference-applied"), "wait=12");
    assert.deepEqual(waits, [12_000]);
    assert.equal((await json<WeightSync>(response)).state, "completed");
  });

  test("Prefer: wait answers 202 when the time passed first", async () => {
    const { app } = recordingApp(RUNNING, { wait: async () => RUNNING });
    assert.equal((await app.send("POST", "/api/weight-syncs", DISK, { prefer: "wait=0" })).status, 202);
  });

  test("a failed sync answers with its own code, phase and tensor", async () => {
    const { app } = recordingApp(RUNNING, { wait: async () => FAILED });
    const response = await app.send("POST", "/api/weight-syncs", DISK, { prefer: "wait=5" });
    assert.equal(response.status, 400);
    const problem = await json<ProblemBody>(response);
    assert.deepEqual(
      [problem.code, problem.phase, problem.tensor],
      ["weights_shape_mismatch", "stage", "lm_head.weight"],
    );
    assert.match(problem.detail, /ws_1/);
  });

  for (const code of ["internal", "upstream_failed", "no_replica", "never heard of"]) {
    test(`a sync that failed with "${code}" is 424, which no client repeats`, async () => {
      const failed: WeightSync = { ...FAILED, error: { code, phase: "switch", message: "It broke." } };
      const { app } = recordingApp(RUNNING, { wait: async () => failed });
      assert.equal((await app.send("POST", "/api/weight-syncs", DISK, { prefer: "wait=5" })).status, 424);
    });
  }

  test("an accident in the gateway is 424 as well", async () => {
    const { app } = recordingApp(RUNNING, { wait: () => Promise.reject(new Error("boom")) });
    assert.equal((await app.send("POST", "/api/weight-syncs", DISK, { prefer: "wait=5" })).status, 424);
  });

  test("an aborted sync is 409", async () => {
    const { app } = recordingApp(RUNNING, { wait: async () => ({ ...RUNNING, state: "aborted" }) });
    assert.equal((await app.send("POST", "/api/weight-syncs", DISK, { prefer: "wait=5" })).status, 409);
  });

  test("what the gateway refuses at once is passed on", async () => {
    const app = createHttpApp({
      over: {
        syncs: {
          start: () => Promise.reject(new GatewayError("sync_in_progress", "Sync ws_7 is running.")),
        },
      },
    });
    const response = await app.send("POST", "/api/weight-syncs", DISK);
    assert.equal(response.status, 409);
    assert.equal((await json<ProblemBody>(response)).code, "sync_in_progress");
  });

  for (const [name, body, code, param] of [
    ["nothing", {}, "missing_field", "source"],
    ["an unknown kind of source", { source: { kind: "ftp" } }, "invalid_value", "source.kind"],
    ["an upload without a body", { source: { kind: "upload" } }, "invalid_value", "source.kind"],
    ["a negative version", { ...DISK, version: -1 }, "invalid_value", "version"],
    ["a fraction of a version", { ...DISK, version: 1.5 }, "invalid_value", "version"],
    ["an unknown mode", { ...DISK, mode: "now" }, "invalid_value", "mode"],
    ["no time at all", { ...DISK, deadline_s: 0 }, "invalid_value", "deadline_s"],
    ["a forever deadline", { ...DISK, deadline_s: 1e9 }, "invalid_value", "deadline_s"],
    ["an unknown field", { ...DISK, parcial: true }, "unknown_field", "parcial"],
    ["text", "source=disk", "malformed_json", undefined],
  ] as const) {
    for (const path of ["/api/weight-syncs", "/api/weight-syncs/dry-run"]) {
      test(`${path} refuses ${name}`, async () => {
        const { app, started } = recordingApp();
        const response = await app.send("POST", path, body);
        assert.equal(response.status, 400);
        const problem = await json<ProblemBody>(response);
        assert.deepEqual([problem.code, problem.param], [code, param]);
        assert.equal(started.length, 0);
      });
    }
  }

  test("another content type is 415", async () => {
    const { app } = recordingApp();
    const response = await app.send("POST", "/api/weight-syncs", "x", { "content-type": "text/plain" });
    assert.equal(response.status, 415);
  });

  test("fields in the query of a JSON request are refused, not overlooked", async () => {
    const { app, started } = recordingApp();
    const response = await app.send("POST", "/api/weight-syncs?label=x", DISK);
    assert.equal(response.status, 400);
    assert.equal(started.length, 0);
  });

  test("a bad idempotency key is refused by name", async () => {
    const { app } = recordingApp();
    const response = await app.send("POST", "/api/weight-syncs", DISK, { "idempotency-key": "a b" });
    assert.equal((await json<ProblemBody>(response)).param, "Idempotency-Key");
  });
});

describe("weight syncs and versions as resources", () => {
  test("get, list, abort", async () => {
    const app = createHttpApp();
    assert.equal((await json<WeightSync>(app.request("/api/weight-syncs/ws_1"))).id, "ws_1");
    assert.equal((await json<{ weight_syncs: unknown[] }>(app.request("/api/weight-syncs"))).weight_syncs.length, 1);
    assert.equal((await app.send("DELETE", "/api/weight-syncs/ws_1")).status, 200);
  });

  for (const [method, path] of [
    ["GET", "/api/weight-syncs/ws_0"],
    ["DELETE", "/api/weight-syncs/ws_0"],
    ["GET", "/api/weight-syncs/ws_0/events"],
    ["GET", "/api/weight-versions/99"],
    ["GET", "/api/offload-nothing"],
  ] as const) {
    test(`${method} ${path} is 404`, async () => {
      const response = await createHttpApp().request(path, { method });
      assert.equal(response.status, 404);
      assert.equal((await json<ProblemBody>(response)).code, "not_found");
    });
  }

  test("a malformed id is 400, an unknown method 405 with Allow", async () => {
    const app = createHttpApp();
    assert.equal((await app.request("/api/weight-syncs/7")).status, 400);
    assert.equal((await app.request("/api/weight-versions/new")).status, 400);
    const response = await app.request("/api/fleet", { method: "DELETE" });
    assert.equal(response.status, 405);
    assert.equal(response.headers.get("allow"), "GET");
  });

  test("paging goes to the gateway as it was asked", async () => {
    const pages: unknown[] = [];
    const app = createHttpApp({
      over: {
        versions: {
          list: (page) => {
            pages.push(page);
            return [];
          },
        },
      },
    });
    await app.request("/api/weight-versions");
    await app.request("/api/weight-versions?limit=5&after=12");
    assert.deepEqual(pages, [{ limit: 100 }, { limit: 5, after: "12" }]);
  });

  test("a dry run says why not", async () => {
    const verdict = { possible: false, servers: [], reasons: ["two world sizes"], bytes_total: 1, digest: null };
    const app = createHttpApp({ over: { syncs: { dryRun: async () => verdict } } });
    assert.deepEqual(await json(app.send("POST", "/api/weight-syncs/dry-run", DISK)), verdict);
  });
});
