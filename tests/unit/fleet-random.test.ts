/** Random histories of a fleet: whatever happens, leases keep their promises and nobody is forgotten. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ReplicaId, WeightVersion } from "../../src/contract/ids.ts";
import type { Engine, EngineInfo, EngineNotice } from "../../src/engine/engine.ts";
import type { PolicyName } from "../../src/fleet/choose.ts";
import { createFleet } from "../../src/fleet/fleet.ts";
import type { Lease } from "../../src/fleet/types.ts";
import { createLogger } from "../../src/observe/log.ts";
import { Metrics } from "../../src/observe/metrics.ts";
import { createManualClock, settle } from "../support/manual-clock.ts";

const REPLICAS = 3;
const info = (version: number): EngineInfo => ({
  models: [{ id: "tiny", maxModelLen: 16, root: "tiny", parent: null }],
  worldSize: 1,
  weightVersion: version as WeightVersion,
  weightDigest: null,
  details: {},
});

function createSilentEngine(): Engine & { notify(notice: EngineNotice): void } {
  let listener: (notice: EngineNotice) => void = () => {};
  return {
    kind: "embedded",
    url: null,
    start: async () => info(0),
    stop: async () => {},
    probe: async () => {},
    subscribe(one) {
      listener = one;
      return () => {};
    },
    notify: (notice) => listener(notice),
  };
}

type Step =
  | {
      readonly do: "acquire";
      readonly minVersion?: number;
      readonly session?: string;
      readonly prefix?: readonly number[];
      readonly wait: number;
    }
  | { readonly do: "release"; readonly which: number; readonly outcome: "ok" | "failed" }
  | { readonly do: "down" | "up" | "drain" | "undrain" | "fence" | "unfence"; readonly replica: number }
  | { readonly do: "switch" }
  | { readonly do: "gate" }
  | { readonly do: "open" }
  | { readonly do: "pass"; readonly milliseconds: number };

const replica = fc.nat({ max: REPLICAS - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record(
    {
      do: fc.constant("acquire" as const),
      minVersion: fc.nat({ max: 4 }),
      prefix: fc.subarray([11, 12, 13, 14]),
      session: fc.constantFrom("a", "b"),
      wait: fc.constantFrom(0, 500),
    },
    { requiredKeys: ["do", "wait"] },
  ),
  fc.record({
    do: fc.constant("release" as const),
    which: fc.nat(),
    outcome: fc.constantFrom("ok" as const, "failed" as const),
  }),
  fc.record({ do: fc.constantFrom("down", "up", "drain", "undrain", "fence", "unfence"), replica }),
  fc.record({ do: fc.constant("switch" as const) }),
  fc.record({ do: fc.constant("gate" as const) }),
  fc.record({ do: fc.constant("open" as const) }),
  fc.record({ do: fc.constant("pass" as const), milliseconds: fc.constantFrom(10, 600, 5000, 40_000) }),
);

async function run(policy: PolicyName, steps: readonly Step[]): Promise<void> {
  const clock = createManualClock();
  const log = createLogger({ format: "text", level: "error", clock, writeLine: () => {} });
  const fleet = createFleet({
    ports: { clock, random: { uuid: () => "", float: () => 0.5 } },
    log,
    metrics: new Metrics(),
    config: { policy, startTimeout: 60, probeInterval: 2 },
  });
  const engines = Array.from({ length: REPLICAS }, createSilentEngine);
  const ids: ReplicaId[] = [];
  for (const engine of engines) {
    const id = fleet.nextId("embedded");
    ids.push(id);
    await fleet.addReplica(id, engine, new AbortController().signal);
  }
  const leases: Lease[] = [];
  const held = new Map<string, number>();
  let pending = 0;
  let gates: (() => void)[] = [];
  let version = 0;

  const onLease = (lease: Lease, minVersion: number | undefined): void => {
    pending -= 1;
    const { state, weightVersion } = lease.replica;
    assert.equal(gates.length, 0, "a lease through a closed gate");
    assert.equal(state, "ready");
    if (minVersion === undefined) assert.equal(weightVersion, version, "old weights without being asked for");
    else assert.ok((weightVersion ?? -1) >= minVersion && (weightVersion ?? 99) <= version);
    held.set(lease.replica.id, (held.get(lease.replica.id) ?? 0) + 1);
    leases.push(lease);
  };

  for (const one of steps) {
    if (one.do === "acquire") {
      pending += 1;
      const { minVersion, session, prefix } = one;
      // Checked at the moment of the grant: what comes after it may change again before the promise is seen.
      const granted = fleet.acquire({
        model: "tiny",
        waitMilliseconds: one.wait,
        exclude: new Set(),
        signal: new AbortController().signal,
        ...(minVersion === undefined ? {} : { minVersion }),
        ...(session === undefined ? {} : { sessionId: session }),
        ...(prefix === undefined ? {} : { prefix }),
      });
      granted
        .then(
          (lease) => onLease(lease, minVersion),
          () => {
            pending -= 1;
          },
        )
        .catch((error: unknown) => {
          failure ??= error;
        });
    } else if (one.do === "release") {
      const [lease] = leases.splice(one.which % Math.max(1, leases.length), 1);
      if (lease !== undefined) {
        held.set(lease.replica.id, (held.get(lease.replica.id) ?? 0) - 1);
        lease.release(one.outcome);
      }
    } else if (one.do === "pass") await clock.advance(one.milliseconds);
    else if (one.do === "gate") gates.push(fleet.closeGate());
    else if (one.do === "open") {
      const closers = gates;
      gates = [];
      for (const open of closers) open();
    } else if (one.do === "switch") {
      version += 1;
      // As a sync does: only replicas that are up switch; the others stay behind.
      const open = fleet.closeGate();
      for (const each of fleet.replicas())
        if (each.state === "ready") fleet.setWeights(each.id, version as WeightVersion, null);
      fleet.publish(version as WeightVersion, null);
      open();
    } else {
      const id = ids[one.replica] as ReplicaId;
      const engine = engines[one.replica];
      if (one.do === "down") engine?.notify({ type: "down", reason: "test", recovering: one.replica > 0 });
      else if (one.do === "up") engine?.notify({ type: "up", info: info(version) });
      else if (one.do === "drain" || one.do === "undrain")
        fleet.patchReplica(id, one.do === "drain" ? "draining" : "ready");
      else fleet.setState(id, one.do === "fence" ? "quarantined" : "ready", null);
    }
    await settle();
    if (failure !== undefined) throw failure;
    for (const each of fleet.replicas()) {
      assert.equal(each.inFlight, held.get(each.id) ?? 0);
      assert.ok(each.inFlight >= 0);
    }
  }
  // In the end everyone who waited was served or refused: with all gates open no wait is longer than 30 s.
  for (const open of gates) open();
  gates = [];
  await clock.advance(61_000);
  if (failure !== undefined) throw failure;
  assert.equal(pending, 0);
  assert.equal(fleet.waiting, 0);
  assert.equal(clock.pending, 0);
}

let failure: unknown;

const policies = fc.constantFrom<PolicyName[]>(
  "least-in-flight",
  "round-robin",
  "power-of-two",
  "prefix",
  "session",
  "weighted",
);

test("random histories", async () => {
  await fc.assert(
    fc.asyncProperty(policies, fc.array(step, { maxLength: 80, size: "max" }), run).beforeEach(() => {
      failure = undefined;
    }),
    { numRuns: 200 },
  );
});
