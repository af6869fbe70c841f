/**
 * One vLLM server over HTTP as an engine. It is nobody's child: it may come and go, be replaced behind the same URL, or
 * be dead while its /health says 200. It cannot tell which weights it serves: its owner's note of them holds as long as
 * the same process answers.
 */
import type { WeightDigest, WeightVersion } from "../../contract/ids.ts";
import { GatewayError } from "../../errors.ts";
import type { Logger } from "../../observe/log.ts";
import type { Clock, Exchange, Fetch, Files } from "../../ports.ts";
import type { CallOptions, Engine, EngineControl, EngineInfo, EngineModel, EngineNotice } from "../engine.ts";
import { createAdapters } from "./adapters.ts";
import { readChecksums } from "./checksums.ts";
import { type Client, createClient } from "./client.ts";
import { createControl } from "./control.ts";
import { createForward } from "./forward.ts";
import { generate } from "./generate.ts";
import { createIdentity } from "./identity.ts";
import { isOtherInstance, isSameInstance, mergeInstance } from "./instance.ts";
import { type ModelFacts, readModelFacts } from "./manifest.ts";
import { detokenize, tokenize } from "./text.ts";
import { createTransfer } from "./transfer.ts";
import { createVllmWeights } from "./weights.ts";
import type { OpenNcclRoot } from "./weights-nccl.ts";
import type { OfferWeights } from "./weights-plugin.ts";

/** Which server. */
export interface VllmEngineSpec {
  /** Base URL without a path. */
  readonly url: string;
}

/** What the engine needs from outside. */
export interface VllmEngineDeps {
  readonly ports: {
    readonly fetch: Fetch;
    readonly clock: Clock;
    readonly exchange?: Exchange;
    readonly files?: Files;
  };
  readonly log: Logger;
  /** Sent as `Authorization: Bearer`; vLLM's --api-key. */
  readonly upstreamApiKey?: string;
  /** Makes a weight set fetchable for a server that has the plugin; absent = no server can fetch from here. */
  readonly offerWeights?: OfferWeights;
  /** Starts what drives NCCL on this machine; absent = no processes here. */
  readonly openNccl?: OpenNcclRoot;
}

/** Used where the server does not tell its limit. */
const UNKNOWN_MODEL_LEN = 1_048_576;
/**
 * A server that said its engine is dead is believed until /health failed once (it was restarted) or this long after:
 * while vLLM drains on SIGTERM, /health says 200 and every generation gets a 500.
 */
const DEATH_BELIEVED_MS = 60_000;
/** More models (with LoRA adapters) than this are not read. */
const MODEL_LIMIT = 10_000;

function toModels(url: string, value: unknown): EngineModel[] {
  const data = (value as { data?: unknown } | null)?.data;
  const entries = Array.isArray(data) ? data.slice(0, MODEL_LIMIT) : [];
  const models = entries.flatMap((entry: Record<string, unknown>): EngineModel[] =>
    typeof entry?.id === "string"
      ? [
          {
            id: entry.id,
            maxModelLen: typeof entry.max_model_len === "number" ? entry.max_model_len : null,
            root: typeof entry.root === "string" ? entry.root : entry.id,
            parent: typeof entry.parent === "string" ? entry.parent : null,
          },
        ]
      : [],
  );
  if (models.length > 0) return models;
  throw new GatewayError("upstream_failed", `The server at ${url} lists no model at /v1/models: it is no vLLM server.`);
}

/** GET /health; the body says nothing (vLLM sends none). */
async function checkHealth(client: Client, signal: AbortSignal): Promise<void> {
  const answer = await client.open("/health", { signal });
  await answer.body?.cancel();
}

async function readInfo(client: Client, signal: AbortSignal): Promise<EngineInfo> {
  await checkHealth(client, signal);
  const [version, models, world] = await Promise.all([
    client.callIfThere("/version", { signal }),
    client.callIfThere("/v1/models", { signal }),
    client.callIfThere("/get_world_size", { signal }),
  ]);
  if (models === undefined) {
    throw new GatewayError(
      "upstream_failed",
      `The server at ${client.url} is healthy but has no /v1/models: it does not speak vLLM's dialect.`,
    );
  }
  const size = (world?.value as { world_size?: unknown } | undefined)?.world_size;
  const name = (version?.value as { version?: unknown } | undefined)?.version;
  return {
    models: toModels(client.url, models.value),
    worldSize: typeof size === "number" && Number.isSafeInteger(size) && size > 0 ? size : 1,
    // What it loaded at its start; no sync of ours has changed it.
    weightVersion: 0 as WeightVersion,
    weightDigest: null as WeightDigest | null,
    details: { vllm_version: typeof name === "string" ? name : null, dev_routes: world !== undefined },
  };
}

/** Creates the engine; the first byte goes out with `start`. */
export function createVllmEngine(spec: VllmEngineSpec, deps: VllmEngineDeps): Engine {
  const url = spec.url.replace(/\/+$/, "");
  const { clock, fetch } = deps.ports;
  const listeners = new Set<(notice: EngineNotice) => void>();
  const running = new Set<Promise<void>>();
  const life = new AbortController();
  let info: EngineInfo | null = null;
  /** When the server said that it is dead; null = believed alive. */
  let deadSince: number | null = null;
  let deathReason = "";
  /** The owner knows that it is down. */
  let told = true;
  /** What the owner holds for its weights; undefined = those of its start. */
  let noted: Pick<EngineInfo, "weightVersion" | "weightDigest"> | undefined;
  /** Its weights are being overwritten, or were left half done. */
  let unsafe = false;
  let facts: ModelFacts = { manifest: null, tied: null };

  const client = createClient({
    url,
    fetch,
    ...(deps.ports.exchange === undefined || !url.startsWith("http:") ? {} : { exchange: deps.ports.exchange }),
    apiKey: deps.upstreamApiKey,
    onRefused: tell,
    onDeath(reason) {
      deadSince = clock.monotonic();
      deathReason = reason;
      tell(reason);
    },
  });

  /** Adapters were loaded into it: a restart loses them. */
  let adapted = false;
  const identity = createIdentity({
    client: () => client,
    clock,
    matters: () => adapted || (noted !== undefined && noted.weightVersion !== 0),
    onOther: tell,
  });

  const transfer = createTransfer(client, (met) => identity.meet({ started: met.instance, label: met.label }));
  /** For groups of this gateway's own: what a trainer agreed on with the server is not theirs. */
  const own = createTransfer(client, () => undefined);
  const loader = createAdapters(client);

  /** At once, not with the next probe: every request until then would fail or have to be moved. */
  function tell(reason: string): void {
    if (told) return;
    told = true;
    deps.log.warn("upstream is out", { url, reason });
    for (const listener of [...listeners]) listener({ type: "down", reason, recovering: false });
  }

  /** Runs until it ends, the caller's signal aborts, or this engine is stopped. */
  async function* whileAlive<T>(make: (signal: AbortSignal) => AsyncIterable<T>, signal: AbortSignal) {
    const own = new AbortController();
    const onAbort = (): void => own.abort(signal.reason);
    const onStop = (): void => own.abort(life.signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    life.signal.addEventListener("abort", onStop, { once: true });
    if (signal.aborted) onAbort();
    else if (life.signal.aborted) onStop();
    let done: () => void = () => undefined;
    const entry = new Promise<void>((resolve) => {
      done = resolve;
    });
    running.add(entry);
    try {
      yield* make(own.signal);
    } finally {
      signal.removeEventListener("abort", onAbort);
      life.signal.removeEventListener("abort", onStop);
      running.delete(entry);
      done();
    }
  }

  /** Another process answers: it has the weights of its own start, and they are whole. */
  function forgetWeights(): void {
    noted = undefined;
    unsafe = false;
    transfer.forget();
  }

  const control = createControl(client);
  const guarded: EngineControl = {
    ...control,
    async resume(options) {
      if (unsafe) {
        throw new GatewayError(
          "conflict",
          `The server at ${url} has no whole weights now; one step would end it. POST /api/servers/{id}/refit brings it back.`,
        );
      }
      await control.resume(options);
    },
  };
  const { files } = deps.ports;
  const weights = createVllmWeights({
    client,
    control,
    clock,
    files,
    offer: deps.offerWeights,
    nccl: deps.openNccl && { open: deps.openNccl, transfer: own, taken: () => transfer.joined },
    manifest: () => facts.manifest,
    model() {
      const served = info?.models.find(({ parent }) => parent === null);
      if (info === null || served === undefined) return null;
      return { id: served.id, root: served.root, devRoutes: info.details.dev_routes === true, tied: facts.tied };
    },
    onUnsafe(now) {
      unsafe = now;
    },
    onLabel(label) {
      identity.meet({ ...identity.known, label });
    },
  });

  return {
    kind: "vllm",
    url,
    async start({ signal }) {
      const read = await readInfo(client, signal);
      const version = typeof read.details.vllm_version === "string" ? read.details.vllm_version : null;
      transfer.setVersion(version);
      own.setVersion(version);
      const now = await identity.look(read.details.dev_routes === true, signal);
      if (isOtherInstance(identity.known, now)) forgetWeights();
      // Not surely the same: whole weights of its start at best. Half-done ones stay half done until that is sure.
      else if (!isSameInstance(identity.known, now) && noted?.weightVersion !== null) forgetWeights();
      identity.meet(now);
      adapted = false;
      info = { ...read, ...noted };
      facts = await readModelFacts(files, url, info.models.find(({ parent }) => parent === null)?.root);
      deadSince = null;
      told = false;
      return info;
    },
    async stop({ signal }) {
      const left = new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener("abort", () => resolve(), { once: true });
      });
      await Promise.race([Promise.all(running), left]);
      life.abort(new GatewayError("draining", "The replica is being stopped."));
      listeners.clear();
    },
    async probe({ signal }: CallOptions) {
      try {
        await checkHealth(client, signal);
      } catch (error) {
        // It went away: whoever answers next is another process.
        if (!signal.aborted) deadSince = null;
        throw error;
      }
      if (info !== null && !told) {
        const now = await identity.look(info.details.dev_routes === true, signal);
        if (isOtherInstance(identity.known, now)) {
          deadSince = null;
          // The owner starts it anew, and learns then that its weights are those of its start.
          return tell("another process answers there: it was restarted");
        }
        identity.meet(mergeInstance(identity.known, now));
      }
      if (deadSince === null || clock.monotonic() - deadSince > DEATH_BELIEVED_MS) return;
      throw new GatewayError("upstream_failed", `The server at ${url} is healthy in name only: ${deathReason}`);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    forward: createForward(client, deps.upstreamApiKey, identity),
    saysDead: client.notice,
    generate: (request, { signal }) =>
      whileAlive((own) => {
        const maxModelLen = info?.models[0]?.maxModelLen ?? UNKNOWN_MODEL_LEN;
        const weightVersion = info?.weightVersion ?? (0 as WeightVersion);
        const weightDigest = info?.weightDigest ?? null;
        const versionNow = () => info?.weightVersion ?? null;
        const context = { client, identity, maxModelLen, weightVersion, weightDigest, versionNow };
        return generate(context, request, { signal: own });
      }, signal),
    tokenize: (prompt, options) => tokenize(client, prompt, options),
    detokenize: (tokenIds, options) => detokenize(client, tokenIds, options),
    control: guarded,
    weights,
    noteWeights(version, digest) {
      noted = { weightVersion: version, weightDigest: digest };
      if (info !== null) info = { ...info, ...noted };
    },
    transfer,
    checksums: ({ signal }) => readChecksums(client, signal),
    adapters: {
      ...loader,
      async load(...call) {
        adapted = true;
        await loader.load(...call);
      },
    },
  };
}
