/** A fleet whose engines have a residency of their own making: groups, tiers, a limit, deaths and calls that hang. */
import type { CallOptions, Residency, ResidencyDirective, ResidencyReport, Tier } from "../../../src/engine/engine.ts";
import { GatewayError } from "../../../src/errors.ts";
import { createLeases, type Leases } from "../../../src/gateway/residency/leases.ts";
import { createResidencies, type Residencies } from "../../../src/gateway/residency/residencies.ts";
import { createLogger } from "../../../src/observe/log.ts";
import type { Clock, Ports } from "../../../src/ports.ts";
import { createFakeEngine, createWorld, type FakeEngine, live, type World } from "./fleet-rig.ts";

/** Bytes by group; `head` stays in memory, the others wait on disk. */
export const SIZES: Readonly<Record<string, number>> = { embed: 400, "layers.0": 1000, "layers.1": 1000, head: 40 };

export interface FakeResidency extends Residency {
  latest(): null;
  /** What the worker of now holds. */
  readonly gathered: ReadonlySet<string>;
  /** Calls so far, by name. */
  readonly calls: string[];
  /** Bytes that may be gathered. */
  limit: number;
  /** Set: the next calls do not answer before this many turns, or ever. */
  delay: () => Promise<void>;
  failRelease: number;
  tiers(): Readonly<Record<Tier, number>>;
  /** The worker is replaced: everything gathered is gone, calls under way fail. */
  die(): void;
}

export function createFakeResidency(): FakeResidency {
  let gathered = new Set<string>();
  let base: Record<string, Tier> = { embed: "disk", "layers.0": "disk", "layers.1": "disk", head: "cpu" };
  let life = new AbortController();
  const calls: string[] = [];
  const tierOf = (name: string): Tier => (gathered.has(name) ? "cpu" : (base[name] ?? "cpu"));
  const report = (): ResidencyReport => ({
    groups: Object.entries(SIZES).map(([name, bytes]) => ({ name, tier: tierOf(name), bytes, pinned: false })),
    bytes: fake.tiers(),
    pageIns: 0,
    tokens: 0,
    gathered: gathered.size,
  });
  const turn = async ({ signal }: CallOptions, name: string): Promise<void> => {
    calls.push(name);
    const worker = life.signal;
    await fake.delay();
    signal.throwIfAborted();
    if (worker.aborted) throw new GatewayError("replica_failed", "The worker ended.");
  };
  const fake: FakeResidency = {
    latest: () => null,
    get gathered() {
      return gathered;
    },
    calls,
    limit: Number.POSITIVE_INFINITY,
    delay: () => Promise.resolve(),
    failRelease: 0,
    tiers() {
      const bytes = { device: 0, cpu: 0, disk: 0 };
      for (const [name, size] of Object.entries(SIZES)) bytes[tierOf(name)] += size;
      return bytes;
    },
    die() {
      life.abort();
      life = new AbortController();
      gathered = new Set();
    },
    async report(options) {
      await turn(options, "report");
      return report();
    },
    async apply(directive: ResidencyDirective, options) {
      await turn(options, "apply");
      if (directive.maxInCpuBytes !== undefined && directive.maxInCpuBytes < 1000) {
        const missingBytes = 1000 - directive.maxInCpuBytes;
        throw new GatewayError("limit_exceeded", `One step needs 1000 bytes.`, { missingBytes });
      }
      base = Object.fromEntries(Object.keys(SIZES).map((name) => [name, directive.groups?.[name] ?? "cpu"]));
      return report();
    },
    async gather(groups, options) {
      await turn(options, "gather");
      const names = groups === "all" ? Object.keys(SIZES) : groups;
      for (const name of names) if (!(name in SIZES)) throw new GatewayError("invalid_value", `No group ${name}.`);
      const wanted = names.filter((name) => base[name] === "disk");
      const bytes = wanted.reduce((sum, name) => sum + (SIZES[name] ?? 0), 0);
      if (bytes > fake.limit) {
        throw new GatewayError("limit_exceeded", `Only ${fake.limit} bytes are free.`, {
          missingBytes: bytes - fake.limit,
        });
      }
      gathered = new Set(wanted);
      return report();
    },
    async release(options) {
      await turn(options, "release");
      if (fake.failRelease > 0) {
        fake.failRelease -= 1;
        throw new GatewayError("replica_failed", "The pipe broke.");
      }
      gathered = new Set();
      return report();
    },
  };
  return fake;
}

export interface Rig {
  readonly world: World;
  readonly engines: readonly (FakeEngine & { readonly residency: FakeResidency })[];
  readonly residencies: Residencies;
  readonly leases: Leases;
  readonly lines: string[];
}

/** Replicas of the model "tiny". `clock`: the registry's; default the fleet's own, which moves by hand. */
export async function createRig(options: { replicas?: number; clock?: Clock } = {}): Promise<Rig> {
  const world = createWorld();
  const clock = options.clock ?? world.clock;
  const lines: string[] = [];
  const log = createLogger({ format: "text", level: "debug", clock, writeLine: (line) => void lines.push(line) });
  const ports = { clock, random: { uuid: () => crypto.randomUUID(), float: () => 0.5 } } as unknown as Ports;
  const engines = Array.from({ length: options.replicas ?? 1 }, () =>
    Object.assign(createFakeEngine({}), { residency: createFakeResidency() }),
  );
  const { fleet, metrics } = world;
  for (const engine of engines) await fleet.addReplica(fleet.nextId("embedded"), engine, live());
  const residencies = createResidencies({ fleet, ports, log });
  return { world, engines, residencies, leases: createLeases({ fleet, residencies, ports, log, metrics }), lines };
}

/** The worker of an engine dies, and a new one takes its place. */
export function killWorker(engine: Rig["engines"][number]): void {
  engine.residency.die();
  engine.notify({ type: "down", reason: "killed by SIGKILL", recovering: true });
  engine.notify({ type: "up", info: engine.info });
}
