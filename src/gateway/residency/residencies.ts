/** The residency of every replica that has one, and of a model over all its replicas: read it, change it, all or none. */
import type { ModelResidency, PutResidency, ResidencyReport } from "../../contract/control/residency.ts";
import type { Engine, ResidencyReport as Report, ResidencyDirective, Tier } from "../../engine/engine.ts";
import { GatewayError } from "../../errors.ts";
import type { FleetRegistry, Replica } from "../../fleet/types.ts";
import type { Logger } from "../../observe/log.ts";
import { type OffloadPolicy, persistentGroups } from "../../offload/place.ts";
import { createOffloadPlan } from "../../offload/plan.ts";
import type { Ports } from "../../ports.ts";
import { ReplicaResidency } from "./replica-residency.ts";

export interface ResidencyOptions {
  readonly fleet: FleetRegistry;
  readonly ports: Ports;
  readonly log: Logger;
}

export interface Residencies {
  /** undefined: this replica's engine has no residency. */
  of(replica: Replica): ReplicaResidency | undefined;
  get(model: string, signal: AbortSignal): Promise<ModelResidency>;
  put(model: string, request: PutResidency, signal: AbortSignal): Promise<ModelResidency>;
}

/** The engine holds weights as float32, whatever the files have (see `TierBytes` of the engine port). */
const ENGINE_BYTES_PER_ELEMENT = 4;

/** As many as the worker takes. */
const BUFFER_LIMIT = 64;

const toWire = (report: Report): ResidencyReport => ({
  groups: report.groups.map(({ name, tier, bytes, pinned }) => ({ name, tier, bytes, pinned })),
  bytes: { ...report.bytes },
  budget_bytes: report.budgetBytes ?? null,
  page_ins: report.pageIns,
  tokens: report.tokens,
  gathered: report.gathered,
});

const unknownModel = (model: string, known: readonly string[]): GatewayError =>
  new GatewayError("model_not_found", `The model ${model} is not served. Served: ${known.join(", ") || "none"}.`, {
    param: "model",
  });

/** Replicas that have the model, loaded or not. Throws `model_not_found`. */
export function replicasOf(fleet: FleetRegistry, model: string): readonly Replica[] {
  const has = ({ info }: Replica): boolean => info?.models.some(({ id }) => id === model) === true;
  const found = fleet.replicas().filter(has);
  if (found.length > 0) return found;
  throw unknownModel(model, [
    ...new Set(fleet.replicas().flatMap(({ info }) => info?.models.map(({ id }) => id) ?? [])),
  ]);
}

/** True when the replica's weights are there and it may serve. */
export const isLoaded = ({ state }: Replica): boolean => state === "ready" || state === "syncing";

/** Groups of a report, counted as DeepSpeed counts. */
const inElements = (groups: Report["groups"]) =>
  groups.map(({ name, bytes }) => ({ name, elements: bytes / ENGINE_BYTES_PER_ELEMENT }));

/** A policy in elements as a directive in bytes, for an engine whose groups are known. */
export function toDirective(
  policy: OffloadPolicy,
  groups: readonly { readonly name: string; readonly elements: number }[],
): ResidencyDirective {
  if (policy.device === "none") return {};
  const pinned = policy.pinMemory ? { pinMemory: true } : {};
  const persistent = persistentGroups(groups, policy);
  const tiers: Record<string, Tier> = {};
  for (const { name } of groups) if (persistent.has(name)) tiers[name] = "device";
  if (policy.device === "cpu") {
    for (const { name } of groups) tiers[name] ??= "cpu";
    return { groups: tiers, ...pinned };
  }
  // The engine fills the budget itself, in the order of use: it knows best what a step needs.
  return {
    ...(persistent.size > 0 ? { groups: tiers } : {}),
    maxInCpuBytes: policy.maxInCpu * ENGINE_BYTES_PER_ELEMENT,
    bufferCount: Math.min(policy.bufferCount, BUFFER_LIMIT),
    ...pinned,
  };
}

/** What a replica follows that was never told by us: read off its report. */
const toBefore = ({ groups, budgetBytes }: Report): ResidencyDirective => ({
  groups: Object.fromEntries(groups.map(({ name, tier }) => [name, tier])),
  ...(budgetBytes === undefined ? {} : { maxInCpuBytes: budgetBytes }),
  ...(groups.some(({ pinned }) => pinned) ? { pinMemory: true } : {}),
});

const fromWire = (request: Exclude<PutResidency, { deepspeed_config: unknown }>): ResidencyDirective => ({
  ...(request.groups === undefined ? {} : { groups: request.groups }),
  ...(request.max_in_cpu_bytes === undefined ? {} : { maxInCpuBytes: request.max_in_cpu_bytes }),
  ...(request.buffer_count === undefined ? {} : { bufferCount: request.buffer_count }),
  ...(request.pin_memory === undefined ? {} : { pinMemory: request.pin_memory }),
  ...(request.max_gathered_bytes === undefined ? {} : { maxGatheredBytes: request.max_gathered_bytes }),
});

/** Creates it; it watches the fleet for replicas that leave. */
export function createResidencies({ fleet, ports, log }: ResidencyOptions): Residencies {
  const known = new Map<Engine, { readonly id: string; readonly residency: ReplicaResidency }>();

  fleet.subscribe(() => {
    for (const [engine, { id, residency }] of known) {
      if (fleet.replica(id)?.engine === engine) continue;
      known.delete(engine);
      residency.close("the replica was detached");
    }
  });

  const of = ({ id, engine }: Replica): ReplicaResidency | undefined => {
    if (engine.residency === undefined) return undefined;
    let entry = known.get(engine);
    if (entry === undefined) {
      entry = { id, residency: new ReplicaResidency(engine, engine.residency, ports.clock, log.with({ replica: id })) };
      known.set(engine, entry);
    }
    return entry.residency;
  };

  const able = (model: string): { readonly replica: Replica; readonly residency: ReplicaResidency }[] => {
    const all = replicasOf(fleet, model);
    const list = all.flatMap((replica) => {
      const residency = of(replica);
      return residency === undefined ? [] : [{ replica, residency }];
    });
    if (list.length === 0) {
      throw new GatewayError("unsupported", `The replicas of ${model} do not tell where their weights are.`, {
        param: "model",
      });
    }
    const away = list.find(({ replica }) => !isLoaded(replica));
    if (away === undefined) return list;
    const { id, state } = away.replica;
    throw new GatewayError(
      "conflict",
      `Replica ${id} of ${model} is ${state}; its weights cannot be asked about now.`,
      {
        replica: id,
      },
    );
  };

  const planOf = async (model: string, request: Extract<PutResidency, { deepspeed_config: unknown }>) => {
    const info = replicasOf(fleet, model)[0]?.info?.models.find(({ id }) => id === model);
    return createOffloadPlan(ports.files, { ...request, model: info?.root ?? model });
  };

  /** Puts back what was before; a replica that cannot is left to say so itself. */
  const undo = (done: readonly { residency: ReplicaResidency; before: ResidencyDirective }[], signal: AbortSignal) =>
    Promise.all(
      done.map(({ residency, before }) =>
        residency.apply(before, signal).catch((error: unknown) => {
          log.error("residency: a directive could not be taken back", { error });
        }),
      ),
    );

  return {
    of,
    async get(model, signal) {
      const servers = await Promise.all(
        able(model).map(async ({ replica, residency }) => ({
          id: replica.id,
          residency: toWire(await residency.report(signal)),
        })),
      );
      return { model, servers };
    },
    async put(model, request, signal) {
      const list = able(model);
      const resolved = "deepspeed_config" in request ? await planOf(model, request) : undefined;
      const done: { residency: ReplicaResidency; before: ResidencyDirective }[] = [];
      const servers: { id: Replica["id"]; residency: ResidencyReport }[] = [];
      try {
        // One after the other: a directive that is refused is refused by the first, and the others never saw it.
        for (const { replica, residency } of list) {
          const now = await residency.report(signal);
          const directive =
            resolved === undefined
              ? fromWire(request as Exclude<PutResidency, { deepspeed_config: unknown }>)
              : toDirective(resolved.policy, inElements(now.groups));
          const before = residency.directive ?? toBefore(now);
          const report = await residency.apply(directive, signal);
          done.push({ residency, before });
          servers.push({ id: replica.id, residency: toWire(report) });
        }
      } catch (error) {
        await undo(done, AbortSignal.timeout(60_000));
        throw error;
      }
      log.info("residency changed", { model, replicas: servers.length });
      return { model, servers, ...(resolved === undefined ? {} : { plan: resolved.plan }) };
    },
  };
}
