/** A fleet and engines in memory for sync tests: weights are really read from the set's files, faults come on demand. */
import { createHash } from "node:crypto";
import type { ReplicaId, WeightDigest, WeightVersion } from "../../../src/contract/ids.ts";
import type { Engine, EngineInfo, EngineNotice, TensorSpec } from "../../../src/engine/engine.ts";
import { createAdapterTable } from "../../../src/fleet/adapters.ts";
import type { FleetRegistry, Replica } from "../../../src/fleet/types.ts";
import { createLogger } from "../../../src/observe/log.ts";
import type { Fetch, Ports, Sha256 } from "../../../src/ports.ts";
import { type DigestEntry, weightDigest } from "../../../src/tensor/digest.ts";
import type { Dtype } from "../../../src/tensor/dtype.ts";
import { openWeights } from "../../../src/tensor/weights.ts";
import { writeSafetensors } from "../../../src/tensor/write.ts";
import { createMemoryFiles, type MemoryFiles } from "./memory-files.ts";

export const sha256 = (): Sha256 => {
  const hash = createHash("sha256");
  return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest("hex") };
};

export type TestPorts = Ports & { readonly files: MemoryFiles; readonly sha256: () => Sha256 };

/** Real time, no log output, files in memory. */
export function createTestPorts(fetch?: Fetch): TestPorts {
  return {
    runtime: "test",
    clock: {
      now: () => Date.now(),
      monotonic: () => performance.now(),
      timer(milliseconds, callback) {
        const handle = setTimeout(callback, milliseconds);
        return { cancel: () => clearTimeout(handle) };
      },
    },
    random: { uuid: () => crypto.randomUUID(), float: Math.random },
    fetch: fetch ?? (() => Promise.reject(new Error("no network"))),
    writeLine: () => undefined,
    files: createMemoryFiles(),
    sha256,
    temporaryDirectory: "/tmp",
  };
}

export const silentLog = createLogger({
  format: "text",
  level: "error",
  clock: { now: () => 0 },
  writeLine: () => undefined,
});

/** Tensor values of a tiny model: two tensors. */
export type TinyModel = Readonly<Record<string, readonly number[]>>;

export const MANIFEST: readonly TensorSpec[] = [
  { name: "embed", dtype: "F32", shape: [2, 2] },
  { name: "head", dtype: "F32", shape: [3] },
];
export const MODEL_A: TinyModel = { embed: [1, 2, 3, 4], head: [5, 6, 7] };
export const MODEL_B: TinyModel = { embed: [10, 20, 30, 40], head: [50, 60, 70] };

/** One safetensors file. `shapes` overrides; a tensor without one takes the manifest's, or one dimension. */
export async function toSafetensors(
  model: TinyModel,
  dtype: Dtype = "F32",
  shapes: Readonly<Record<string, readonly number[]>> = {},
): Promise<Uint8Array> {
  const files = createMemoryFiles();
  const writer = await files.openWrite("/out");
  await writeSafetensors(
    writer,
    Object.entries(model).map(([name, values]) => ({
      name,
      dtype,
      shape: shapes[name] ?? MANIFEST.find((spec) => spec.name === name)?.shape ?? [values.length],
      data: () =>
        dtype === "F32"
          ? new Uint8Array(new Float32Array(values).buffer)
          : new Uint8Array(new Uint16Array(values).buffer),
    })),
  );
  await writer.close();
  return files.entries.get("/out")!;
}

export async function digestOf(model: TinyModel): Promise<WeightDigest> {
  const files = createMemoryFiles({ "/m": await toSafetensors(model) });
  const weights = await openWeights(files, "/m");
  const entries: DigestEntry[] = [];
  for (const [name, { dtype, shape }] of weights.tensors) {
    const hash = sha256();
    hash.update(await weights.read(name));
    entries.push({ name, dtype, shape, sha256: hash.hex() });
  }
  return weightDigest(entries, sha256);
}

type Fault = "stage-error" | "stage-hang" | "stage-wrong-digest" | "commit-error" | "commit-hang" | "pause-error";

export interface FakeEngine extends Engine {
  /** Values that answers would come from. */
  serving: TinyModel;
  readonly staged: Map<string, TinyModel>;
  readonly faults: Set<Fault>;
  readonly calls: string[];
  notify(notice: EngineNotice): void;
  info(version: number, digest: WeightDigest | null): EngineInfo;
  paused: boolean;
}

export function createFakeEngine(files: MemoryFiles, serving: TinyModel = MODEL_A): FakeEngine {
  const listeners = new Set<(notice: EngineNotice) => void>();
  const never = (signal: AbortSignal): Promise<never> =>
    new Promise((_, reject) => signal.addEventListener("abort", () => setTimeout(() => reject(new Error("late")), 5)));
  const engine: FakeEngine = {
    kind: "embedded",
    url: null,
    serving,
    staged: new Map(),
    faults: new Set(),
    calls: [],
    paused: false,
    info: (version, digest) => ({
      models: [],
      worldSize: 1,
      weightVersion: version as WeightVersion,
      weightDigest: digest,
      details: {},
    }),
    notify(notice) {
      for (const listener of listeners) listener(notice);
    },
    start: async () => engine.info(0, null),
    stop: async () => undefined,
    probe: async () => undefined,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    control: {
      async pause(mode) {
        engine.calls.push(`pause ${mode}`);
        if (engine.faults.has("pause-error")) throw new Error("cannot pause");
        engine.paused = true;
      },
      async resume() {
        engine.calls.push("resume");
        engine.paused = false;
      },
      isPaused: async () => engine.paused,
      resetPrefixCache: async () => true,
      sleep: async () => undefined,
      wakeUp: async () => undefined,
      isSleeping: async () => false,
    },
    weights: {
      manifest: () => MANIFEST,
      async stage(id, set, { signal, onProgress }) {
        engine.calls.push("stage");
        if (engine.faults.has("stage-error")) throw new Error("out of memory");
        if (engine.faults.has("stage-hang")) return never(signal);
        const weights = await openWeights(files, set.files);
        const next: Record<string, readonly number[]> = { ...engine.serving };
        for (const name of weights.tensors.keys()) {
          next[name] = [...new Float32Array((await weights.read(name)).buffer)];
        }
        await weights.close();
        onProgress({ bytesDone: 28, bytesTotal: 28 });
        engine.staged.set(id, next);
        if (engine.faults.has("stage-wrong-digest")) return digestOf({ ...next, head: [9, 9, 9] });
        return digestOf(next);
      },
      async commit(id, _version, mode, { signal }) {
        engine.calls.push(`commit ${mode}`);
        if (engine.faults.has("commit-error")) throw new Error("worker died");
        if (engine.faults.has("commit-hang")) return never(signal);
        const next = engine.staged.get(id);
        if (next === undefined) throw new Error("nothing staged");
        engine.staged.delete(id);
        engine.serving = next;
      },
      async discard(id) {
        engine.calls.push("discard");
        engine.staged.delete(id);
      },
    },
  };
  return engine;
}

interface FakeReplica extends Replica {
  state: Replica["state"];
  info: EngineInfo | null;
  weightVersion: WeightVersion | null;
  weightDigest: WeightDigest | null;
  inFlight: number;
  lastError: string | null;
}

export interface FakeFleet extends FleetRegistry {
  replicas(): readonly FakeReplica[];
  replica(id: string): FakeReplica | undefined;
  readonly gate: { closers: number; opened: number };
  setInFlight(id: string, count: number): void;
}

/** Replica ids are r-0, r-1, …; all ready on version 0. */
export function createFakeFleet(engines: readonly Engine[], digest: WeightDigest | null = null): FakeFleet {
  const listeners = new Set<(changed: ReplicaId | null) => void>();
  let facts = { version: 0 as WeightVersion, digest };
  const all = engines.map((engine, index): FakeReplica => {
    return {
      id: `r-${index}` as ReplicaId,
      engine,
      state: "ready",
      info: { models: [], worldSize: 1, weightVersion: facts.version, weightDigest: digest, details: {} },
      weightVersion: facts.version,
      weightDigest: digest,
      inFlight: 0,
      weight: 1,
      lastError: null,
      adapters: new Map(),
    };
  });
  const gate = { closers: 0, opened: 0 };
  const tell = (id: ReplicaId | null): void => {
    for (const listener of [...listeners]) listener(id);
  };
  const find = (id: string) => all.find((replica) => replica.id === id)!;
  return {
    gate,
    adapters: createAdapterTable([], () => undefined),
    replicas: () => all,
    replica: find,
    acquire: () => Promise.reject(new Error("not here")),
    acquireNow: () => undefined,
    published: () => facts,
    publish(version, nextDigest) {
      facts = { version, digest: nextDigest };
      tell(null);
    },
    closeGate() {
      gate.closers += 1;
      let open = false;
      return () => {
        if (open) return;
        open = true;
        gate.closers -= 1;
        gate.opened += 1;
      };
    },
    drained(ids, signal) {
      return new Promise((resolve, reject) => {
        const leave = (): void => reject(signal.reason);
        signal.addEventListener("abort", leave, { once: true });
        const look = (): void => {
          if (ids.some((id) => find(id).inFlight > 0)) return;
          listeners.delete(look);
          signal.removeEventListener("abort", leave);
          resolve();
        };
        listeners.add(look);
        look();
      });
    },
    setState(id, state, reason) {
      Object.assign(find(id), { state, lastError: reason });
      tell(id);
    },
    setWeights(id, version, nextDigest) {
      Object.assign(find(id), { weightVersion: version, weightDigest: nextDigest });
      tell(id);
    },
    setInFlight(id, count) {
      find(id).inFlight = count;
      tell(id as ReplicaId);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
