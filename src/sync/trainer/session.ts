/** A trainer's weight calls over the whole fleet: what each one checks before a server is asked, and what it answers. */
import type { ReplicaId, WeightVersion } from "../../contract/ids.ts";
import type { TransferCall } from "../../engine/engine.ts";
import { GatewayError } from "../../errors.ts";
import type { Replica } from "../../fleet/types.ts";
import { orAborted } from "../../lib/deadline.ts";
import { canonicalJson } from "../idempotency.ts";
import type { TrainerOptions, TrainerResult, TrainerServerResult, TrainerSessions } from "./api.ts";
import { createCalls } from "./calls.ts";
import { checkName, checkReachable, parseJoin, parseUpdate, versionOfLabel } from "./checks.ts";
import { createConductor } from "./conductor.ts";
import { assignRanks } from "./ranks.ts";
import { isWindowOpen } from "./types.ts";
import { identify, toTrainerFailure } from "./work.ts";

const isUp = (replica: Replica): boolean => !["starting", "unreachable", "stopped"].includes(replica.state);

/** Creates the room; nothing runs before the first call. */
export function createTrainerSessions(options: TrainerOptions): TrainerSessions {
  const { fleet, syncs, clock } = options;
  const conductor = createConductor(options);
  const { cargo, identities, fences, dispatch, state } = conductor;
  const serve = createCalls(conductor);
  const joinedIds = conductor.joined;
  const plainResult = (): TrainerResult => ({ servers: joinedIds().map((id) => ({ id })) });

  /** Who could join now. Blocked servers cannot: they would block the whole group. */
  function candidates(): Replica[] {
    return fleet
      .replicas()
      .filter((replica) => replica.engine.transfer !== undefined && isUp(replica) && !fences.isBlocked(replica.id));
  }

  function participants(): Replica[] {
    const strange = fleet
      .replicas()
      .filter((replica) => replica.engine.transfer === undefined && replica.state !== "stopped");
    const found = candidates();
    const [first] = strange;
    if (first !== undefined) {
      const who = strange.map(({ id, engine }) => `${id} (${engine.kind})`).join(", ");
      throw new GatewayError(
        "unsupported",
        `${who} cannot join a trainer's NCCL group: weights go there with POST /api/weight-syncs (or \`tidegate sync DIR\`). ` +
          "Detach it to let the trainer drive the vLLM servers.",
        { replica: first.id },
      );
    }
    if (found.length > 0) return found;
    const why = fleet
      .replicas()
      .map(({ id, state: at, lastError }) => `${id}: ${lastError ?? at}`)
      .join("; ");
    throw new GatewayError(
      "conflict",
      `No server is up to take weights. ${why || "The fleet is empty: attach one with POST /api/servers."}`,
    );
  }

  /** What the group needs to hold; also learns which processes answer now. */
  async function findAbsent(signal: AbortSignal): Promise<{ id: ReplicaId; reason: string }[]> {
    const look = async (id: ReplicaId): Promise<{ id: ReplicaId; reason: string }[]> => {
      const replica = fleet.replica(id);
      const target = replica?.engine.transfer;
      if (replica === undefined || target === undefined) return [{ id, reason: "it was detached" }];
      if (!isUp(replica)) return [{ id, reason: replica.lastError ?? replica.state }];
      const found = await orAborted(identify(clock, target), signal);
      const before = identities.get(id);
      if (found === undefined) return [{ id, reason: "its engine is blocked: /health answers, /weight_info does not" }];
      if (before?.instance != null && found.instance !== null && before.instance !== found.instance) {
        identities.set(id, found);
        dispatch({ type: "restarted", replica: id });
        return [{ id, reason: "it was restarted" }];
      }
      identities.set(id, found);
      return [];
    };

    const joined = joinedIds();
    // Its ranks are still part of the group: a broadcast would wait for them.
    const left = cargo.shares
      .filter(({ id }) => !joined.includes(id))
      .map(({ id }) => ({ id, reason: fleet.replica(id) === undefined ? "it was detached" : "it was restarted" }));
    return [...left, ...(await Promise.all(joined.map(look))).flat()];
  }

  function checkAll(ids: readonly ReplicaId[], call: TransferCall): void {
    for (const id of ids) {
      try {
        fleet.replica(id)?.engine.transfer?.check(call);
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
        throw new GatewayError(error.code, `${id}: ${error.message}`, { ...error.details, replica: id });
      }
    }
  }

  /** Learns which process answers; a server that does not say who it is joins all the same. */
  async function meet({ id, engine }: Replica, signal: AbortSignal): Promise<void> {
    const found = await orAborted(identify(clock, engine.transfer!), signal);
    if (found !== undefined) identities.set(id, found);
  }

  async function refuseWhileSyncing(): Promise<void> {
    if (syncs.active() === null || conductor.hasRecord()) return;
    // Of another gateway, perhaps: it may have ended a moment ago.
    await syncs.refresh();
    const busy = syncs.active();
    if (busy === null || conductor.hasRecord()) return;
    throw new GatewayError("sync_in_progress", `Sync ${busy} is running. Wait for it.`);
  }

  function toShare(id: ReplicaId): TrainerServerResult {
    const share = cargo.shares.find((one) => one.id === id);
    if (share === undefined) return { id };
    return { id, rank_offset: share.rankOffset, world_size: Number(cargo.join.world_size) };
  }

  const start: TrainerSessions["start"] = (checkpointFormat, by) =>
    serve(
      {
        fingerprint: "start",
        async prepare(signal) {
          await refuseWhileSyncing();
          const idle = state().stage === "idle";
          const absent = idle ? await findAbsent(signal) : [];
          cargo.checkpointFormat = checkpointFormat;
          if (idle && absent.length === 0 && joinedIds().length > 0) await conductor.beginRecord(by);
          // Whoever left meanwhile begins nothing.
          if (signal.aborted) await conductor.dropRecord();
          return { type: "start", absent, announced: syncs.announced() };
        },
        toResult: plainResult,
      },
      by,
    );

  function checkPayloads(update: readonly unknown[]): void {
    const ranks = joinedIds().reduce((sum, id) => sum + (fleet.replica(id)?.info?.worldSize ?? 1), 0);
    if (update.length === ranks) return;
    const message = `update_info must have one payload per rank, ${ranks} in all, got ${update.length}.`;
    throw new GatewayError("invalid_value", message, { param: "update_info" });
  }

  const send: TrainerSessions["update"] = (update, by) =>
    serve(
      {
        fingerprint: `update ${canonicalJson(update)}`,
        async prepare() {
          const names = parseUpdate(update);
          if (Array.isArray(update)) checkPayloads(update);
          checkAll(joinedIds(), { type: "update", update });
          cargo.update = update;
          if (state().stage === "open") await syncs.announce(names);
          return { type: "update", names };
        },
        toResult: plainResult,
      },
      by,
    );

  const finish: TrainerSessions["finish"] = (label, by) =>
    serve(
      {
        fingerprint: `finish ${label}`,
        async prepare() {
          const version = versionOfLabel(label, fleet.published().version) as WeightVersion;
          // Unique: it is how a server is recognised that was restarted, or that only said it had finished.
          const own = `tidegate-${version}-${options.random.uuid().slice(0, 8)}`;
          if (state().stage === "open") Object.assign(cargo, { version, label: label ?? own });
          return { type: "finish" };
        },
        toResult() {
          const published = conductor.published();
          return { ...plainResult(), ...(published === undefined ? {} : { published }) };
        },
      },
      by,
    );

  return {
    abandon(reason) {
      if (state().stage === "open") dispatch({ type: "abandoned", reason });
    },
    async worldSize(includeDp, signal) {
      const found = candidates();
      if (found.length === 0 || fleet.replicas().some(({ engine }) => engine.transfer === undefined)) {
        const sizes = fleet
          .replicas()
          .map((replica) => (replica.state === "stopped" ? 0 : (replica.info?.worldSize ?? 0)));
        return includeDp ? sizes.reduce((sum, size) => sum + size, 0) : Math.max(0, ...sizes);
      }
      if (includeDp) return found.reduce((sum, { info }) => sum + (info?.worldSize ?? 0), 0);
      const sizes = await Promise.all(found.map(({ engine }) => engine.transfer!.worldSize(false, { signal })));
      return sizes.reduce((sum, size) => sum + size, 0);
    },
    join: (info, by) =>
      serve(
        {
          fingerprint: `join ${canonicalJson(info)}`,
          async prepare(signal) {
            await refuseWhileSyncing();
            const plan = parseJoin(info);
            await orAborted(checkName(plan.kind === "group" ? plan.master : null, options.resolve), signal);
            const replicas = participants();
            const ids = replicas.map(({ id }) => id);
            const servers = replicas.map(({ id, engine }) => ({ id, url: engine.url }));
            checkReachable(plan.kind === "group" ? plan.master : null, servers);
            const ranks = replicas.map(({ id, info: known }) => ({ id, ranks: known?.worldSize ?? 1 }));
            const shares = plan.kind === "group" ? assignRanks(ranks, plan) : [];
            checkAll(ids, { type: "join", info });
            if (state().stage === "open") {
              dispatch({ type: "abandoned", reason: "The trainer began anew in the middle of an update." });
              await conductor.idle(signal);
            }
            await Promise.all(replicas.map((replica) => meet(replica, signal)));
            Object.assign(cargo, { join: info, shares });
            const { version } = fleet.published();
            const stale = replicas.filter(({ weightVersion }) => weightVersion !== version).map(({ id }) => id);
            const open = ids.filter((id) => options.leftOpen?.(id) === true);
            return { type: "join", replicas: ids, stale, open };
          },
          toResult: () => ({ servers: joinedIds().map(toShare) }),
        },
        by,
      ),
    start,
    async update(update, by) {
      const members = joinedIds().map((id) => fleet.replica(id)?.engine.transfer);
      // Before vLLM 0.21 one update was all there was, and trainers of that time send nothing else.
      const alone =
        state().stage === "idle" && members.length > 0 && members.every((target) => target?.sessionless === true);
      if (!alone) return send(update, by);
      await start(undefined, by);
      await send(update, by);
      return finish(null, by);
    },
    finish,
    leave: (by) => serve({ fingerprint: "leave", prepare: async () => ({ type: "leave" }), toResult: plainResult }, by),
    setPaused: conductor.setPaused,
    refuseInWindow(call) {
      if (!isWindowOpen(state())) return;
      throw new GatewayError(
        "conflict",
        `${call}: a weight update is open (${state().stage}), and the servers' parameters are not complete. POST /finish_weight_update first.`,
      );
    },
    isFenced: fences.isFenced,
    async refit(id, signal) {
      if (!fences.isFenced(id)) return;
      if (state().stage !== "idle") {
        const message = `A weight update is under way (${state().stage}); wait for its end.`;
        throw new GatewayError("conflict", message, { replica: id });
      }
      await fences.refit(id, cargo, signal).catch((thrown: unknown) => {
        const { code, message, upstream } = toTrainerFailure(thrown, id);
        throw new GatewayError(code, message, { replica: id, ...(upstream === undefined ? {} : { upstream }) });
      });
    },
    stop: conductor.stop,
  };
}
