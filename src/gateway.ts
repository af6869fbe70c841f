/** `createGateway`: the only wiring of engines, fleet and sync. No HTTP and no runtime globals; ports come from the platform. */
import type { Config } from "./config.ts";
import type { FleetEvent } from "./contract/control/fleet.ts";
import type { WeightSync } from "./contract/control/weight-syncs.ts";
import { ReplicaId } from "./contract/ids.ts";
import { createEngine } from "./engine/create.ts";
import type { Engine, EngineSpec } from "./engine/engine.ts";
import { GatewayError } from "./errors.ts";
import { createFleet } from "./fleet/fleet.ts";
import { createAttachments } from "./gateway/attachments.ts";
import { createAudit } from "./gateway/audit.ts";
import { wireBridge } from "./gateway/bridge.ts";
import { createChatFormats } from "./gateway/chat-formats.ts";
import { createControl } from "./gateway/control.ts";
import { createDiscovery } from "./gateway/discovery.ts";
import { dispatch, forwardAny } from "./gateway/dispatch.ts";
import { createEventHub } from "./gateway/event-hub.ts";
import { createClaims } from "./gateway/journal/claims.ts";
import { createJournal } from "./gateway/journal/journal.ts";
import { withRecall } from "./gateway/journal/recall.ts";
import { createLegacy } from "./gateway/legacy.ts";
import { createNcclRoots } from "./gateway/nccl-roots.ts";
import { observeGateway } from "./gateway/observe.ts";
import { observeStore } from "./gateway/observe-store.ts";
import { createOffloadPlans } from "./gateway/offload-plans.ts";
import { toPrefix } from "./gateway/prefix.ts";
import { createLeases } from "./gateway/residency/leases.ts";
import { createResidencies } from "./gateway/residency/residencies.ts";
import { createWeights, kindOf, placeOf, toSpecs, upstreamSpec } from "./gateway/specs.ts";
import { startReplicas } from "./gateway/start.ts";
import { createStreamWatch } from "./gateway/stream-watch.ts";
import { createTextCalls } from "./gateway/text-calls.ts";
import { startTidy } from "./gateway/tidy.ts";
import { createWeightOffers } from "./gateway/weight-offers.ts";
import type { Gateway, ModelCard } from "./gateway-types.ts";
import { createLogger } from "./observe/log.ts";
import { Metrics } from "./observe/metrics.ts";
import type { Ports } from "./ports.ts";
import { openStore } from "./store/open.ts";
import { createAdapters } from "./sync/adapters/adapters.ts";
import { createCompare } from "./sync/compare.ts";
import { createSyncs, type StartedBy, type Syncs } from "./sync/syncs.ts";
import { createTrainerSessions } from "./sync/trainer/session.ts";

export type { Gateway } from "./gateway-types.ts";

/** What a replica that starts is at, in words. */
function toLoading({ progress }: Engine): string | null {
  const { bytesDone, bytesTotal } = progress?.() ?? { bytesDone: 0, bytesTotal: 0 };
  if (bytesTotal === 0) return null;
  const percent = Math.floor((100 * bytesDone) / bytesTotal);
  return `loading weights: ${bytesDone} of ${bytesTotal} bytes (${percent} %)`;
}

const toCallPrefix = ({ body, model }: { readonly body: Uint8Array; readonly model: string | undefined }) =>
  toPrefix(body, model ?? "");

/** Where received weights are kept when nobody says: as lasting as the store that speaks of them. */
function defaultSpool(store: string, ports: Ports): string | undefined {
  if (ports.temporaryDirectory === undefined) return undefined;
  if (store === "memory") return `${ports.temporaryDirectory}/tidegate-${ports.random.uuid()}`;
  if (store.startsWith("sqlite:")) return `${store.slice("sqlite:".length)}-weights`;
  return `${ports.temporaryDirectory}/tidegate-weights`;
}

/** Ends a grace period: what still runs when a detach was asked for is cut after this. */
const DETACH_GRACE_MILLISECONDS = 60_000;

/**
 * Builds a gateway; nothing runs before `start`.
 *
 * @param config - From `parseConfig`.
 * @param ports - From a platform, or a test's own.
 * @throws GatewayError `unsupported` where the runtime lacks what the configuration needs, `invalid_value`.
 */
export function createGateway(config: Config, ports: Ports): Gateway {
  const log = createLogger({
    format: config.logFormat,
    level: config.logLevel,
    clock: ports.clock,
    writeLine: ports.writeLine,
  });
  const metrics = new Metrics();
  const specs = toSpecs(config, ports);
  const { clock } = ports;
  const started = Math.floor(clock.now() / 1000);
  let untidy = (): void => {};
  let draining = false;
  let paused = false;
  let listening: string | null = null;

  const fleet = createFleet({ ports, log, metrics, config, unheard: () => journal.unheard() });
  const streams = createStreamWatch(clock, config.streamIdleTimeout * 1000);
  const observer = observeGateway(metrics, ports, fleet, streams);
  const audit = createAudit(log, (entry) => journal.audit(entry));
  const hub = createEventHub<FleetEvent>();

  const onSync = (sync: WeightSync, by: StartedBy): void => {
    hub.publish(sync.id, { type: "sync", sync });
    if (sync.state === "running") return;
    observer.syncEnded(sync);
    audit.append({
      at: new Date(clock.now()).toISOString(),
      actor: by.actor,
      action: "weight sync ended",
      request_id: by.requestId,
      outcome: sync.state,
      sync: sync.id,
      version: sync.version,
      ...(sync.digest === null ? {} : { digest: sync.digest }),
    });
  };
  const residencies = createResidencies({ fleet, ports, log });
  const leases = createLeases({ fleet, residencies, ports, log, metrics });
  const journal = createJournal({
    ...{ fleet, clock, log, random: ports.random, durable: config.store !== "memory" },
    leaseMilliseconds: config.storeLease * 1000,
    syncs: () => syncs,
    at: () => config.advertiseUrl ?? listening,
    onLook: (ok, milliseconds) => storeObserver.looked(ok, milliseconds),
    onAudit: audit.learn,
    onAttached: (attached) => attachments.follow(attached),
  });
  const storeObserver = observeStore(metrics, () => ({
    heard: journal.unheard() === null,
    holdsLease: journal.holdsLease(),
  }));
  const spoolDir = config.spoolDir ?? defaultSpool(config.store, ports);
  const syncs: Syncs = createSyncs({
    ...{ fleet, ports, log, journal },
    barrier: leases.barrier,
    ...(config.compareWeights ? { compare: createCompare({ fleet, clock, log }) } : {}),
    onChange: onSync,
    ...(spoolDir === undefined ? {} : { spoolDir }),
    ...(ports.sha256 === undefined
      ? {}
      : {
          claims: createClaims({
            ...{ clock, log, sha256: ports.sha256, store: () => journal.store },
            async isKnown(sync) {
              if (syncs.syncs.get(sync) === undefined) await journal.refresh();
              return syncs.syncs.get(sync) !== undefined;
            },
            patienceMilliseconds: () => (journal.store?.facts.shared === true ? config.storeLease * 1000 : 0),
          }),
        }),
  });

  const offers = createWeightOffers(ports.files, ports.random, config.advertiseUrl);
  const openNccl = createNcclRoots({ ports, log, config });
  const makeEngine = (spec: EngineSpec): Engine => {
    const engine = createEngine(spec, {
      ports,
      log,
      currentWeights: syncs.currentWeights,
      maxQueue: config.maxQueue,
      startTimeout: config.startTimeout * 1000,
      offerWeights: offers.offer,
      ...(openNccl === undefined ? {} : { openNccl }),
      ...(config.upstreamApiKey === undefined ? {} : { upstreamApiKey: config.upstreamApiKey }),
    });
    return journal.durable ? withRecall(engine, clock, journal) : engine;
  };

  const weightOf = createWeights(config.serverWeight, specs);

  const trainer = createTrainerSessions({
    fleet,
    syncs,
    clock,
    random: ports.random,
    log,
    timeoutMilliseconds: config.trainerTimeout * 1000,
    mode: config.trainerMode,
    leftOpen: journal.isLeftOpen,
    resolve: ports.resolve,
  });

  const adapters = createAdapters({
    ...{ fleet, clock, log },
    syncing: syncs.active,
    refuseInWindow: (call) => trainer.refuseInWindow(call),
    shared: () => journal.store?.facts.shared === true,
  });

  const attachments = createAttachments({ fleet, log, weightOf, makeEngine, listed: config.upstream });
  const discovery = createDiscovery({ ports, log, config, fleet, makeEngine, weightOf });
  const bridge = wireBridge({ ports, log, config, fleet, servers: trainer });

  const snapshot = () => fleet.snapshot({ paused, draining, activeSync: syncs.active() });
  /** A sync that writes weights now, of whichever gateway: a server that is woken meanwhile generates with empty parameters, and dies. */
  const refuseWhileWritten = (call: string): void => {
    trainer.refuseInWindow(call);
    const busy = syncs.active();
    const held = fleet.replicas().find(({ engine, state }) => engine.transfer !== undefined && state === "syncing");
    if (busy === null || held === undefined) return;
    const message = `${call}: weight sync ${busy} writes the weights of ${held.id}. Wait for its end.`;
    throw new GatewayError("sync_in_progress", message, { replica: held.id });
  };
  const guard = { ...trainer, refuseInWindow: refuseWhileWritten };
  const control = createControl(fleet, guard, clock, (now) => {
    paused = now;
    hub.publish("fleet", { type: "fleet", fleet: snapshot() });
  });
  fleet.subscribe((changed) => {
    const server = changed === null ? undefined : fleet.server(changed);
    if (server !== undefined) hub.publish(server.id, { type: "server", server });
    hub.publish("fleet", { type: "fleet", fleet: snapshot() });
  });

  const generation = {
    fleet,
    log,
    streams,
    toBody: ports.exchange?.toBody,
    onMoved: observer.moved,
    ...(config.hedgeAfter === undefined
      ? {}
      : {
          hedge: {
            clock,
            afterMilliseconds: config.hedgeAfter * 1000,
            onStart: () => observer.hedged("started"),
            onEnd: observer.hedged,
          },
        }),
    ...(config.policy === "prefix" ? { prefixOf: toCallPrefix } : {}),
  };

  return {
    config,
    ports,
    log,
    metrics,
    get draining() {
      return draining;
    },
    async start(signal, url) {
      if (url !== undefined) offers.listening(url);
      listening = url ?? null;
      await journal.open(await openStore(config, ports));
      if (specs.some(({ kind }) => kind === "embedded")) untidy = startTidy(ports);
      const upstreamWaitMilliseconds = config.upstreamWait * 1000;
      const all = [...specs, ...(await discovery.first(signal))];
      await startReplicas({ fleet, clock, specs: all, makeEngine, weightOf, upstreamWaitMilliseconds, signal });
      await journal.recordStart();
      await attachments.join(journal);
      discovery.start();
      log.info("ready", { replicas: fleet.replicas().length, weight_digest: fleet.published().digest });
    },
    async stop() {
      draining = true;
      hub.publish("fleet", { type: "fleet", fleet: snapshot() });
      const grace = new AbortController();
      const timer = clock.timer(config.drainTimeout * 1000, () =>
        grace.abort(new GatewayError("draining", "The grace period of the shutdown is over.")),
      );
      untidy();
      discovery.stop();
      await bridge?.close();
      adapters.stop();
      await leases.stop();
      await syncs.stop();
      await fleet.stop(grace.signal);
      timer.cancel();
      trainer.stop();
      await journal.close();
    },
    generation: {
      dispatch: (call) => dispatch(call, generation),
      forwardAny: (call) => forwardAny(call, generation),
      ...createTextCalls(fleet),
    },
    fleet: {
      snapshot,
      models() {
        const cards = new Map<string, ModelCard>();
        const loaded = fleet.adapters.list();
        for (const { info } of fleet.replicas()) {
          for (const model of info?.models ?? [])
            if (!cards.has(model.id)) cards.set(model.id, { ...model, created: started });
        }
        for (const { name: id, path: root, parent, version: adapterVersion } of loaded) {
          cards.set(id, { id, root, parent, adapterVersion, maxModelLen: null, created: started });
        }
        return [...cards.values()];
      },
      readiness() {
        const servers = fleet
          .replicas()
          .map(({ id, state, lastError, engine }) => ({ id, state, reason: lastError ?? toLoading(engine) }));
        const unheard = journal.unheard();
        const serves = servers.some(({ state }) => state === "ready" || state === "syncing");
        const ready = !draining && unheard === null && serves;
        const reason = ready
          ? null
          : draining
            ? "draining"
            : serves
              ? unheard
              : servers.length === 0
                ? "no replica yet"
                : "no replica can serve";
        return { ready, reason, servers };
      },
      server: fleet.server,
      async attach(request, signal) {
        const url = request.url.replace(/\/+$/, "");
        const known = fleet.replicas().find(({ engine }) => engine.url != null && placeOf(engine.url) === placeOf(url));
        if (known !== undefined)
          throw new GatewayError("conflict", `${url} is attached already, as ${known.id}.`, { param: "url" });
        const spec = upstreamSpec(request.kind, url);
        const id = request.id ?? fleet.nextId(kindOf(spec));
        try {
          await fleet.addReplica(id, makeEngine(spec), signal, request.weight ?? weightOf(id, url));
        } catch (error) {
          // A server that never answered was not attached: nothing half done stays.
          if (!(error instanceof GatewayError && error.code === "conflict"))
            await fleet.removeReplica(id, AbortSignal.abort());
          throw error;
        }
        try {
          const weight = fleet.replica(id)?.weight ?? 1;
          await journal.attached(url, { id, kind: request.kind, weight });
        } catch (error) {
          await fleet.removeReplica(id, AbortSignal.abort());
          throw error;
        }
        return fleet.server(id)!;
      },
      async patch(id, request, signal) {
        if (request.weight !== undefined) fleet.weighReplica(id, request.weight);
        if (request.state === undefined) return fleet.server(id)!;
        // A fenced replica serves again only with proof of what it holds.
        if (request.state === "ready") await trainer.refit(ReplicaId.parse(id), signal);
        return fleet.server(fleet.patchReplica(id, request.state).id)!;
      },
      async detach(id, signal) {
        const url = fleet.replica(id)?.engine.url ?? null;
        const grace = AbortSignal.any([signal, AbortSignal.timeout(DETACH_GRACE_MILLISECONDS)]);
        await fleet.removeReplica(ReplicaId.parse(id), grace);
        if (url !== null) await journal.attached(url, null);
      },
      async refit(id, signal) {
        const room = trainer.isFenced(id) ? trainer : syncs;
        await room.refit(ReplicaId.parse(id), signal);
        return fleet.server(id)!;
      },
      worldSize: fleet.worldSize,
      events: (signal) =>
        hub.read(signal, [
          { type: "fleet", fleet: snapshot() },
          ...syncs.syncs.list({ limit: 1 }).map((sync): FleetEvent => ({ type: "sync", sync })),
        ]),
    },
    control,
    legacy: createLegacy({
      fleet,
      log,
      bridge,
      host: config.ncclHost,
      timeoutMilliseconds: config.requestTimeout * 1000,
    }),
    trainer,
    adapters: {
      async load(request, signal) {
        const { version } = await adapters.load(request, signal);
        const holds = fleet.replicas().filter((replica) => replica.adapters.get(request.name) === version);
        return { version, servers: holds.map(({ id }) => id) };
      },
      unload: adapters.unload,
    },
    syncs: {
      ...syncs.syncs,
      async look(id) {
        // A store that is away knows no more than this gateway.
        if (syncs.syncs.get(id) === undefined) await journal.refresh().catch(() => undefined);
        return syncs.syncs.get(id);
      },
    },
    weightFiles: offers.read,
    versions: syncs.versions,
    chatFormats: createChatFormats(ports, log),
    offloadPlans: createOffloadPlans(ports),
    residency: residencies,
    leases: leases.api,
    audit,
  };
}
