import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { GenerationLease } from "../../src/contract/control/generation-leases.ts";
import type { ModelResidency } from "../../src/contract/control/residency.ts";
import { type LeaseServer, startLeaseServer } from "../support/lease-server.ts";
import { json, type ProblemBody } from "../support/syncs.ts";

let server: LeaseServer;
before(async () => {
  server = await startLeaseServer();
});
after(() => server.stop());

const send = (method: string, path: string, body?: unknown): Promise<Response> =>
  fetch(`${server.url}${path}`, {
    method,
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
const LEASES = "/api/generation-leases";
const gathered = (): number => server.rig.engines[0]!.residency.gathered.size;

describe("/api/generation-leases", () => {
  test("create, look, renew, list, give back", async () => {
    const response = await send("POST", LEASES);
    assert.equal(response.status, 201);
    const lease = await json<GenerationLease>(response);
    assert.equal(response.headers.get("location"), `${LEASES}/${lease.id}`);
    assert.equal(lease.state, "active");
    assert.equal(gathered(), 3);
    assert.deepEqual(await json(send("GET", `${LEASES}/${lease.id}`)), lease);
    const renewed = await json<GenerationLease>(send("PATCH", `${LEASES}/${lease.id}`, { ttl_s: 120 }));
    assert.equal(renewed.ttl_s, 120);
    const list = await json<{ generation_leases: GenerationLease[] }>(send("GET", `${LEASES}?limit=1`));
    assert.equal(list.generation_leases[0]?.id, lease.id);
    const ended = await json<GenerationLease>(send("DELETE", `${LEASES}/${lease.id}`));
    assert.equal(ended.state, "released");
    assert.equal(gathered(), 0);
    const again = await send("DELETE", `${LEASES}/${lease.id}`);
    assert.deepEqual([again.status, (await json<GenerationLease>(again)).ended_at], [200, ended.ended_at]);
    assert.equal((await send("PATCH", `${LEASES}/${lease.id}`, { ttl_s: 1 })).status, 409);
  });

  test("stream: the present state, then how it ended", async () => {
    const response = await send("POST", LEASES, { stream: true });
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
    const { generation_leases } = await json<{ generation_leases: GenerationLease[] }>(send("GET", LEASES));
    const id = generation_leases[0]?.id;
    assert.equal(gathered(), 3);
    const text = response.text();
    await send("DELETE", `${LEASES}/${id}`);
    const events = [...(await text).matchAll(/^event: lease\ndata: (.*)$/gm)].map(([, data]) => JSON.parse(data ?? ""));
    assert.deepEqual(
      events.map(({ lease }) => [lease.id, lease.state]),
      [
        [id, "active"],
        [id, "released"],
      ],
    );
  });

  test("one that cannot fit: 409 and the missing bytes", async () => {
    const { residency } = server.rig.engines[0]!;
    residency.limit = 100;
    const response = await send("POST", LEASES, {});
    residency.limit = Number.POSITIVE_INFINITY;
    assert.equal(response.status, 409);
    const problem = await json<ProblemBody & { missing_bytes: number; replica: string }>(response);
    assert.deepEqual(
      [problem.code, problem.missing_bytes, problem.replica],
      ["insufficient_memory", 2300, "embedded-0"],
    );
    assert.match(problem.detail, /2300 bytes are missing/);
  });

  for (const [what, body, status, code, param] of [
    ["an unknown model", { model: "other" }, 404, "model_not_found", "model"],
    ["no time to live", { ttl_s: 0 }, 400, "invalid_value", "ttl_s"],
    ["a time that is text", { ttl_s: "long" }, 400, "invalid_value", "ttl_s"],
    ["an unknown field", { ttl: 5 }, 400, "unknown_field", "ttl"],
    ["a parent that is none", { parent: "gl_0" }, 400, "invalid_value", "parent"],
    ["text that is no JSON", "{", 400, "malformed_json", undefined],
    ["an unknown group", { gather: ["layers.9"] }, 400, "invalid_value", undefined],
  ] as const) {
    test(`refuses ${what}`, async () => {
      const response = await send("POST", LEASES, body);
      const problem = await json<ProblemBody>(response);
      assert.deepEqual([response.status, problem.code, problem.param], [status, code, param], problem.detail);
      assert.equal(gathered(), 0);
    });
  }

  test("unknown and impossible ids", async () => {
    for (const method of ["GET", "DELETE"]) {
      assert.equal((await send(method, `${LEASES}/gl_0`)).status, 404);
      assert.equal((await send(method, `${LEASES}/7`)).status, 400);
    }
    assert.equal((await send("GET", `${LEASES}?after=gl_0`)).status, 400);
  });
});

describe("/api/models/{id}/residency", () => {
  const RESIDENCY = "/api/models/tiny/residency";

  test("a directive in bytes", async () => {
    const put = await send("PUT", RESIDENCY, { groups: { "layers.0": "disk" }, pin_memory: false });
    assert.equal(put.status, 200);
    const report = await json<ModelResidency>(send("GET", RESIDENCY));
    assert.deepEqual(report, await json<ModelResidency>(put));
    assert.deepEqual(report.servers[0]?.residency.bytes, { device: 0, cpu: 1440, disk: 1000 });
    assert.equal(report.servers[0]?.residency.budget_bytes, null);
  });

  for (const [what, body, status, code, param] of [
    ["a budget below one step", { max_in_cpu_bytes: 10 }, 400, "limit_exceeded", undefined],
    ["an unknown tier", { groups: { embed: "gpu" } }, 400, "invalid_value", "groups.embed"],
    ["an unknown field", { budget: 1 }, 400, "unknown_field", "budget"],
    ["an unknown field beside a configuration", { deepspeed_config: {}, budget: 1 }, 400, "unknown_field", "budget"],
    ["a configuration that is none", { deepspeed_config: 5 }, 400, "invalid_value", "deepspeed_config"],
  ] as const) {
    test(`refuses ${what}, and nothing has changed`, async () => {
      const before = JSON.stringify(server.rig.engines[0]!.residency.tiers());
      const response = await send("PUT", RESIDENCY, body);
      const problem = await json<ProblemBody>(response);
      assert.deepEqual([response.status, problem.code, problem.param], [status, code, param], problem.detail);
      assert.equal(JSON.stringify(server.rig.engines[0]!.residency.tiers()), before);
    });
  }

  test("an unknown model is 404", async () => {
    assert.equal((await send("GET", "/api/models/other/residency")).status, 404);
    const slashed = await json<ProblemBody>(send("GET", "/api/models/org%2Ftiny/residency"));
    assert.match(slashed.detail, /The model org\/tiny is not served/);
    assert.equal((await send("PUT", "/api/models/other/residency", {})).status, 404);
  });
});
