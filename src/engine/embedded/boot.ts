/** From nothing to a worker that serves the current weights: spawn, greeting, load, digest check. One deadline, the signal's. */
import { GatewayError } from "../../errors.ts";
import type { Logger } from "../../observe/log.ts";
import type { Clock, Spawn } from "../../ports.ts";
import type { LoadedInfo } from "../../worker/protocol.ts";
import type { CurrentWeights, EngineSpec, ResidencyDirective, StageProgress } from "../engine.ts";
import { WorkerConnection } from "./connection.ts";

export type EmbeddedSpec = Extract<EngineSpec, { kind: "embedded" }>;

export interface BootOptions {
  readonly spec: EmbeddedSpec;
  readonly clock: Clock;
  readonly spawn: Spawn;
  readonly log: Logger;
  readonly maxQueue: number;
  /** Hears how far the weights are read. */
  readonly onProgress?: (progress: StageProgress) => void;
  /** Asked anew at every start. */
  readonly currentWeights: () => CurrentWeights;
  /** Where the weights are to be; asked anew at every start. */
  readonly directive: () => ResidencyDirective;
}

export interface Booted {
  readonly connection: WorkerConnection;
  readonly loaded: LoadedInfo;
  readonly weights: CurrentWeights;
}

const workerModule = (): URL => new URL("../../worker/main.ts", import.meta.url);

/** Weights published while a worker loads make it load again; more often than this in one start is a runaway. */
const RELOAD_LIMIT = 8;

const same = (first: CurrentWeights, second: CurrentWeights): boolean =>
  first.version === second.version && first.digest === second.digest;

async function bootOnce(options: BootOptions, signal: AbortSignal): Promise<Booted> {
  const { spec } = options;
  const weights = options.currentWeights();
  const child = options.spawn(workerModule(), ["worker", "--served-model-name", spec.servedModelName]);
  const connection = new WorkerConnection(child, options);
  const abort = (): void => connection.kill("it did not start in time");
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    await connection.ready;
    const loaded = await connection.call(
      "load",
      {
        directory: spec.model,
        device: spec.device,
        quantize: spec.quantize ?? "auto",
        memoryBudget: spec.memoryBudget,
        replicas: spec.replicas ?? 1,
        skipTokenizer: spec.skipTokenizer ?? false,
        maxLogprobs: spec.maxLogprobs,
        logprobsMode: spec.logprobsMode,
        maxConcurrency: spec.maxConcurrency,
        maxModelLen: spec.maxModelLen,
        maxQueue: options.maxQueue,
        maxQueuedTokens: spec.maxQueuedTokens,
        version: weights.version,
        sets: weights.sets,
        residency: options.directive(),
        spoolDirectory: spec.spoolDirectory,
      },
      { signal, ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }) },
    );
    if (weights.digest !== null && loaded.digest !== weights.digest) {
      throw new GatewayError(
        "weights_digest_mismatch",
        `The worker loaded weights with digest ${loaded.digest}; version ${weights.version} has ${weights.digest}. ` +
          "The files changed since they were published.",
      );
    }
    connection.heardResidency(loaded.residency);
    return { connection, loaded, weights };
  } catch (error) {
    await connection.stop();
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Starts a worker. Rejects with a GatewayError that says what is wrong; no process is left then. */
export async function bootWorker(options: BootOptions, signal: AbortSignal): Promise<Booted> {
  for (let attempt = 0; attempt < RELOAD_LIMIT; attempt += 1) {
    const booted = await bootOnce(options, signal);
    if (same(booted.weights, options.currentWeights())) return booted;
    options.log.info("weights changed while the worker was loading; loading again");
    await booted.connection.stop();
  }
  throw new GatewayError("replica_failed", `Weights changed ${RELOAD_LIMIT} times while the worker was loading.`);
}
