/** A gateway's sync service over fake engines and files in memory, for the tests of whole syncs. */
import assert from "node:assert/strict";
import { StartSync, type WeightSync } from "../../../src/contract/control/weight-syncs.ts";
import { GatewayError } from "../../../src/errors.ts";
import { createSyncs } from "../../../src/sync/syncs.ts";
import {
  createFakeEngine,
  createFakeFleet,
  createTestPorts,
  digestOf,
  MODEL_A,
  MODEL_B,
  silentLog,
  type TinyModel,
  toSafetensors,
} from "./sync-fakes.ts";

export const BY = { actor: "trainer", requestId: "req-1" };
export const forever = new AbortController().signal;
export const request = (fields: object = {}): StartSync =>
  StartSync.parse({ source: { kind: "disk", path: "/b" }, deadline_s: 20, ...fields });

/** Two models on disk, `replicas` fake engines on the first, a sync service over them. */
export async function setUp(replicas = 2, onChange?: (sync: WeightSync) => void) {
  const ports = createTestPorts();
  ports.files.entries.set("/b/model.safetensors", await toSafetensors(MODEL_B));
  ports.files.entries.set("/a/model.safetensors", await toSafetensors(MODEL_A));
  const engines = Array.from({ length: replicas }, () => createFakeEngine(ports.files));
  const fleet = createFakeFleet(engines, await digestOf(MODEL_A));
  const syncs = createSyncs({
    fleet,
    ports,
    log: silentLog,
    spoolDir: "/spool",
    ...(onChange === undefined ? {} : { onChange: (sync) => onChange(sync) }),
  });
  const spooled = () => [...ports.files.entries.keys()].filter((path) => path.startsWith("/spool/"));
  const run = async (fields: object = {}): Promise<WeightSync> => {
    const { id } = await syncs.syncs.start(request(fields), BY);
    return syncs.syncs.wait(id, 30_000, forever);
  };
  return { ports, engines, fleet, ...syncs, spooled, run };
}
export type SetUp = Awaited<ReturnType<typeof setUp>>;

/** Nothing was switched, nothing is left behind. */
export function untouched({ fleet, engines, spooled, active }: SetUp, model: TinyModel = MODEL_A, version = 0): void {
  assert.equal(fleet.published().version, version);
  for (const engine of engines) {
    assert.deepEqual(engine.serving, model);
    assert.equal(engine.staged.size, 0);
    assert.equal(engine.paused, false);
  }
  assert.equal(fleet.gate.closers, 0);
  assert.equal(active(), null);
  if (version === 0) assert.deepEqual(spooled(), []);
}

/** The GatewayError that a promise rejects with. */
export const code = async (promise: Promise<unknown>): Promise<GatewayError> => {
  const error = await promise.then(
    () => assert.fail("it was accepted"),
    (reason) => reason,
  );
  assert.ok(error instanceof GatewayError, String(error));
  return error;
};

/** Waits until it is so; the test runner bounds the time. */
export async function until(ready: () => boolean): Promise<void> {
  while (!ready()) await new Promise((resolve) => setTimeout(resolve, 1));
}
/** Waits until a sync is in a phase. */
export async function phase(house: SetUp, id: string, wanted: string): Promise<void> {
  await until(() => house.syncs.get(id)?.phase === wanted);
}
