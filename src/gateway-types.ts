/**
 * What the HTTP side may know of the gateway: an interface, no code. `gateway.ts` implements it, routes and the
 * dashboard read it from `c.var.gateway`, tests put a fake in its place.
 */
import type { Config } from "./config.ts";
import type { ChatFormatRequest, ChatFormatResult } from "./contract/control/chat-formats.ts";
import type { AuditEntry, Fleet, FleetEvent } from "./contract/control/fleet.ts";
import type { CreateLease, GenerationLease, LeaseEvent } from "./contract/control/generation-leases.ts";
import type { OffloadPlan, OffloadPlanRequest } from "./contract/control/offload-plans.ts";
import type { ModelResidency, PutResidency } from "./contract/control/residency.ts";
import type { AttachServer, PatchServer, Server } from "./contract/control/servers.ts";
import type { DryRunResult, StartSync, WeightSync, WeightVersionRecord } from "./contract/control/weight-syncs.ts";
import type { WeightFileList } from "./contract/control/weight-tensors.ts";
import type { GenerateEvent, GenerateRequest, Prompt } from "./contract/generation.ts";
import type { WeightDigest, WeightVersion } from "./contract/ids.ts";
import type { Logger } from "./observe/log.ts";
import type { Metrics } from "./observe/metrics.ts";
import type { Ports } from "./ports.ts";

/** The dialect a call came in; an upstream that speaks the same one gets the bytes as they are. */
export type Wire = "openai" | "trl" | "vllm";

/** Freshness and stickiness, from request headers. */
export interface RoutingWishes {
  readonly minVersion?: number;
  readonly exactVersion?: number;
  readonly maxLag?: number;
  /** Seconds to wait for a fresh enough replica before 412; default 0. */
  readonly waitSeconds: number;
  readonly sessionId?: string;
}

/** The prompts of a call that holds several: it may be shared out over replicas. */
export interface InboundBatch {
  /** Lists of the body with one item per prompt, as places in its bytes; the first is the prompts themselves. */
  readonly lists: readonly { readonly start: number; readonly end: number }[];
  /** How answers in the caller's own dialect are put together; null: they cannot be. */
  readonly merge: "completions" | "trl" | null;
  /** Completions per prompt; undefined where the body may say it in a place that was not looked at. */
  readonly samples: number | undefined;
}

/** A generation call, understood no further than routing needs. */
export interface InboundCall {
  readonly requestId: string;
  readonly wire: Wire;
  readonly method: string;
  /** Path and query as they came. */
  readonly target: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
  /** From the byte scan; undefined = not named, any model. */
  readonly model: string | undefined;
  /** True when the caller wants a stream: then a failure after the first event cannot be moved elsewhere. */
  readonly stream: boolean;
  /** Set where the body has a list of prompts and the answer is no stream. */
  readonly batch?: InboundBatch;
  readonly wishes: RoutingWishes;
  /** Aborts when the client left or the deadline passed. */
  readonly signal: AbortSignal;
  /** Parses the body; called only when the chosen replica cannot take the bytes. Throws GatewayError. */
  readonly toRequest: () => GenerateRequest;
}

/** Who answered, with which weights. */
export interface Stamp {
  /** Several, separated by commas, where a batch was shared out. */
  readonly replica: string;
  readonly model: string;
  readonly weightVersion: WeightVersion;
  readonly weightDigest: WeightDigest | null;
  /** Of the LoRA adapter that was asked for, where the fleet loaded it. */
  readonly adapterVersion?: number;
}

export type Outcome =
  /** The upstream's own answer, body untouched. Nobody else holds the response. */
  | {
      readonly kind: "forwarded";
      readonly response: Response;
      readonly stamp: Stamp;
      /** First and last weights of its tokens, where they may differ. */
      readonly span?: { readonly first: WeightVersion; readonly last: WeightVersion };
    }
  /**
   * Neutral events, `start` already taken out. Not streamed: complete and replayed, so it cannot fail any more.
   * The consumer must iterate to the end or call `return()`; that is what frees the replica.
   */
  | { readonly kind: "generated"; readonly events: AsyncIterable<GenerateEvent>; readonly stamp: Stamp };

export interface ModelCard {
  readonly id: string;
  readonly created: number;
  readonly maxModelLen: number | null;
  readonly root: string;
  readonly parent: string | null;
  /** Of a LoRA adapter that the fleet loaded. */
  readonly adapterVersion?: number;
}

export interface Readiness {
  readonly ready: boolean;
  readonly reason: string | null;
  readonly servers: readonly { readonly id: string; readonly state: string; readonly reason: string | null }[];
}

export interface ControlResult<T> {
  /** One entry per replica, in fleet order. */
  readonly servers: readonly {
    readonly id: string;
    readonly result?: T;
    readonly error?: string;
    /** Its state, when it need not be asked: it does not run, or must stay as it is. */
    readonly skipped?: string;
  }[];
}

/** Who drives a weight update over vLLM's routes, and until when. */
export interface TrainerCaller {
  readonly actor: string;
  readonly requestId: string;
  readonly signal: AbortSignal;
}

/** What all servers confirmed. */
export interface TrainerAnswer {
  /** One per server, in fleet order; ranks only after a join. */
  readonly servers: readonly { readonly id: string; readonly rank_offset?: number; readonly world_size?: number }[];
  /** Set by a finish that made a new version. */
  readonly published?: { readonly version: number; readonly label: string; readonly sync: string };
}

/** A call of a legacy trainer, to be handed on as it came or carried out here. */
export interface LegacyCall {
  readonly path: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
  readonly actor: string;
  readonly requestId: string;
  readonly signal: AbortSignal;
}

export interface Page {
  /** 1 to 1000; default 100. */
  readonly limit: number;
  /** Id (or version) of the last item of the page before. */
  readonly after?: string;
}

/** A piece of a weight file. */
export interface FetchedPart {
  /** Bytes of the whole file. */
  readonly size: number;
  readonly first: number;
  readonly length: number;
  /** null when the asked range is behind the end. */
  readonly body: ReadableStream<Uint8Array> | null;
}

export interface Gateway {
  readonly config: Config;
  readonly ports: Ports;
  readonly log: Logger;
  readonly metrics: Metrics;

  /**
   * Starts engines; resolves when every embedded replica serves, rejects when one cannot.
   * `url`: where it listens; servers that fetch weights from here are sent there.
   */
  start(signal: AbortSignal, url?: string): Promise<void>;
  /** Refuses new work, lets running work finish for the grace period, then stops everything. Never rejects. */
  stop(): Promise<void>;
  readonly draining: boolean;

  readonly generation: {
    dispatch(call: InboundCall): Promise<Outcome>;
    /** Forwards any other request to one replica that can; undefined when none speaks HTTP. */
    forwardAny(call: Omit<InboundCall, "toRequest" | "stream">): Promise<Outcome | undefined>;
    tokenize(
      model: string | undefined,
      prompt: Prompt,
      signal: AbortSignal,
    ): Promise<{ tokenIds: readonly number[]; tokenStrings: readonly string[]; maxModelLen: number | null }>;
    detokenize(model: string | undefined, tokenIds: readonly number[], signal: AbortSignal): Promise<string>;
  };

  readonly fleet: {
    snapshot(): Fleet;
    models(): readonly ModelCard[];
    readiness(): Readiness;
    server(id: string): Server | undefined;
    attach(request: AttachServer, signal: AbortSignal): Promise<Server>;
    patch(id: string, request: PatchServer, signal: AbortSignal): Promise<Server>;
    /** Loads or proves the published weights of a fenced replica and lets it serve. Throws `conflict` when neither can be done. */
    refit(id: string, signal: AbortSignal): Promise<Server>;
    detach(id: string, signal: AbortSignal): Promise<void>;
    /** Loads the published weights into one replica and takes it back in; throws GatewayError when that failed. */
    refit(id: string, signal: AbortSignal): Promise<Server>;
    /** World size over all replicas that are part of the fleet. */
    worldSize(): number;
    /** Ends when the signal aborts. The first events describe the present. */
    events(signal: AbortSignal): AsyncIterable<FleetEvent>;
  };

  readonly control: {
    pause(mode: "abort" | "wait" | "keep", clearCache: boolean, signal: AbortSignal): Promise<ControlResult<null>>;
    resume(signal: AbortSignal): Promise<ControlResult<null>>;
    isPaused(signal: AbortSignal): Promise<boolean>;
    resetPrefixCache(resetRunning: boolean, signal: AbortSignal): Promise<ControlResult<boolean>>;
    /** `mode` as in `pause`; undefined: the server's default, abort. */
    sleep(level: number, signal: AbortSignal, mode?: "abort" | "wait" | "keep"): Promise<ControlResult<null>>;
    wakeUp(tags: readonly string[] | null, signal: AbortSignal): Promise<ControlResult<null>>;
    isSleeping(signal: AbortSignal): Promise<boolean>;
  };

  /** TRL's communicator routes, 0.16 to 1.10. Throws GatewayError, never with 500, 502 or 503. */
  readonly legacy: {
    /** Ranks that a legacy trainer must count on the other side. */
    worldSize(): number;
    /** What `/health/` tells of the rendezvous' place, for a trainer that found us at `asked`; null: nothing to tell. */
    rendezvousHost(asked: string): string | null;
    /** A response is an upstream's own; null: done here. */
    init(
      request: { readonly host: string; readonly port: number; readonly world_size: number },
      call: LegacyCall,
    ): Promise<Response | null>;
    /** `batch`: one barrier after all tensors. */
    update(
      tensors: readonly { readonly name: string; readonly dtype: string; readonly shape: readonly number[] }[],
      batch: boolean,
      call: LegacyCall,
    ): Promise<Response | null>;
    close(call: LegacyCall): Promise<Response | null>;
    /** Ends an update that came through the bridge: every server confirmed, or what broke is thrown. */
    finish(call: Omit<LegacyCall, "path" | "headers" | "body">): Promise<void>;
    /** The prefix caches are empty: ends an update that an upstream took by itself. */
    finished(): void;
  };

  /** LoRA adapters over the fleet: on every server or on none. Throws GatewayError, never with 500, 502 or 503. */
  readonly adapters: {
    load(
      request: { readonly name: string; readonly path: string; readonly replace: boolean; readonly is3d: boolean },
      signal: AbortSignal,
    ): Promise<{ readonly version: number; readonly servers: readonly string[] }>;
    unload(name: string, signal: AbortSignal): Promise<void>;
  };

  /** vLLM's weight-transfer routes over the fleet, for a trainer that sends the tensors itself. */
  readonly trainer: {
    /** Ranks of all servers that could join a trainer's group now. */
    worldSize(includeDp: boolean, signal: AbortSignal): Promise<number>;
    join(info: Readonly<Record<string, unknown>>, caller: TrainerCaller): Promise<TrainerAnswer>;
    start(checkpointFormat: boolean | undefined, caller: TrainerCaller): Promise<TrainerAnswer>;
    update(
      update: Readonly<Record<string, unknown>> | readonly Readonly<Record<string, unknown>>[],
      caller: TrainerCaller,
    ): Promise<TrainerAnswer>;
    finish(label: string | null, caller: TrainerCaller): Promise<TrainerAnswer>;
    leave(caller: TrainerCaller): Promise<TrainerAnswer>;
  };

  readonly syncs: {
    /** Throws a 4xx for what can be seen to be wrong at once; otherwise the sync runs on, also when the caller leaves. */
    start(
      request: StartSync,
      by: { readonly actor: string; readonly requestId: string; readonly idempotencyKey?: string },
      upload?: ReadableStream<Uint8Array>,
    ): Promise<WeightSync>;
    get(id: string): WeightSync | undefined;
    /** As `get`; one that is not known here may have been started at another gateway a moment ago. */
    look(id: string): Promise<WeightSync | undefined>;
    list(page: Page): readonly WeightSync[];
    /** Resolves with the sync as it then is: ended, or still running when `milliseconds` passed first. */
    wait(id: string, milliseconds: number, signal: AbortSignal): Promise<WeightSync>;
    abort(id: string): Promise<WeightSync>;
    /** The present state first, then every change; ends after the final state or when the signal aborts. */
    events(id: string, signal: AbortSignal): AsyncIterable<FleetEvent>;
    dryRun(request: StartSync, signal: AbortSignal): Promise<DryRunResult>;
  };

  /** The files of a transfer under way, for the servers that it goes to. Throws `unauthorized` for any other token. */
  readonly weightFiles: {
    list(id: string, token: string | undefined): WeightFileList;
    /** `range` in bytes, `last` included. Throws `not_found` for an index beyond the list. */
    open(
      id: string,
      token: string | undefined,
      index: number,
      range: { readonly first: number; readonly last?: number } | undefined,
    ): FetchedPart;
  };

  readonly versions: {
    list(page: Page): readonly WeightVersionRecord[];
    get(version: number): WeightVersionRecord | undefined;
  };

  readonly chatFormats: {
    /** Writes a new model directory on this machine; when it throws or the signal aborts, nothing of it stays. */
    create(request: ChatFormatRequest, signal: AbortSignal): Promise<ChatFormatResult>;
  };

  readonly offloadPlans: {
    /** Resolves a DeepSpeed configuration and places a model by it; reads headers, changes nothing. */
    create(request: OffloadPlanRequest): Promise<OffloadPlan>;
  };

  readonly residency: {
    /** Where the weights of a model are, per replica; the workers are asked. */
    get(model: string, signal: AbortSignal): Promise<ModelResidency>;
    /** Moves them, on all replicas or on none. */
    put(model: string, request: PutResidency, signal: AbortSignal): Promise<ModelResidency>;
  };

  readonly leases: {
    /** Resolves when the groups are in memory. Rejects with the reason, and nothing is held then. */
    create(request: CreateLease, by: { readonly actor: string }, signal: AbortSignal): Promise<GenerationLease>;
    /** Throws `not_found`. */
    get(id: string): GenerationLease;
    list(page: Page): readonly GenerationLease[];
    /** Throws `conflict` for a lease that has ended. */
    renew(id: string, ttlSeconds: number): GenerationLease;
    /** Resolves when bytes per tier are as before. A lease that has ended stays as it ended. */
    release(id: string, signal: AbortSignal): Promise<GenerationLease>;
    /** The lease as it is, then every change; ends with it. When the signal aborts, the lease is released. */
    follow(id: string, signal: AbortSignal): AsyncIterable<LeaseEvent>;
  };

  readonly audit: {
    append(entry: AuditEntry): void;
    list(page: Page): readonly AuditEntry[];
  };
}
