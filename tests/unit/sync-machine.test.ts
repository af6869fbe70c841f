/** The sync's state machine under every interleaving that fast-check can think of. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { ReplicaId, WeightDigest } from "../../src/contract/ids.ts";
import {
  canAbort,
  createSyncState,
  reduceSync,
  type SyncEffect,
  type SyncEvent,
  type SyncState,
} from "../../src/sync/machine.ts";

const GOOD = `sha256:${"a".repeat(64)}` as WeightDigest;
const OTHER = `sha256:${"b".repeat(64)}` as WeightDigest;
const failure = { code: "replica_failed", message: "it broke" } as const;
const name = (index: number): ReplicaId => `r-${index}` as ReplicaId;

/** Any event for a fleet of `size`, sensible at the moment or not. */
function anyEvent(size: number): fc.Arbitrary<SyncEvent> {
  const replica = fc.integer({ min: 0, max: size - 1 }).map(name);
  // Good news is more frequent, so that runs get far.
  return fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ type: fc.constant("received" as const), expected: fc.constantFrom(GOOD, null) }),
    },
    { weight: 1, arbitrary: fc.constant<SyncEvent>({ type: "receive-failed", failure }) },
    {
      weight: 20,
      arbitrary: fc.record({
        type: fc.constant("staged" as const),
        replica,
        digest: fc.constantFrom(GOOD, GOOD, GOOD, GOOD, OTHER),
      }),
    },
    { weight: 1, arbitrary: replica.map((id): SyncEvent => ({ type: "stage-failed", replica: id, failure })) },
    { weight: 8, arbitrary: fc.constant<SyncEvent>({ type: "drained" }) },
    { weight: 1, arbitrary: fc.constant<SyncEvent>({ type: "drain-failed", failure }) },
    { weight: 20, arbitrary: replica.map((id): SyncEvent => ({ type: "switched", replica: id })) },
    { weight: 3, arbitrary: replica.map((id): SyncEvent => ({ type: "switch-failed", replica: id, failure })) },
    { weight: 1, arbitrary: replica.map((id): SyncEvent => ({ type: "lost", replica: id, failure })) },
    { weight: 8, arbitrary: fc.constant<SyncEvent>({ type: "published" }) },
    { weight: 2, arbitrary: fc.constant<SyncEvent>({ type: "publish-failed", failure }) },
    { weight: 1, arbitrary: fc.constant<SyncEvent>({ type: "lost-turn", failure }) },
    { weight: 1, arbitrary: fc.constant<SyncEvent>({ type: "abort" }) },
    { weight: 1, arbitrary: fc.constant<SyncEvent>({ type: "deadline" }) },
  );
}

interface Run {
  readonly state: SyncState;
  readonly effects: readonly SyncEffect[];
}

function play(size: number, verify: boolean, events: readonly SyncEvent[]): Run {
  let state = createSyncState(
    Array.from({ length: size }, (_, index) => name(index)),
    verify,
  );
  const effects: SyncEffect[] = [];
  const stagedOnce = new Map<string, WeightDigest | null>();
  for (const event of events) {
    const before = state;
    const step = reduceSync(state, event);
    if (
      event.type === "staged" &&
      before.phase === "stage" &&
      before.outcome === "running" &&
      !stagedOnce.has(event.replica)
    ) {
      stagedOnce.set(event.replica, event.digest);
    }
    for (const effect of step.effects) {
      if (effect.type !== "commit") continue;
      assert.equal(stagedOnce.size, size, "commit before every replica staged");
      assert.ok(
        before.replicas.every((replica) => replica.step === "verified"),
        "commit before all verified",
      );
      if (verify)
        assert.equal(new Set([...stagedOnce.values(), ...(before.expected === null ? [] : [before.expected])]).size, 1);
    }
    if (before.outcome !== "running") {
      assert.equal(step.state, before, "a final state changed");
      assert.deepEqual(step.effects, []);
    }
    if (event.type === "abort" && !canAbort(before)) assert.equal(step.state, before);
    state = step.state;
    effects.push(...step.effects);
  }
  return { state, effects };
}

const count = (effects: readonly SyncEffect[], type: SyncEffect["type"]): number =>
  effects.filter((effect) => effect.type === type).length;

function checkInvariants({ state, effects }: Run): void {
  const commitAt = effects.findIndex(({ type }) => type === "commit");
  const publishes = effects.filter((effect) => effect.type === "publish");
  assert.ok(publishes.length <= 1);
  for (const publish of publishes) {
    assert.ok(publish.replicas.length >= 1);
    assert.ok(commitAt >= 0 && commitAt < effects.indexOf(publish));
  }
  assert.ok(count(effects, "commit") <= 1);
  assert.ok(count(effects, "close-gate") <= 1);
  assert.equal(count(effects, "close-gate") - count(effects, "open-gate"), state.gateClosed ? 1 : 0);
  if (state.outcome === "running") {
    assert.equal(count(effects, "finish"), 0);
    return;
  }
  assert.equal(state.gateClosed, false);
  assert.equal(count(effects, "finish"), 1);
  assert.equal(effects.at(-1)?.type, "finish");
  const steps = state.replicas.map(({ step }) => step);
  assert.ok(
    steps.every((step) => step === "switched" || step === "discarded" || step === "fenced"),
    steps.join(),
  );
  const unwritten = state.outcome === "failed" && state.phase === "publish";
  assert.equal(state.outcome === "completed" || unwritten, publishes.length === 1);
  if (unwritten)
    assert.ok(
      steps.every((step) => step === "fenced"),
      "what could not be written down must not serve",
    );
  assert.equal(steps.includes("switched"), state.outcome === "completed");
  assert.equal(steps.includes("fenced"), count(effects, "fence") > 0);
  if (steps.includes("discarded")) {
    assert.ok(
      steps.every((step) => step === "discarded"),
      "some went back and some forward",
    );
    assert.equal(commitAt, -1);
    assert.equal(count(effects, "discard"), 1);
  }
  if (state.outcome === "failed") assert.ok(state.error !== null);
}

const scenario = fc.integer({ min: 1, max: 4 }).chain((size) =>
  fc.record({
    size: fc.constant(size),
    verify: fc.boolean(),
    events: fc.array(anyEvent(size), { maxLength: 60, size: "max" }),
  }),
);

describe("sync machine", () => {
  test("any interleaving keeps the invariants", () => {
    const outcomes = new Set<string>();
    fc.assert(
      fc.property(scenario, ({ size, verify, events }) => {
        const run = play(size, verify, events);
        outcomes.add(run.state.outcome);
        checkInvariants(run);
      }),
      { numRuns: 3000 },
    );
    assert.deepEqual(
      [...outcomes].sort(),
      ["aborted", "completed", "failed", "running"],
      "the generator reaches every outcome",
    );
  });

  test("the deadline ends every run, whatever came before; writing down has its own", () => {
    fc.assert(
      fc.property(scenario, ({ size, verify, events }) => {
        const run = play(size, verify, [...events, { type: "deadline" }, { type: "publish-failed", failure }]);
        assert.notEqual(run.state.outcome, "running");
        checkInvariants(run);
      }),
      { numRuns: 2000 },
    );
  });

  const staged = (expected: WeightDigest | null, digests: readonly WeightDigest[], verify = true): Run =>
    play(digests.length, verify, [
      { type: "received", expected },
      ...digests.map((digest, index): SyncEvent => ({ type: "staged", replica: name(index), digest })),
    ]);

  test("a digest that differs fails the sync and names the replica", () => {
    for (const run of [staged(null, [GOOD, OTHER]), staged(GOOD, [GOOD, OTHER])]) {
      assert.equal(run.state.outcome, "failed");
      assert.equal(run.state.error?.code, "weights_digest_mismatch");
      assert.equal(run.state.error?.phase, "verify");
      assert.equal(run.state.error?.replica, name(1));
    }
    assert.equal(staged(GOOD, [OTHER, OTHER]).state.outcome, "failed");
    assert.equal(staged(null, [GOOD, OTHER], false).state.phase, "drain");
  });

  test("a replica that fails at the switch is fenced and the others are published", () => {
    const { state, effects } = play(2, true, [
      { type: "received", expected: GOOD },
      { type: "staged", replica: name(0), digest: GOOD },
      { type: "staged", replica: name(1), digest: GOOD },
      { type: "drained" },
      { type: "switch-failed", replica: name(1), failure },
      { type: "abort" },
      { type: "switched", replica: name(0) },
      { type: "published" },
    ]);
    assert.equal(state.outcome, "completed");
    assert.deepEqual(
      state.replicas.map(({ step }) => step),
      ["switched", "fenced"],
    );
    assert.equal(state.error?.replica, name(1));
    assert.deepEqual(
      effects.map(({ type }) => type),
      ["stage", "close-gate", "drain", "commit", "fence", "cancel", "publish", "open-gate", "finish"],
    );
    const unwritten = play(1, true, [
      { type: "received", expected: GOOD },
      { type: "staged", replica: name(0), digest: GOOD },
      { type: "drained" },
      { type: "switched", replica: name(0) },
      { type: "publish-failed", failure },
      { type: "published" },
    ]);
    assert.equal(unwritten.state.outcome, "failed");
    assert.equal(unwritten.state.error?.phase, "publish");
    assert.deepEqual(unwritten.effects.map(({ type }) => type).slice(-4), ["publish", "fence", "open-gate", "finish"]);
  });
});
