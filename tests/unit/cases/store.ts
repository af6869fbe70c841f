/** What every store must do. Each implementation's test file runs this. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Store } from "../../../src/store/store.ts";

/** `pass` lets time go by: a fake clock moves on, a real one waits. */
export function describeStore(
  name: string,
  open: () => Promise<{ readonly store: Store; readonly pass: (milliseconds: number) => Promise<void> }>,
): void {
  describe(`store: ${name}`, () => {
    test("get, set, delete", async () => {
      const { store } = await open();
      assert.equal(await store.get("a"), undefined);
      await store.set("a", "1");
      await store.set("a", "ü🜁");
      assert.equal(await store.get("a"), "ü🜁");
      await store.delete("a");
      await store.delete("a");
      assert.equal(await store.get("a"), undefined);
      await store.close();
    });

    test("compare-and-set: of many at once one wins", async () => {
      const { store } = await open();
      const tries = await Promise.all(["x", "y", "z"].map((value) => store.compareAndSet("a", undefined, value)));
      assert.equal(tries.filter(Boolean).length, 1);
      const value = await store.get("a");
      assert.equal(await store.compareAndSet("a", "other", "n"), false);
      assert.equal(await store.compareAndSet("a", value, "n"), true);
      assert.equal(await store.get("a"), "n");
      await store.close();
    });

    test("entries expire", async () => {
      const { store, pass } = await open();
      await store.set("a", "1", { expiresIn: 50 });
      await store.set("b", "1");
      assert.equal(await store.get("a"), "1");
      await pass(100);
      assert.equal(await store.get("a"), undefined);
      assert.deepEqual(await store.list(""), [{ key: "b", value: "1" }]);
      assert.equal(await store.compareAndSet("a", undefined, "2"), true);
      await store.close();
    });

    test("list: prefix, order, pages", async () => {
      const { store } = await open();
      for (const key of ["s/3", "s/1", "t/1", "s/2", "s"]) await store.set(key, key);
      const keys = async (options?: { limit?: number; after?: string }): Promise<string[]> =>
        (await store.list("s/", options)).map((entry) => entry.key);
      assert.deepEqual(await keys(), ["s/1", "s/2", "s/3"]);
      assert.deepEqual(await keys({ limit: 2 }), ["s/1", "s/2"]);
      assert.deepEqual(await keys({ after: "s/2" }), ["s/3"]);
      await store.close();
    });

    test("a lease has one holder; tokens grow", async () => {
      const { store } = await open();
      const first = await store.lease("sync", 1000);
      assert.ok(first);
      assert.equal(await store.lease("sync", 1000), undefined);
      assert.ok(await store.lease("other", 1000));
      await first.release();
      const second = await store.lease("sync", 1000);
      assert.ok(second && second.token > first.token);
      await store.close();
    });

    test("a lease that was not renewed is lost, and its old holder cannot take it back", async () => {
      const { store, pass } = await open();
      const first = await store.lease("sync", 100);
      await pass(60);
      assert.equal(await first?.renew(), true);
      await pass(60);
      assert.equal(await store.lease("sync", 100), undefined);
      await pass(100);
      const second = await store.lease("sync", 10_000);
      assert.ok(second);
      assert.equal(await first?.renew(), false);
      await first?.release();
      assert.equal(await store.lease("sync", 100), undefined);
      assert.equal(await second.renew(), true);
      await store.close();
    });

    test("transactions: all or nothing, under a lease and under values", async () => {
      const { store, pass } = await open();
      await store.set("a", "1");
      const writes = [
        { key: "a", value: null },
        { key: "b", value: "2", expiresIn: 50 },
        { key: "c", value: "3" },
      ];
      assert.equal(await store.transact([{ key: "a", value: "0" }], writes), false);
      assert.equal(
        await store.transact(
          [
            { key: "a", value: "1" },
            { key: "c", value: "?" },
          ],
          writes,
        ),
        false,
      );
      assert.equal(await store.get("a"), "1");
      const lease = await store.lease("sync", 100);
      assert.ok(lease);
      assert.equal(await store.transact([lease.check, { key: "b", value: undefined }], writes), true);
      assert.deepEqual(await store.list(""), [
        { key: "b", value: "2" },
        { key: "c", value: "3" },
      ]);
      await pass(110);
      assert.equal(await store.transact([lease.check], [{ key: "c", value: "late" }]), false);
      assert.equal(await store.get("c"), "3");
      assert.equal(await store.get("b"), undefined);
      await assert.rejects(store.transact([], [{ key: lease.check.key, value: "mine" }]), /key must be/);
      await store.close();
    });

    test("keys and values are bounded; a closed store says so", async () => {
      const { store } = await open();
      await assert.rejects(store.set("", "1"), /key must be/);
      await assert.rejects(store.get("k".repeat(513)), /key must be/);
      await assert.rejects(store.set("a", "v".repeat(1_048_577)), /value must be/);
      await store.close();
      await assert.rejects(store.get("a"), /closed/);
    });
  });
}
