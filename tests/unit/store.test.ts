import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { openDatabase } from "../../src/platform/shared/sqlite.ts";
import { createMemoryStore } from "../../src/store/memory.ts";
import { openStore } from "../../src/store/open.ts";
import { openSqliteStore, SCHEMA } from "../../src/store/sqlite.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { describeStore } from "./cases/store.ts";

const room = mkdtempSync(join(tmpdir(), "tidegate-store-"));
after(() => rmSync(room, { recursive: true, force: true }));
let files = 0;
const freshPath = (): string => {
  files += 1;
  return join(room, `store-${files}.db`);
};
const random = { uuid: () => crypto.randomUUID(), float: () => 0.5 };
const open = (path: string, clock = createManualClock()) =>
  openSqliteStore({ path, open: openDatabase, clock, random });

describeStore("memory", async () => {
  const clock = createManualClock();
  return { store: createMemoryStore(clock), pass: clock.advance };
});

describeStore("sqlite", async () => {
  const clock = createManualClock();
  return { store: await open(freshPath(), clock), pass: clock.advance };
});

const ports = { clock: createManualClock(), random, runtime: "test", openDatabase };
const refusal = async (opening: Promise<unknown>): Promise<string> => {
  const error = await opening.then(
    () => assert.fail("it was opened"),
    (reason: Error) => reason,
  );
  assert.equal((error as { code?: string }).code, "store_unavailable", String(error));
  return error.message;
};

describe("openStore", () => {
  test("memory; what this runtime has not is refused without showing the address", async () => {
    assert.equal((await openStore({ store: "memory" }, ports)).facts.durable, false);
    await assert.rejects(openStore({ store: "redis://user:secret@host" }, ports), (error: Error) => {
      assert.match(error.message, /--store redis: cannot be used on test/);
      assert.ok(!error.message.includes("secret"));
      return true;
    });
  });

  test("sqlite: what was written is there for the next one; a lease outlives its process, tokens go on", async () => {
    const path = freshPath();
    const clock = createManualClock();
    const first = await open(path, clock);
    await first.set("a", "1");
    await first.set("b", "2", { expiresIn: 100 });
    const lease = await first.lease("sync", 50);
    await first.close();
    const second = await open(path, clock);
    assert.equal(await second.get("a"), "1");
    assert.equal(await second.get("b"), "2");
    assert.equal(await second.lease("sync", 50), undefined);
    await clock.advance(100);
    assert.equal(await second.get("b"), undefined);
    const later = await second.lease("sync", 50);
    assert.ok(lease !== undefined && later !== undefined && later.token > lease.token);
    assert.equal(await second.transact([lease.check], [{ key: "a", value: "stale" }]), false);
    assert.equal(await second.get("a"), "1");
    assert.equal(await second.transact([later.check], [{ key: "a", value: "3" }]), true);
    await second.close();
  });

  test("sqlite: one gateway at a time, and the place is free when that has ended", async () => {
    const path = freshPath();
    const first = await open(path);
    assert.match(await refusal(open(path)), /another gateway uses this file.*redis:/);
    await first.close();
    await (await open(path)).close();
  });

  test("sqlite: a file that is none, another program's, a newer one's, a directory that is not there", async () => {
    const garbage = freshPath();
    writeFileSync(garbage, "this is no database, but long enough to be looked at ".repeat(40));
    assert.match(await refusal(open(garbage)), /no SQLite database.*Choose another file/);
    const foreign = freshPath();
    const other = await openDatabase(foreign);
    other.exec("CREATE TABLE recipes (name TEXT)");
    other.close();
    assert.match(await refusal(open(foreign)), /of another program/);
    const newer = freshPath();
    await (await open(newer)).close();
    const future = await openDatabase(newer);
    future.exec(`PRAGMA user_version = ${SCHEMA + 1}`);
    future.close();
    assert.match(await refusal(open(newer)), /newer Tidegate \(form 2; this one knows 1\)/);
    assert.match(await refusal(open(join(room, "nowhere", "a.db"))), /cannot be opened.*directory must exist/);
  });
});
