/**
 * The embedded engine: one worker process, started again when it dies. After a restart the worker has loaded the current
 * weights, and their digest was checked, before anybody is told that it serves.
 */
import type { GenerateEvent, GenerateRequest } from "../../contract/generation.ts";
import type { WeightDigest, WeightVersion } from "../../contract/ids.ts";
import { GatewayError } from "../../errors.ts";
import { sleep } from "../../lib/deadline.ts";
import type { Logger } from "../../observe/log.ts";
import type { Ports } from "../../ports.ts";
import type { LoadedInfo } from "../../worker/protocol.ts";
import type { CallOptions, CurrentWeights, Engine, EngineInfo, EngineNotice, StageProgress } from "../engine.ts";
import { type Booted, bootWorker, type EmbeddedSpec } from "./boot.ts";
import type { WorkerConnection } from "./connection.ts";
import { createEmbeddedControl } from "./control.ts";
import { createLoadLog } from "./load-log.ts";
import { createEmbeddedResidency } from "./residency.ts";
import { RestartPolicy } from "./restart.ts";
import { createEmbeddedWeights } from "./weights.ts";

export interface EmbeddedEngineDeps {
  readonly ports: Pick<Ports, "clock" | "random" | "spawn">;
  readonly log: Logger;
  /** What a worker that starts must load; asked at every start. */
  readonly currentWeights: () => CurrentWeights;
  /** Sequences that may wait in the worker before `too_many_requests`; default 4096. */
  readonly maxQueue?: number;
  /** Milliseconds that a restart may take; default ten minutes. The first start has its caller's signal. */
  readonly startTimeout?: number;
}

const DEFAULT_MAX_QUEUE = 4096;
const DEFAULT_START_TIMEOUT = 600_000;
/** How often a stopping engine looks whether its last generation has ended. */
const DRAIN_INTERVAL = 20;

type State =
  | { readonly kind: "new" }
  | { readonly kind: "up"; readonly connection: WorkerConnection; info: EngineInfo; readonly since: number }
  | { readonly kind: "down"; readonly reason: string; readonly recovering: boolean }
  | { readonly kind: "stopped" };

/**
 * Creates the engine; `start` spawns its worker.
 * Throws GatewayError `unsupported` where the runtime cannot start processes (the edge).
 */
export function createEmbeddedEngine(spec: EmbeddedSpec, deps: EmbeddedEngineDeps): Engine {
  const { clock, random, spawn } = deps.ports;
  if (spawn === undefined) {
    throw new GatewayError(
      "unsupported",
      "An embedded engine needs a runtime that can start processes; use an upstream server here.",
    );
  }
  const log = deps.log.with({ engine: "embedded" });
  const policy = new RestartPolicy();
  const listeners = new Set<(notice: EngineNotice) => void>();
  const lifetime = new AbortController();
  let state: State = { kind: "new" };
  let restarts = 0;
  let loading: StageProgress | null = null;
  /** The start or restart under way; never rejects. */
  let starting: Promise<unknown> = Promise.resolve();
  let tensors: LoadedInfo["tensors"] = [];

  const notify = (notice: EngineNotice): void => {
    for (const listener of listeners) listener(notice);
  };

  const toInfo = ({ connection, loaded }: Booted, version: WeightVersion, digest: WeightDigest): EngineInfo => ({
    models: [{ id: spec.servedModelName, maxModelLen: loaded.maxModelLen, root: spec.model, parent: null }],
    worldSize: 1,
    weightVersion: version,
    weightDigest: digest,
    details: {
      provider: loaded.provider,
      ...(loaded.device === undefined ? {} : { device: loaded.device }),
      ...(loaded.deviceFallback === undefined ? {} : { device_fallback: loaded.deviceFallback }),
      ...(loaded.operatorsOnCpu === undefined ? {} : { operators_on_cpu: loaded.operatorsOnCpu }),
      weight_bytes: loaded.weightBytes,
      ...(loaded.weightFormat === undefined ? {} : { weight_format: loaded.weightFormat }),
      vocab_size: loaded.vocabSize,
      max_concurrency: spec.maxConcurrency,
      ...(loaded.kvCacheTokens === undefined ? {} : { kv_cache_tokens: loaded.kvCacheTokens }),
      pid: connection.pid,
      restarts,
    },
  });

  const boot = async (signal: AbortSignal): Promise<EngineInfo> => {
    const options = { spec, clock, spawn, log, maxQueue: deps.maxQueue ?? DEFAULT_MAX_QUEUE };
    const onProgress = createLoadLog(log, clock, (progress) => {
      loading = progress;
    });
    const { currentWeights } = deps;
    // Without anything to find out a worker is spawned in this very turn.
    const preparing = residency.prepare();
    if (preparing !== null) await preparing;
    const starting = bootWorker({ ...options, onProgress, currentWeights, directive: residency.directive }, signal);
    const booted = await starting.finally(() => {
      loading = null;
    });
    try {
      // A pause outlives the worker that was told of it.
      await control.restore(booted.connection, signal);
      lifetime.signal.throwIfAborted();
    } catch (error) {
      await booted.connection.stop();
      throw error;
    }
    const info = toInfo(booted, booted.weights.version, booted.loaded.digest);
    log.info("worker serves", { worker: booted.connection.pid, model: spec.model, provider: booted.loaded.provider });
    tensors = booted.loaded.tensors;
    state = { kind: "up", connection: booted.connection, info, since: clock.monotonic() };
    void booted.connection.ended.then((gone) => onDeath(booted.connection, gone));
    return info;
  };

  /** Resolves early, without a failure, when the engine is stopped. */
  const pause = (milliseconds: number): Promise<void> =>
    sleep(clock, milliseconds, lifetime.signal).catch(() => undefined);

  const onDeath = (connection: WorkerConnection, gone: GatewayError): void => {
    if (state.kind !== "up" || state.connection !== connection) return;
    policy.died(clock.monotonic() - state.since);
    state = { kind: "down", reason: gone.message, recovering: true };
    log.error("worker died", { reason: gone.message });
    notify({ type: "down", reason: gone.message, recovering: true });
    starting = restart();
  };

  /** Tries until the worker serves, the policy gives up, or the engine is stopped. */
  const restart = async (): Promise<void> => {
    while (!lifetime.signal.aborted) {
      await pause(policy.delay(random.float()));
      if (lifetime.signal.aborted) return;
      restarts += 1;
      const deadline = new AbortController();
      const timer = clock.timer(deps.startTimeout ?? DEFAULT_START_TIMEOUT, () =>
        deadline.abort(new GatewayError("replica_failed", "The worker did not start in time.")),
      );
      try {
        const info = await boot(AbortSignal.any([lifetime.signal, deadline.signal]));
        log.info("worker serves again", { restarts, version: info.weightVersion });
        notify({ type: "up", info });
        return;
      } catch (error) {
        if (lifetime.signal.aborted) return;
        const reason = error instanceof Error ? error.message : String(error);
        const recovering = !policy.startFailed();
        state = { kind: "down", reason, recovering };
        log.error("worker did not start", { reason, recovering });
        notify({ type: "down", reason, recovering });
        if (!recovering) return;
      } finally {
        timer.cancel();
      }
    }
  };

  const serving = (): Extract<State, { kind: "up" }> => {
    if (state.kind === "up") return state;
    const why =
      state.kind === "down"
        ? `${state.recovering ? "is being restarted" : "has failed"}: ${state.reason}`
        : state.kind === "new"
          ? "has not been started"
          : "has been stopped";
    throw new GatewayError("replica_failed", `The embedded engine ${why}`);
  };
  const connection = (): WorkerConnection => serving().connection;
  const control = createEmbeddedControl(connection);
  const residency = createEmbeddedResidency({
    connection,
    serving: () => (state.kind === "up" ? state.connection : null),
    first: spec.residency ?? {},
  });

  return {
    kind: "embedded",
    url: null,
    async start({ signal }: CallOptions) {
      if (state.kind === "up") return state.info;
      if (state.kind === "stopped" || (state.kind === "down" && state.recovering)) return serving().info;
      const started = boot(AbortSignal.any([signal, lifetime.signal]));
      starting = started.catch(() => {});
      return await started;
    },
    async stop({ signal }: CallOptions) {
      const before = state;
      if (before.kind === "up") {
        while (before.connection.active > 0 && !signal.aborted) {
          await new Promise<void>((resolve) => void clock.timer(DRAIN_INTERVAL, resolve));
        }
      }
      const last: State = state;
      state = { kind: "stopped" };
      lifetime.abort(new GatewayError("replica_failed", "The embedded engine was stopped."));
      if (last.kind === "up") await last.connection.stop();
      await starting;
    },
    async probe({ signal }: CallOptions) {
      const worker = connection();
      // While weights are loaded beside it the worker may be long silent and yet well; the heartbeat has the patience.
      if (!worker.loading) await worker.ping(signal);
    },
    progress: () => loading,
    activity: () => (state.kind === "up" ? state.connection.activity : null),
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    generate: (request: GenerateRequest, { signal }: CallOptions): AsyncIterable<GenerateEvent> => ({
      [Symbol.asyncIterator]: () => connection().generate(request, signal)[Symbol.asyncIterator](),
    }),
    tokenize: (prompt, { signal }) => connection().call("tokenize", { prompt }, { signal }),
    async detokenize(tokenIds, { signal }) {
      return (await connection().call("detokenize", { tokenIds }, { signal })).text;
    },
    control: control.control,
    residency: residency.residency,
    weights: createEmbeddedWeights({
      connection,
      manifest: () => tensors,
      committed: (from, version, digest) => {
        if (state.kind !== "up" || state.connection !== from) return;
        state.info = { ...state.info, weightVersion: version, weightDigest: digest };
      },
    }),
  };
}
