/** A gateway with a store, ended and started again as a stranger would: embedded replicas, history, keys, and stores that cannot be used. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { Fleet } from "../../src/contract/control/fleet.ts";
import type { WeightSync, WeightVersionRecord } from "../../src/contract/control/weight-syncs.ts";
import { ask, cli, json, modelPath, postJson, type Served, serve } from "./serve.ts";

const room = mkdtempSync(join(tmpdir(), "tidegate-restart-"));
after(() => rmSync(room, { recursive: true, force: true }));

const QUESTION = "What is 17 + 25?";
const sync = (
  url: string,
  headers: Record<string, string>,
  body: object = { source: { kind: "disk", path: modelPath("trained") } },
) => postJson<WeightSync & { code?: string }>(`${url}/api/weight-syncs`, body, headers);
const fleetOf = async (url: string): Promise<Fleet> => (await json<Fleet>(`${url}/api/fleet`)).body;

describe("--store sqlite:FILE with embedded replicas", () => {
  const store = `sqlite:${join(room, "one.db")}`;
  let served: Served | undefined;
  after(() => served?.stop("SIGKILL"));

  test("published weights come back with their version and digest, after kill -9 and after SIGTERM", async () => {
    served = await serve(["--store", store]);
    const keyed = { prefer: "wait=60", "idempotency-key": "step-1" };
    const first = await sync(served.url, keyed);
    assert.equal(first.status, 200, JSON.stringify(first.body));
    const before = await ask(served.url, QUESTION);
    assert.equal(before.version, "1");
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      await served.stop(signal);
      served = await serve(["--store", store]);
      const fleet = await fleetOf(served.url);
      assert.equal(fleet.weight_version, 1);
      assert.equal(fleet.weight_digest, first.body.digest);
      assert.deepEqual(await ask(served.url, QUESTION), before);
      assert.deepEqual((await json(`${served.url}/api/weight-syncs/${first.body.id}`)).body, first.body);
      const again = await sync(served.url, keyed);
      assert.equal(again.status, 200, JSON.stringify(again.body));
      assert.equal(again.body.id, first.body.id, "the same key gives the stored outcome");
      const other = await sync(served.url, keyed, { source: { kind: "disk", path: modelPath("base") } });
      assert.equal(other.status, 409);
      assert.equal(other.body.code, "idempotency_conflict");
      const { body } = await json<{ weight_versions: WeightVersionRecord[] }>(`${served.url}/api/weight-versions`);
      assert.deepEqual(
        body.weight_versions.map(({ version, source }) => [version, source]),
        [
          [1, "disk"],
          [0, "start"],
        ],
      );
    }
  });

  test("weights that are gone from the disk: nobody answers with others, and a sync mends it", async () => {
    await served?.stop("SIGKILL");
    rmSync(join(room, "one.db-weights"), { recursive: true });
    served = await serve(["--store", store]);
    const fleet = await fleetOf(served.url);
    assert.equal(fleet.weight_version, 1);
    assert.match(fleet.servers[0]?.last_error ?? "", /weight version 0 instead of 1.*run a complete weight sync/);
    const refused = await postJson<{ error?: { message: string } }>(
      `${served.url}/v1/chat/completions`,
      { model: "tide-nano", messages: [{ role: "user", content: QUESTION }] },
      { "x-request-timeout": "5" },
    );
    assert.equal(refused.status, 503, JSON.stringify(refused.body));
    const second = await sync(served.url, { prefer: "wait=60" });
    assert.equal(second.status, 200, JSON.stringify(second.body));
    assert.equal((await ask(served.url, QUESTION)).version, "2");
    assert.equal((await fleetOf(served.url)).servers[0]?.last_error, null);
  });

  test("a second gateway on the same file is told to choose another", async () => {
    const { code, output } = await cli(["serve", "--port", "0", "--store", store]);
    assert.equal(code, 3, output);
    assert.match(output, /another gateway uses this file/);
  });
});

describe("stores that cannot be used", () => {
  test("exit code 3, with what is wrong and the mend", async () => {
    const garbage = join(room, "garbage.db");
    writeFileSync(garbage, "no database ".repeat(500));
    for (const [setting, words] of [
      [`sqlite:${garbage}`, /no SQLite database/],
      [`sqlite:${join(room, "nowhere", "a.db")}`, /directory must exist/],
    ] as const) {
      const { code, output } = await cli(["serve", "--port", "0", "--store", setting]);
      assert.equal(code, 3, output);
      assert.match(output, words);
    }
    const { code, output } = await cli(["serve", "--port", "0", "--store", "postgres:x"]);
    assert.equal(code, 2);
    assert.match(output, /--store: must be memory, sqlite:FILE or redis:\/\/HOST:PORT/);
  });
});
