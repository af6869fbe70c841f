/** The worker's request layer over a batcher that recites: credit, cancels, pauses, switches of weights. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import { BASE, digestOf, set } from "../support/fake-worker.ts";
import { ask, createRig, finishOf, type Rig, textOf, version } from "../support/worker-rig.ts";

describe("credit", () => {
  test("without it nothing is sent, others go on, and what waits is merged", async () => {
    const rig = await createRig();
    const slow = rig.generate(ask(), 2);
    const quick = rig.generate(ask());
    assert.equal(textOf(await rig.ended(quick)), BASE);
    await rig.until("the slow one is done in the batcher", () => rig.batcher().idle);
    assert.equal(rig.events(slow).length, 2);
    rig.core.handle({ type: "credit", id: slow, events: 100 });
    const events = await rig.ended(slow);
    assert.equal(textOf(events), BASE);
    assert.equal(events.filter(({ type }) => type === "delta").length, 1, "one merged delta");
  });
  test("a full pipe holds everything until it drains", async () => {
    let full = true;
    const rig = await createRig({ congested: () => full });
    const id = rig.generate(ask());
    await rig.until("done in the batcher", () => rig.batcher().steps > 3 && rig.batcher().idle);
    assert.deepEqual(rig.events(id), []);
    full = false;
    rig.core.drained();
    assert.equal(textOf(await rig.ended(id)), BASE);
  });
});

describe("leaving", () => {
  test("a cancelled call is out of the batch at once and says nothing more", async () => {
    const rig = await createRig();
    const id = rig.generate(ask());
    await rig.until("first text", () => textOf(rig.events(id)) !== "");
    rig.core.handle({ type: "cancel", id });
    assert.equal(rig.batcher().running, 0);
    const before = rig.events(id).length;
    await rig.until("idle", () => rig.batcher().idle);
    assert.equal(rig.events(id).length, before);
    assert.equal(rig.error(id), undefined);
  });
  test("a request over the queue is refused and leaves nothing behind", async () => {
    const rig = await createRig();
    await rig.call({ type: "pause", mode: "keep", clearCache: false });
    const ids = Array.from({ length: 5 }, () => rig.generate(ask()));
    assert.equal(rig.error(ids[4] ?? 0)?.code, "too_many_requests");
    await rig.call({ type: "resume" });
    for (const id of ids.slice(0, 4)) assert.equal(textOf(await rig.ended(id)), BASE);
  });
});

describe("pausing", () => {
  test("abort ends what runs, holds what comes, and resume lets it go", async () => {
    const rig = await createRig();
    const running = rig.generate(ask());
    await rig.until("first text", () => textOf(rig.events(running)) !== "");
    await rig.call({ type: "pause", mode: "abort", clearCache: true });
    assert.deepEqual(finishOf(await rig.ended(running)), ["abort", null]);
    assert.equal(await rig.call({ type: "isPaused" }), true);
    const later = rig.generate(ask());
    await rig.call({ type: "isPaused" });
    assert.deepEqual(rig.events(later), []);
    await rig.call({ type: "resume" });
    assert.equal(textOf(await rig.ended(later)), BASE);
  });
  test("wait resolves when the last one has ended", async () => {
    const rig = await createRig();
    const running = rig.generate(ask());
    await rig.call({ type: "pause", mode: "wait", clearCache: true });
    assert.equal(textOf(rig.events(running)), BASE);
    assert.equal(rig.events(running).at(-1)?.type, "end");
  });
  test("keep freezes, and the rest comes after resume", async () => {
    const rig = await createRig();
    const running = rig.generate(ask());
    await rig.until("first text", () => textOf(rig.events(running)) !== "");
    await rig.call({ type: "pause", mode: "keep", clearCache: true });
    const { steps } = rig.batcher();
    await rig.call({ type: "isPaused" });
    await rig.call({ type: "isPaused" });
    assert.equal(rig.batcher().steps, steps);
    assert.equal(await rig.call({ type: "resetPrefixCache", resetRunning: false }), true);
    await rig.call({ type: "resume" });
    assert.equal(textOf(await rig.ended(running)), BASE);
  });
  test("a pause that its caller gave up is undone", async () => {
    const rig = await createRig();
    const running = rig.generate(ask());
    rig.core.handle({ type: "pause", id: 900, mode: "wait", clearCache: true });
    rig.core.handle({ type: "cancel", id: 900 });
    await rig.until("the answer", () => rig.error(900) !== undefined);
    assert.equal(await rig.call({ type: "isPaused" }), false);
    await rig.ended(running);
  });
  test("sleep holds requests until all that sleeps is awake", async () => {
    const rig = await createRig();
    await rig.call({ type: "sleep", level: 1, mode: "abort" });
    const id = rig.generate(ask());
    await rig.call({ type: "wakeUp", tags: ["weights"] });
    assert.equal(await rig.call({ type: "isSleeping" }), true);
    assert.equal(await rig.call({ type: "isPaused" }), true);
    assert.deepEqual(rig.events(id), []);
    await rig.call({ type: "wakeUp", tags: null });
    assert.equal(textOf(await rig.ended(id)), BASE);
  });
  test("sleep gives the KV cache back; what ran goes on when awake", async () => {
    const rig = await createRig();
    const running = rig.generate(ask());
    await rig.until("first text", () => textOf(rig.events(running)) !== "");
    await rig.call({ type: "sleep", level: 1, mode: "keep" });
    assert.equal(rig.batcher().releases, 1);
    await rig.call({ type: "wakeUp", tags: null });
    assert.equal(textOf(await rig.ended(running)), BASE);
  });
  test("sleep ends what runs unless it is told otherwise; level 0 is a pause that any waking ends", async () => {
    const rig = await createRig();
    const running = rig.generate(ask());
    await rig.until("first text", () => textOf(rig.events(running)) !== "");
    await rig.call({ type: "sleep", level: 1, mode: "abort" });
    assert.deepEqual(finishOf(await rig.ended(running)), ["abort", null]);
    await rig.call({ type: "wakeUp", tags: null });
    const releases = rig.batcher().releases;
    await rig.call({ type: "sleep", level: 0, mode: "keep" });
    assert.equal(await rig.call({ type: "isSleeping" }), true);
    assert.equal(rig.batcher().releases, releases);
    await rig.call({ type: "wakeUp", tags: ["scheduling"] });
    assert.equal(await rig.call({ type: "isSleeping" }), false);
    assert.equal(textOf(await rig.ended(rig.generate(ask()))), BASE);
  });
  test("asleep the model is released, and loaded once when weights wake; level 2 loads late, and not at all after a sync", async () => {
    const rig = await createRig();
    await rig.call({ type: "sleep", level: 1, mode: "abort" });
    assert.deepEqual(
      rig.models.map(({ released }) => released),
      [true],
    );
    await rig.call({ type: "wakeUp", tags: ["weights"] });
    await rig.call({ type: "wakeUp", tags: ["kv_cache"] });
    assert.equal(rig.models.length, 2);
    await rig.call({ type: "sleep", level: 2, mode: "abort" });
    await rig.call({ type: "wakeUp", tags: ["weights"] });
    assert.equal(rig.models.length, 2);
    await rig.call({ type: "wakeUp", tags: ["kv_cache"] });
    assert.equal(rig.models.length, 3);
    await rig.call({ type: "sleep", level: 2, mode: "abort" });
    await rig.call({ type: "wakeUp", tags: ["weights"] });
    await rig.call({ type: "stage", stage: "n", set: set("neu") });
    await rig.call({ type: "commit", stage: "n", version: version(1), mode: "wait" });
    await rig.call({ type: "wakeUp", tags: null });
    assert.deepEqual(
      rig.models.map(({ released }) => released),
      [true, true, true, false],
    );
    assert.equal(textOf(await rig.ended(rig.generate(ask()))), "neu");
  });
  test("weights that cannot be loaded, or are others by now, stay asleep", async () => {
    let refuse: GatewayError | null = null;
    const rig = await createRig({
      onLoad: () => {
        if (refuse !== null) throw refuse;
      },
    });
    await rig.call({ type: "sleep", level: 1, mode: "abort" });
    refuse = new GatewayError("source_unreadable", "gone");
    await assert.rejects(rig.call({ type: "wakeUp", tags: null }), /gone/);
    assert.equal(await rig.call({ type: "isSleeping" }), true);
    await assert.rejects(rig.call({ type: "gather", groups: "all" }), /asleep/);
    refuse = null;
    await rig.call({ type: "wakeUp", tags: null });
    assert.equal(textOf(await rig.ended(rig.generate(ask()))), BASE);
  });
  test("the prefix cache is not reset under running requests", async () => {
    const rig = await createRig();
    const id = rig.generate(ask());
    await rig.until("first text", () => textOf(rig.events(id)) !== "");
    assert.equal(await rig.call({ type: "resetPrefixCache", resetRunning: false }), false);
    assert.equal(await rig.call({ type: "resetPrefixCache", resetRunning: true }), true);
    await rig.ended(id);
  });
});

describe("switching weights", () => {
  const NEW = "uno dos tres cuatro cinco seis siete ocho";
  const stage = (rig: Rig, text = NEW, partial = false): Promise<unknown> =>
    rig.call({ type: "stage", stage: "s", set: set(text, partial) });
  const commit = (rig: Rig, mode: string): Promise<unknown> =>
    rig.call({ type: "commit", stage: "s", version: version(1), mode });

  test("stages beside what serves and answers with the digest", async () => {
    const rig = await createRig();
    assert.deepEqual(await stage(rig), { digest: digestOf(NEW) });
    assert.equal(textOf(await rig.ended(rig.generate(ask()))), BASE);
    assert.ok(rig.sent.some((one) => one.type === "progress"));
  });
  test("wait: running requests end with the old weights, later ones have the new", async () => {
    const rig = await createRig();
    await stage(rig);
    const old = rig.generate(ask());
    const done = commit(rig, "wait");
    const held = rig.generate(ask());
    await done;
    const before = await rig.ended(old);
    assert.equal(textOf(before), BASE);
    assert.deepEqual(before.at(-1), { type: "end", firstVersion: 0, lastVersion: 0 });
    const after = await rig.ended(held);
    assert.equal(textOf(after), NEW);
    assert.deepEqual(after[0], { type: "start", weightVersion: 1, weightDigest: digestOf(NEW) });
    assert.equal(rig.models[0]?.released, true, "the old model's memory is free");
    assert.equal(rig.models[1]?.released, false);
  });
  test("keep: a running request goes on with the new weights and is stamped with both", async () => {
    const rig = await createRig();
    await stage(rig);
    const id = rig.generate(ask());
    await rig.until("first text", () => textOf(rig.events(id)) !== "");
    await commit(rig, "keep");
    const events = await rig.ended(id);
    assert.deepEqual(events[0], { type: "start", weightVersion: 0, weightDigest: digestOf(BASE) });
    assert.deepEqual(events.at(-1), { type: "end", firstVersion: 0, lastVersion: 1 });
    assert.ok(textOf(events).endsWith("ocho"));
  });
  test("abort: a running request ends, stamped with the old version only", async () => {
    const rig = await createRig();
    await stage(rig);
    const id = rig.generate(ask({ stop: ["two three four"] }));
    await rig.until("first text", () => textOf(rig.events(id)) !== "");
    await commit(rig, "abort");
    const events = await rig.ended(id);
    assert.deepEqual(finishOf(events), ["abort", null]);
    assert.deepEqual(events.at(-1), { type: "end", firstVersion: 0, lastVersion: 0 });
  });
  test("requests frozen by a pause are kept, not waited for", async () => {
    const rig = await createRig();
    await stage(rig);
    const id = rig.generate(ask());
    await rig.until("first text", () => textOf(rig.events(id)) !== "");
    await rig.call({ type: "pause", mode: "keep", clearCache: true });
    await commit(rig, "wait");
    await rig.call({ type: "resume" });
    assert.deepEqual((await rig.ended(id)).at(-1), { type: "end", firstVersion: 0, lastVersion: 1 });
  });
  test("a request frozen over a switch and then aborted made nothing of the new weights", async () => {
    const rig = await createRig();
    await stage(rig);
    const id = rig.generate(ask({ stop: ["two three four"] }));
    await rig.until("first text", () => textOf(rig.events(id)) !== "");
    await rig.call({ type: "pause", mode: "keep", clearCache: true });
    await commit(rig, "keep");
    await rig.call({ type: "pause", mode: "abort", clearCache: true });
    assert.deepEqual((await rig.ended(id)).at(-1), { type: "end", firstVersion: 0, lastVersion: 0 });
  });
  test("a partial set goes over the weights that serve", async () => {
    const rig = await createRig();
    await stage(rig, "nine", true);
    await commit(rig, "wait");
    assert.equal(textOf(await rig.ended(rig.generate(ask()))), `${BASE} nine`);
    await rig.call({ type: "stage", stage: "t", set: set("ten", true) });
    await rig.call({ type: "commit", stage: "t", version: version(2), mode: "wait" });
    assert.equal(textOf(await rig.ended(rig.generate(ask()))), `${BASE} nine ten`);
  });
  test("the same commit twice is one; an unknown or discarded one is refused", async () => {
    const rig = await createRig();
    await stage(rig);
    await commit(rig, "wait");
    await commit(rig, "wait");
    assert.equal(rig.models.filter(({ released }) => !released).length, 1);
    await assert.rejects(rig.call({ type: "commit", stage: "x", version: version(2), mode: "wait" }), {
      code: "conflict",
    });
    await rig.call({ type: "stage", stage: "y", set: set("y") });
    await rig.call({ type: "discard", stage: "y" });
    await assert.rejects(rig.call({ type: "commit", stage: "y", version: version(2), mode: "wait" }), {
      code: "conflict",
    });
    assert.equal(rig.models.at(-1)?.released, true);
  });
  test("a set that cannot be loaded changes nothing", async () => {
    const rig = await createRig({
      onLoad: ({ sets }) => {
        if (sets.length > 0) throw new Error("truncated");
      },
    });
    await assert.rejects(stage(rig), /truncated/);
    assert.equal(textOf(await rig.ended(rig.generate(ask()))), BASE);
    await assert.rejects(commit(rig, "wait"), { code: "conflict" });
  });
  test("a staging whose caller left is released", async () => {
    let go: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const rig = await createRig({ onLoad: ({ sets }) => (sets.length > 0 ? gate : undefined) });
    rig.core.handle({ type: "stage", id: 900, stage: "s", set: set(NEW) });
    rig.core.handle({ type: "cancel", id: 900 });
    go();
    await rig.until("the answer", () => rig.error(900) !== undefined);
    assert.equal(rig.models.at(-1)?.released, true);
    await assert.rejects(commit(rig, "wait"), { code: "conflict" });
  });
});
