/** What the tests of the fleet share: a scripted engine, a fleet under a clock of its own, wishes and refusals. */
import assert from "node:assert/strict";
import type { ReplicaId, WeightDigest, WeightVersion } from "../../../src/contract/ids.ts";
import type { Engine, EngineInfo, EngineNotice } from "../../../src/engine/engine.ts";
import { GatewayError } from "../../../src/errors.ts";
import type { PolicyName } from "../../../src/fleet/choose.ts";
import { createFleet, type FleetManager } from "../../../src/fleet/fleet.ts";
import type { Lease, LeaseWishes } from "../../../src/fleet/types.ts";
import { createLogger } from "../../../src/observe/log.ts";
import { Metrics } from "../../../src/observe/metrics.ts";
import { createManualClock, type ManualClock } from "../../support/manual-clock.ts";

export interface FakeEngine extends Engine {
  notify(notice: EngineNotice): void;
  failStart: GatewayError | null;
  hangStart: boolean;
  failProbe: GatewayError | null;
  hangProbe: boolean;
  starts: number;
  probes: number;
  stopped: number;
  info: EngineInfo;
}

export const version = (value: number): WeightVersion => value as WeightVersion;
export const digest = (letter: string): WeightDigest => `sha256:${letter.repeat(64)}` as WeightDigest;
export const id = (text: string): ReplicaId => text as ReplicaId;

export const infoOf = (
  models: readonly string[],
  weights = 0,
  weightDigest: WeightDigest | null = null,
): EngineInfo => ({
  models: models.map((model) => ({ id: model, maxModelLen: 2048, root: model, parent: null })),
  worldSize: 2,
  weightVersion: version(weights),
  weightDigest,
  details: { device: "cpu" },
});

export function createFakeEngine(options: { url?: string | null; models?: readonly string[] } = {}): FakeEngine {
  const listeners = new Set<(notice: EngineNotice) => void>();
  const never = (signal: AbortSignal): Promise<never> =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const engine: FakeEngine = {
    kind: options.url === undefined ? "embedded" : "vllm",
    url: options.url ?? null,
    failStart: null,
    hangStart: false,
    failProbe: null,
    hangProbe: false,
    starts: 0,
    probes: 0,
    stopped: 0,
    info: infoOf(options.models ?? ["tiny"]),
    async start({ signal }) {
      engine.starts += 1;
      if (engine.hangStart) return never(signal);
      if (engine.failStart !== null) throw engine.failStart;
      return engine.info;
    },
    async stop() {
      engine.stopped += 1;
    },
    async probe({ signal }) {
      engine.probes += 1;
      if (engine.hangProbe) await never(signal);
      if (engine.failProbe !== null) throw engine.failProbe;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    notify(notice) {
      for (const listener of listeners) listener(notice);
    },
  };
  return engine;
}

export interface World {
  readonly clock: ManualClock;
  readonly fleet: FleetManager;
  readonly metrics: Metrics;
  readonly lines: string[];
}

export function createWorld(policy: PolicyName = "least-in-flight"): World {
  const clock = createManualClock();
  const lines: string[] = [];
  const metrics = new Metrics();
  const log = createLogger({ format: "text", level: "debug", clock, writeLine: (line) => void lines.push(line) });
  const random = { uuid: () => "00000000-0000-4000-8000-000000000000", float: () => 0.5 };
  const config = { policy, startTimeout: 60, probeInterval: 2 };
  return { clock, lines, metrics, fleet: createFleet({ ports: { clock, random }, log, metrics, config }) };
}

export const live = (): AbortSignal => new AbortController().signal;
export const NOTHING: ReadonlySet<string> = new Set();
export const wish = (wishes: Partial<LeaseWishes> = {}): LeaseWishes => ({
  model: undefined,
  waitMilliseconds: 0,
  exclude: NOTHING,
  signal: live(),
  ...wishes,
});

export async function withReplicas(world: World, count: number): Promise<FakeEngine[]> {
  const engines = Array.from({ length: count }, () => createFakeEngine({}));
  for (const engine of engines) await world.fleet.addReplica(world.fleet.nextId("embedded"), engine, live());
  return engines;
}

export async function refusal(promise: Promise<unknown>, code: string): Promise<GatewayError> {
  const error = await promise.then(
    () => assert.fail("was not refused"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof GatewayError, String(error));
  assert.equal(error.code, code, error.message);
  return error;
}

export async function takers(fleet: FleetManager, count: number, wishes: Partial<LeaseWishes> = {}): Promise<string[]> {
  const leases: Lease[] = [];
  for (let index = 0; index < count; index += 1) leases.push(await fleet.acquire(wish(wishes)));
  for (const lease of leases) lease.release("ok");
  return leases.map((lease) => lease.replica.id);
}
