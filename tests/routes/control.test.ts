import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { FleetEvent } from "../../src/contract/control/fleet.ts";
import type { Server } from "../../src/contract/control/servers.ts";
import type { StartSync, WeightSync } from "../../src/contract/control/weight-syncs.ts";
import type { ReplicaId } from "../../src/contract/ids.ts";
import { GatewayError } from "../../src/errors.ts";
import type { Gateway } from "../../src/gateway-types.ts";
import { createFakeGateway, SERVER, SYNC } from "../support/fake-gateway.ts";
import { chunked, createHttpApp } from "../support/http-app.ts";

const RUNNING: WeightSync = { ...SYNC, state: "running", phase: "stage", digest: null, finished_at: null };
const FAILED: WeightSync = {
  ...SYNC,
  state: "failed",
  phase: "stage",
  error: {
    code: "weights_shape_mismatch",
    phase: "stage",
    tensor: "lm_head.weight",
    message: "lm_head.weight is [2].",
  },
};
const DISK = { source: { kind: "disk", path: "/models/next" } };
const OCTETS = { "content-type": "application/octet-stream" };

const json = async <T>(response: Response | Promise<Response>): Promise<T> => (await (await response).json()) as T;

interface ProblemBody {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly param?: string;
  readonly phase?: string;
  readonly tensor?: string;
}

/** An app whose `syncs.start` writes down what it was given. */
function recordingApp(answer: WeightSync = SYNC, more: Partial<Gateway["syncs"]> = {}) {
  const started: { request: StartSync; by: Parameters<Gateway["syncs"]["start"]>[1]; bytes: number }[] = [];
  const app = createHttpApp({
    over: {
      syncs: {
        start: async (request, by, upload) => {
          let bytes = 0;
          for await (const piece of upload ?? []) bytes += piece.byteLength;
          started.push({ request, by, bytes });
          return answer;
        },
        ...more,
      },
    },
  });
  return { app, started };
}

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

describe("uploading weights", () => {
  test("the body is streamed, the query says the rest", async () => {
    const { app, started } = recordingApp(RUNNING);
    const response = await app.request(
      "/api/weight-syncs?version=9&label=step-9&partial=true&mode=keep&deadline_s=30",
      {
        ...chunked(new Uint8Array(3), new Uint8Array(4)),
        headers: OCTETS,
      },
    );
    assert.equal(response.status, 202);
    assert.equal(started[0]?.bytes, 7);
    assert.deepEqual(started[0]?.request, {
      version: 9,
      label: "step-9",
      source: { kind: "upload" },
      mode: "keep",
      deadline_s: 30,
      verify: true,
      partial: true,
    });
  });

  test("is answered when the body was read, and a bad file at once", async () => {
    const receiving: WeightSync = { ...RUNNING, phase: "receive" };
    const { app } = recordingApp(receiving, {
      async *events() {
        yield { type: "sync", sync: receiving };
        yield { type: "sync", sync: FAILED };
      },
    });
    const response = await app.request("/api/weight-syncs", { ...chunked(new Uint8Array(3)), headers: OCTETS });
    assert.equal(response.status, 400);
    assert.equal((await json<ProblemBody>(response)).tensor, "lm_head.weight");
  });

  for (const [query, param] of [
    ["version=new", "version"],
    ["partial=maybe", "partial"],
    ["mode=now", "mode"],
    ["deadline_s=0", "deadline_s"],
    ["colour=red", "colour"],
  ]) {
    test(`?${query} is refused by name`, async () => {
      const { app, started } = recordingApp();
      const init = { ...chunked(new Uint8Array(3)), headers: OCTETS };
      const response = await app.request(`/api/weight-syncs?${query}`, init);
      assert.equal(response.status, 400);
      assert.equal((await json<ProblemBody>(response)).param, param);
      assert.equal(started.length, 0);
    });
  }
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
    ["GET", "/api/chat-formats"],
    ["GET", "/api/offload-plans"],
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

describe("event feeds", () => {
  test("events have name, id and data, and the feed ends with its source", async () => {
    const app = createHttpApp({
      over: {
        syncs: {
          async *events() {
            yield { type: "sync", sync: RUNNING };
            yield { type: "sync", sync: SYNC };
          },
        },
      },
    });
    const response = await app.request("/api/weight-syncs/ws_1/events");
    assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
    const [retry, first, second, rest] = (await response.text()).split("\n\n");
    assert.equal(retry, "retry: 2000");
    assert.deepEqual(first?.split("\n").slice(0, 2), ["id: 1", "event: sync"]);
    assert.deepEqual(second?.split("\n").slice(0, 2), ["id: 2", "event: sync"]);
    assert.equal((JSON.parse(second?.split("\n")[2]?.slice(6) ?? "") as { sync: WeightSync }).sync.state, "completed");
    assert.equal(rest, "");
  });

  test("a silent feed sends a comment every 15 s, and gives its source back when the reader leaves", async () => {
    let ended = false;
    const app = createHttpApp({
      over: {
        fleet: {
          async *events(signal): AsyncGenerator<FleetEvent> {
            try {
              await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
            } finally {
              ended = true;
            }
          },
        },
      },
    });
    const response = await app.request("/api/events");
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const read = async (): Promise<string> => new TextDecoder().decode((await reader.read()).value);
    assert.equal(await read(), "retry: 2000\n\n");
    const beat = read();
    await app.clock.advance(15_000);
    assert.match(await beat, /^: /);
    await reader.cancel();
    await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(ended, true);
  });
});
