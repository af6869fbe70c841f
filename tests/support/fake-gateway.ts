/**
 * A `Gateway` for route tests: answers from a script, writes down what it was asked. Everything has a working default;
 * `over` replaces single members (`{ fleet: { worldSize: () => 4 } }`).
 */
import { type Config, parseConfig } from "../../src/config.ts";
import type { Fleet } from "../../src/contract/control/fleet.ts";
import type { Server } from "../../src/contract/control/servers.ts";
import type { WeightSync } from "../../src/contract/control/weight-syncs.ts";
import type { GenerateEvent, GenerateRequest, Prompt } from "../../src/contract/generation.ts";
import type { ReplicaId, SyncId, WeightDigest, WeightVersion } from "../../src/contract/ids.ts";
import { GatewayError } from "../../src/errors.ts";
import type { Gateway, InboundCall, Outcome, Stamp } from "../../src/gateway-types.ts";
import { refuseNccl } from "../../src/http/no-nccl.ts";
import { createLogger } from "../../src/observe/log.ts";
import { Metrics } from "../../src/observe/metrics.ts";
import type { Ports } from "../../src/ports.ts";

export const DIGEST = `sha256:${"0f".repeat(32)}` as WeightDigest;
export const version = (value: number): WeightVersion => value as WeightVersion;
export const STAMP: Stamp = { replica: "embedded-0", model: "tiny", weightVersion: version(7), weightDigest: DIGEST };

/** 2026-01-01T00:00:00Z. */
export const NOW = 1_767_225_600_000;

type Script = (request: GenerateRequest) => Iterable<GenerateEvent> | AsyncIterable<GenerateEvent>;

type Over<T> = { readonly [K in keyof T]?: Partial<T[K]> };

export interface FakeOptions {
  /** Events of an embedded replica's answer, `start` left out; the default says "hi" for every sample. */
  readonly script?: Script;
  /** Set: the replica speaks HTTP, and the call is forwarded to this. */
  readonly upstream?: (call: Omit<InboundCall, "toRequest" | "stream">) => Response | Promise<Response>;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly over?: Over<
    Pick<
      Gateway,
      | "generation"
      | "fleet"
      | "legacy"
      | "control"
      | "trainer"
      | "adapters"
      | "syncs"
      | "versions"
      | "chatFormats"
      | "offloadPlans"
      | "residency"
      | "leases"
      | "audit"
      | "weightFiles"
    >
  > & {
    readonly draining?: boolean;
  };
}

export interface FakeGateway {
  readonly gateway: Gateway;
  /** Generation calls, in order. */
  readonly calls: Omit<InboundCall, "toRequest">[];
  /** Neutral requests, in order: only calls that had to be understood. */
  readonly requests: GenerateRequest[];
  /** Control calls as `[name, ...arguments]`. */
  readonly controls: unknown[][];
  readonly lines: string[];
}

/** "hi" as token 5, then the end, for every sample of every prompt. */
export function* sayHi(request: GenerateRequest): Generator<GenerateEvent> {
  const samples = request.sampling.n ?? 1;
  for (const [prompt, asked] of request.prompts.entries()) {
    const tokenIds = asked.kind === "tokens" ? asked.ids : [1, 2];
    yield { type: "prompt", prompt, tokenIds, cachedTokens: 0, text: asked.kind === "text" ? asked.text : null };
    for (let sample = 0; sample < samples; sample += 1) {
      yield { type: "delta", prompt, sample, text: "hi", tokenIds: [5] };
      yield { type: "finish", prompt, sample, reason: "stop", stopReason: null };
    }
  }
  yield { type: "end", firstVersion: version(7), lastVersion: version(7) };
}

async function* follow(events: Iterable<GenerateEvent> | AsyncIterable<GenerateEvent>): AsyncGenerator<GenerateEvent> {
  yield* events;
}

export const SERVER: Server = {
  id: "embedded-0" as ReplicaId,
  kind: "embedded",
  url: null,
  state: "ready",
  weight_version: version(7),
  weight_digest: DIGEST,
  world_size: 1,
  in_flight: 2,
  weight: 1,
  models: ["tiny"],
  last_error: null,
  residency: null,
  details: {},
};

export const SYNC: WeightSync = {
  id: "ws_1" as SyncId,
  state: "completed",
  phase: "done",
  version: version(8),
  label: null,
  digest: DIGEST,
  source: { kind: "disk", path: "/models/next" },
  mode: "wait",
  partial: false,
  created_at: "2026-01-01T00:00:00.000Z",
  finished_at: "2026-01-01T00:00:01.000Z",
  bytes_done: 10,
  bytes_total: 10,
  servers: [],
};

const FLEET: Fleet = {
  state: "ready",
  weight_version: version(7),
  weight_digest: DIGEST,
  world_size: 1,
  servers: [SERVER],
  active_sync: null,
};

function fakePorts(lines: string[]): Ports {
  let ids = 0;
  return {
    runtime: "test",
    clock: { now: () => NOW, monotonic: () => 0, timer: () => ({ cancel() {} }) },
    random: {
      uuid: () => {
        ids += 1;
        return `00000000-0000-4000-8000-${String(ids).padStart(12, "0")}`;
      },
      float: () => 0.5,
    },
    fetch: () => Promise.reject(new Error("the fake gateway does not fetch")),
    writeLine: (line) => lines.push(line),
  };
}

const missing = (what: string): never => {
  throw new GatewayError("not_found", `The fake has no ${what}.`);
};

/** Creates the fake. */
export function createFakeGateway(options: FakeOptions = {}): FakeGateway {
  const { script = sayHi, upstream, over = {} } = options;
  const calls: Omit<InboundCall, "toRequest">[] = [];
  const requests: GenerateRequest[] = [];
  const controls: unknown[][] = [];
  const lines: string[] = [];
  const ports = fakePorts(lines);
  const config: Config = parseConfig(options.config ?? {});
  const done = <T>(result: T, ...call: unknown[]) => {
    controls.push(call);
    return Promise.resolve({ servers: [{ id: SERVER.id, result }] });
  };
  const trained = (...call: unknown[]) => {
    controls.push(call);
    return Promise.resolve({ servers: [] });
  };
  const gateway: Gateway = {
    config,
    ports,
    log: createLogger({ format: "json", level: "debug", clock: ports.clock, writeLine: ports.writeLine }),
    metrics: new Metrics(),
    draining: over.draining ?? false,
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
    generation: {
      async dispatch(call): Promise<Outcome> {
        const { toRequest, ...rest } = call;
        calls.push(rest);
        if (upstream !== undefined) {
          return { kind: "forwarded", response: await upstream(rest), stamp: STAMP };
        }
        const request = toRequest();
        requests.push(request);
        return { kind: "generated", events: follow(script(request)), stamp: STAMP };
      },
      async forwardAny(call) {
        if (upstream === undefined) return undefined;
        return { kind: "forwarded", response: await upstream(call), stamp: STAMP };
      },
      // One token per character, its id the code point.
      async tokenize(_model, prompt: Prompt) {
        const text = prompt.kind === "text" ? prompt.text : JSON.stringify(prompt);
        const tokenStrings = [...text];
        return { tokenIds: tokenStrings.map((one) => one.codePointAt(0) ?? 0), tokenStrings, maxModelLen: 2048 };
      },
      detokenize: (_model, ids) => Promise.resolve(String.fromCodePoint(...ids)),
      ...over.generation,
    },
    fleet: {
      snapshot: () => FLEET,
      models: () => [{ id: "tiny", created: NOW / 1000, maxModelLen: 2048, root: "ckpt/base", parent: null }],
      readiness: () => ({ ready: true, reason: null, servers: [{ id: "embedded-0", state: "ready", reason: null }] }),
      server: (id) => (id === SERVER.id ? SERVER : undefined),
      attach: () => Promise.resolve(SERVER),
      patch: () => Promise.resolve(SERVER),
      detach: () => Promise.resolve(),
      refit: (id) => Promise.reject(new GatewayError("not_found", `No server is called ${id}.`)),
      worldSize: () => 1,
      async *events() {
        yield { type: "fleet", fleet: FLEET };
      },
      ...over.fleet,
    },
    legacy: {
      worldSize: () => 1,
      rendezvousHost: () => null,
      init: ({ port }, { path }) => refuseNccl(`POST ${path} (port ${port})`, "unsupported"),
      update: (_tensors, _batch, { path }) => refuseNccl(`POST ${path}`),
      close: () => Promise.resolve(null),
      finish: () => Promise.resolve(),
      finished: () => undefined,
      ...over.legacy,
    },
    control: {
      pause: (mode, clearCache) => done(null, "pause", mode, clearCache),
      resume: () => done(null, "resume"),
      isPaused: () => Promise.resolve(false),
      resetPrefixCache: (resetRunning) => done(true, "resetPrefixCache", resetRunning),
      sleep: (level, _signal, mode) => done(null, "sleep", level, ...(mode === undefined ? [] : [mode])),
      wakeUp: (tags) => done(null, "wakeUp", tags),
      isSleeping: () => Promise.resolve(false),
      ...over.control,
    },
    adapters: {
      load: (request) => {
        controls.push(["loadAdapter", request]);
        return Promise.resolve({ version: 1, servers: ["vllm-0"] });
      },
      unload: (name) => {
        controls.push(["unloadAdapter", name]);
        return Promise.resolve();
      },
      ...over.adapters,
    },
    trainer: {
      worldSize: () => Promise.resolve(1),
      join: (info) => trained("join", info),
      start: (format) => trained("start", format),
      update: (update) => trained("update", update),
      finish: (label) => trained("finish", label),
      leave: () => trained("leave"),
      ...over.trainer,
    },
    syncs: {
      start: () => Promise.resolve(SYNC),
      get: (id) => (id === SYNC.id ? SYNC : undefined),
      look: async (id) => (id === SYNC.id ? SYNC : undefined),
      list: () => [SYNC],
      wait: () => Promise.resolve(SYNC),
      abort: (id) => (id === SYNC.id ? Promise.resolve(SYNC) : missing(`sync ${id}`)),
      async *events() {
        yield { type: "sync", sync: SYNC };
      },
      dryRun: () => Promise.resolve({ possible: true, servers: [], reasons: [], bytes_total: null, digest: null }),
      ...over.syncs,
    },
    weightFiles: {
      list: () => {
        throw new GatewayError("unauthorized", "no transfer");
      },
      open: () => {
        throw new GatewayError("unauthorized", "no transfer");
      },
      ...over.weightFiles,
    },
    versions: { list: () => [], get: () => undefined, ...over.versions },
    chatFormats: { create: ({ model }) => Promise.reject(missing(`model ${model}`)), ...over.chatFormats },
    offloadPlans: { create: () => Promise.reject(missing("plan")), ...over.offloadPlans },
    residency: {
      get: (model) => Promise.reject(missing(`model ${model}`)),
      put: (model) => Promise.reject(missing(`model ${model}`)),
      ...over.residency,
    },
    leases: {
      create: () => Promise.reject(missing("model")),
      get: (id) => missing(`lease ${id}`),
      list: () => [],
      renew: (id) => missing(`lease ${id}`),
      release: (id) => Promise.reject(missing(`lease ${id}`)),
      follow: (id) => missing(`lease ${id}`),
      ...over.leases,
    },
    audit: { append: () => undefined, list: () => [], ...over.audit },
  };
  return { gateway, calls, requests, controls, lines };
}
