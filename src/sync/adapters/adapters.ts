/**
 * LoRA adapters over the whole fleet: loaded and unloaded on all servers or on none, a version for each load, and
 * loaded again into servers that come up without them. While an adapter changes, requests that name it wait here.
 */
import type { ReplicaId } from "../../contract/ids.ts";
import type { AdapterSpec } from "../../engine/engine.ts";
import { GatewayError } from "../../errors.ts";
import type { AdapterFacts, FleetRegistry, Replica } from "../../fleet/types.ts";
import { orAborted } from "../../lib/deadline.ts";
import type { Logger } from "../../observe/log.ts";
import type { Clock, Timer } from "../../ports.ts";
import { type AdapterMember, changeAll, readHeld } from "./change.ts";

/** How long requests that use the old adapter may run on before its change is given up. */
const DRAIN_MS = 600_000;
/** Pause between two tries to give a server the adapters that it lacks. */
const RETRY_MS = 2000;
/** Longest name: it is a model's name in requests, a label in logs. */
const NAME_LIMIT = 512;

/** What the room needs. */
export interface AdaptersOptions {
  readonly fleet: FleetRegistry;
  readonly clock: Clock;
  readonly log: Logger;
  /** The sync that runs, whoever drives it; null: none. */
  readonly syncing: () => string | null;
  /** Throws `conflict` while servers may hold half an update. */
  readonly refuseInWindow: (call: string) => void;
  /** True where other gateways may serve the same fleet. Default: none does. */
  readonly shared?: () => boolean;
}

/** What a caller asks for. */
export interface LoadAdapter {
  readonly name: string;
  readonly path: string;
  readonly replace: boolean;
  readonly is3d: boolean;
}

/** The room. */
export interface Adapters {
  /** Resolves when every server serves it. The work goes on when `signal` aborts. */
  load(request: LoadAdapter, signal: AbortSignal): Promise<AdapterFacts>;
  /** Resolves when no server serves it. Throws `not_found`. */
  unload(name: string, signal: AbortSignal): Promise<void>;
  stop(): void;
}

const summarize = (
  what: string,
  failed: readonly { readonly id: ReplicaId; readonly error: GatewayError }[],
  total: number,
): string =>
  `${what} failed on ${failed.length} of ${total} servers. ${failed.map(({ id, error }) => `${id}: ${error.message}`).join(" | ")}`;

/** Creates it; nothing runs before the first call. */
export function createAdapters({ fleet, clock, log, syncing, refuseInWindow, shared }: AdaptersOptions): Adapters {
  const table = fleet.adapters;
  /** One change of a name after the other. */
  const turns = new Map<string, Promise<unknown>>();
  /** Servers fenced here, with the reason that this room gave. */
  const fenced = new Map<ReplicaId, string>();
  /** Name and path pairs that a server has had: its prefix cache may still know them. */
  const cached = new WeakMap<Replica["engine"], Set<string>>();
  /** Names that some server may hold although the fleet does not serve them. */
  const unwanted = new Map<ReplicaId, Set<string>>();
  let timer: Timer | null = null;
  let stopped = false;

  function inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = turns.get(name) ?? Promise.resolve();
    const mine = before.then(work, work);
    const kept = mine.catch(() => undefined);
    turns.set(name, kept);
    void kept.then(() => turns.get(name) === kept && turns.delete(name));
    return mine;
  }

  /** vLLM's prefix cache knows an adapter by name and path alone (kv_cache_utils.py): a second load of the pair would meet the first one's blocks. */
  async function forgetPrefixes({ engine, id }: Replica, { name, path }: AdapterSpec, signal: AbortSignal) {
    const known = cached.get(engine) ?? new Set<string>();
    cached.set(engine, known);
    const pair = JSON.stringify([name, path]);
    if (!known.has(pair)) {
      known.add(pair);
      return;
    }
    const { control } = engine;
    if (control !== undefined && (await control.resetPrefixCache(true, { signal }))) return;
    throw new GatewayError(
      "conflict",
      `${id} keeps its prefix cache of the files that ${path} had before. Load changed weights from a new path.`,
    );
  }

  function participants(call: string): readonly Replica[] {
    const part = fleet.replicas().filter(({ state }) => state !== "stopped");
    const strange = part.filter(({ engine }) => engine.adapters === undefined);
    if (strange.length > 0) {
      const who = strange.map(({ id, engine }) => `${id} (${engine.kind})`).join(", ");
      throw new GatewayError(
        "unsupported",
        `${call}: ${who} cannot load LoRA adapters while it runs, and an adapter is loaded on all servers or on none. ` +
          "Detach it, or merge the adapter into the checkpoint and sync that with POST /api/weight-syncs.",
        { replica: strange[0]?.id ?? "" },
      );
    }
    const ready = part.filter(({ state }) => state === "ready");
    if (ready.length > 0) return ready;
    const why = part.map(({ id, state, lastError }) => `${id}: ${lastError ?? state}`).join("; ");
    throw new GatewayError(
      "conflict",
      `${call}: no server can take it. ${why || "The fleet is empty: attach a server with POST /api/servers."}`,
    );
  }

  function refuseWhileBusy(call: string): void {
    refuseInWindow(call);
    const busy = syncing();
    if (busy !== null) {
      throw new GatewayError("sync_in_progress", `${call}: weight sync ${busy} is running. Wait for it.`);
    }
  }

  const toMembers = (replicas: readonly Replica[]): AdapterMember[] =>
    replicas.map(({ id, engine }) => ({ id, target: engine.adapters! }));

  function fence(id: ReplicaId, name: string, reason: string): void {
    fenced.set(id, reason);
    unwanted.set(id, (unwanted.get(id) ?? new Set()).add(name));
    log.warn("server fenced", { replica: id, reason });
    if (fleet.replica(id)?.state === "ready") fleet.setState(id, "quarantined", reason);
    wakeLater();
  }

  /** Requests for it wait from here; those under way are let finish. */
  async function quiet(name: string): Promise<() => void> {
    const open = table.hold(name);
    const limit = new AbortController();
    const late = clock.timer(DRAIN_MS, () =>
      limit.abort(
        new GatewayError("conflict", `Requests that use ${name} did not finish within ${DRAIN_MS / 1000} s.`),
      ),
    );
    try {
      await table.drained(name, limit.signal);
      return open;
    } catch (error) {
      open();
      throw error;
    } finally {
      late.cancel();
    }
  }

  /** Loads (`spec`) or unloads on all of them; throws what failed when all is as before, as far as that can be. */
  async function change(call: string, replicas: readonly Replica[], name: string, spec: AdapterSpec | null) {
    const members = toMembers(replicas);
    const held = await readHeld(clock, members);
    const current = table.get(name);
    const before = (id: ReplicaId) => {
      const path = held.get(id)?.get(name);
      return path === undefined ? null : { path, is3d: current?.is3d === true && current.path === path };
    };
    if (spec === null && current === undefined && members.every(({ id }) => before(id) === null)) {
      throw new GatewayError("not_found", `The lora adapter '${name}' cannot be found.`);
    }
    const lives = new Map(replicas.map(({ id }) => [id, table.lifeOf(id)]));
    const setHeld = (id: ReplicaId, version: number | null) => table.setHeld(id, name, version, lives.get(id));
    const result = await changeAll({
      ...{ clock, members, name, spec, before },
      settle: async (id, signal) => {
        const replica = fleet.replica(id);
        const path = spec?.path ?? before(id)?.path ?? "";
        if (replica !== undefined) await forgetPrefixes(replica, { name, path }, signal);
      },
    });
    if (result.failed.length === 0) return setHeld;
    const stuck = new Set(result.stuck.map(({ id }) => id));
    for (const { id } of members) {
      const old = before(id);
      const whole = !stuck.has(id) && !result.lost.includes(id) && old !== null;
      if (!whole) setHeld(id, null);
      else if (current !== undefined && old.path === current.path) setHeld(id, current.version);
    }
    if (result.lost.length > 0) table.retract(name);
    for (const { id, error } of result.stuck) {
      fence(
        id,
        name,
        `The adapter ${name} could not be taken back after a change that failed elsewhere: ${error.message}`,
      );
    }
    const lost =
      result.lost.length === 0
        ? ""
        : ` The adapter's old files were overwritten in place, so that nothing can be brought back: ${name} is unloaded. Load changed weights from a new path.`;
    const fences = stuck.size === 0 ? "" : ` Fenced, because the undo failed there too: ${[...stuck].join(", ")}.`;
    const undone = lost === "" ? " The others are as before." : lost;
    const codes = new Set(result.failed.map(({ error }) => error.code));
    const [code = "replica_failed"] = codes.size === 1 ? codes : [];
    const plain = code === "invalid_value" || code === "not_found" || code === "conflict" ? code : "replica_failed";
    throw new GatewayError(plain, summarize(call, result.failed, members.length) + undone + fences, {
      replica: result.failed[0]?.id ?? "",
      phase: call,
      ...(result.failed[0]?.error.details.upstream === undefined
        ? {}
        : { upstream: result.failed[0].error.details.upstream }),
    });
  }

  async function load({ name, path, replace, is3d }: LoadAdapter): Promise<AdapterFacts> {
    const call = "load_lora_adapter";
    if (name.length > NAME_LIMIT) {
      throw new GatewayError("invalid_value", `lora_name must be at most ${NAME_LIMIT} characters.`, {
        param: "lora_name",
      });
    }
    refuseWhileBusy(call);
    const replicas = participants(call);
    const models = replicas.flatMap(({ info }) => info?.models ?? []);
    if (models.some(({ id, parent }) => id === name && parent === null)) {
      throw new GatewayError("invalid_value", `The lora adapter '${name}' conflicts with a served base model.`, {
        param: "lora_name",
      });
    }
    const known = table.get(name) !== undefined || models.some(({ id }) => id === name);
    if (known && !replace) {
      throw new GatewayError(
        "invalid_value",
        `The lora adapter '${name}' has already been loaded. If you want to load the adapter in place, set 'load_inplace' to True.`,
        { param: "lora_name" },
      );
    }
    const open = await quiet(name);
    try {
      const setHeld = await change(call, replicas, name, { name, path, is3d });
      const version = table.nextVersion(name);
      for (const { id } of replicas) setHeld(id, version);
      const parent = models.find((model) => model.parent === null)?.id ?? null;
      const facts: AdapterFacts = { name, version, path, is3d, parent };
      table.publish(facts);
      log.info("adapter loaded", { adapter: name, adapter_version: version, servers: replicas.length });
      if (shared?.() === true) {
        log.warn(
          "adapter known to this gateway alone: others of this store answer 404 for it, or route it without a version and without waiting for its replacement; send its loads and its requests through one gateway",
          { adapter: name },
        );
      }
      return facts;
    } finally {
      open();
      look();
    }
  }

  async function unload(name: string): Promise<void> {
    const call = "unload_lora_adapter";
    refuseWhileBusy(call);
    const replicas = participants(call);
    const open = await quiet(name);
    try {
      const setHeld = await change(call, replicas, name, null);
      table.retract(name);
      for (const { id } of replicas) setHeld(id, null);
      // Whoever is away may still have it when it comes back.
      for (const { id } of fleet.replicas()) {
        if (replicas.some((replica) => replica.id === id)) continue;
        unwanted.set(id, (unwanted.get(id) ?? new Set()).add(name));
      }
      log.info("adapter unloaded", { adapter: name, servers: replicas.length });
    } finally {
      open();
      look();
    }
  }

  const lacks = (replica: Replica): readonly AdapterFacts[] =>
    table.list().filter(({ name, version }) => replica.adapters.get(name) !== version);

  const isUp = ({ id, state }: Replica): boolean => state === "ready" || (state === "quarantined" && fenced.has(id));

  /** Whether a server is not as the table says, or is fenced for that. */
  const needsWork = (replica: Replica): boolean =>
    replica.engine.adapters !== undefined &&
    isUp(replica) &&
    (fenced.has(replica.id) || lacks(replica).length > 0 || unwanted.has(replica.id));

  /** Gives one server what it lacks, and takes what nobody wants. */
  async function mend(replica: Replica): Promise<void> {
    const [member] = toMembers([replica]);
    if (member === undefined) return;
    const { id, target } = member;
    for (const name of unwanted.get(id) ?? []) {
      await inTurn(name, async () => {
        if (table.get(name) === undefined) await within((signal) => target.unload(name, { signal }));
      });
      unwanted.get(id)?.delete(name);
    }
    if (unwanted.get(id)?.size === 0) unwanted.delete(id);
    for (const { name } of lacks(replica)) {
      await inTurn(name, async () => {
        const facts = table.get(name);
        if (facts === undefined || replica.adapters.get(name) === facts.version || !isUp(replica)) return;
        const life = table.lifeOf(id);
        if (syncing() !== null) throw new GatewayError("sync_in_progress", "A weight sync runs.");
        refuseInWindow("load_lora_adapter");
        await within(async (signal) => {
          const held = await target.list({ signal });
          await target.load(facts, held.has(name), { signal });
          await forgetPrefixes(replica, facts, signal);
        });
        table.setHeld(id, name, facts.version, life);
        log.info("adapter loaded again", { adapter: name, adapter_version: facts.version, replica: id });
      });
    }
    const reason = fenced.get(id);
    if (reason === undefined) return;
    fenced.delete(id);
    // Only this room's own fence: another one's stays.
    if (replica.state === "quarantined" && replica.lastError === reason) fleet.setState(id, "ready", null);
  }

  async function within<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const limit = new AbortController();
    const late = clock.timer(300_000, () => limit.abort(new GatewayError("deadline_exceeded", "It took too long.")));
    try {
      return await orAborted(call(limit.signal), limit.signal);
    } finally {
      late.cancel();
    }
  }

  const mending = new Set<ReplicaId>();
  /** What was last logged of a server that cannot be mended: told once, tried for ever. */
  const told = new Map<ReplicaId, string>();
  function look(): void {
    for (const replica of fleet.replicas()) {
      if (mending.has(replica.id) || !needsWork(replica)) continue;
      mending.add(replica.id);
      void mend(replica)
        .then(
          () => void told.delete(replica.id),
          (error: unknown) => {
            const reason = error instanceof Error ? error.message : String(error);
            if (told.get(replica.id) === reason) return;
            told.set(replica.id, reason);
            log.warn("adapters could not be loaded again", { replica: replica.id, reason });
          },
        )
        .finally(() => {
          mending.delete(replica.id);
          if (needsWork(replica)) wakeLater();
        });
    }
  }

  function wakeLater(): void {
    if (stopped || timer !== null) return;
    timer = clock.timer(RETRY_MS, () => {
      timer = null;
      look();
    });
  }

  const unsubscribe = fleet.subscribe((changed) => {
    const replica = changed === null ? undefined : fleet.replica(changed);
    // First try at once; what fails is tried again by the timer.
    if (replica !== undefined && needsWork(replica) && timer === null && !mending.has(replica.id)) look();
  });

  return {
    load: (request, signal) =>
      orAborted(
        inTurn(request.name, () => load(request)),
        signal,
      ),
    unload: (name, signal) =>
      orAborted(
        inTurn(name, () => unload(name)),
        signal,
      ),
    stop() {
      stopped = true;
      unsubscribe();
      timer?.cancel();
    },
  };
}
