/** A whole gateway in this process in front of fake vLLM servers, and a trainer that is a script of plain calls. */
import { randomUUID } from "node:crypto";
import { clearTimeout, setTimeout } from "node:timers";
import { createApp } from "../../src/app.ts";
import { parseConfig } from "../../src/config.ts";
import { createGateway, type Gateway } from "../../src/gateway.ts";
import type { Clock, Ports } from "../../src/ports.ts";
import type { FakeVllmOptions } from "../fakes/vllm/state.ts";
import { listenAsTrainer, type TcpTrainer } from "../fakes/vllm/tcp-peer.ts";
import { type FakeVllm, startFakeVllm } from "../fakes/vllm-server.ts";

export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  timer(milliseconds, callback) {
    const handle = setTimeout(callback, milliseconds);
    // As the platforms' own: a timer that nobody waits for does not keep the process.
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Tensors of a small model: every dtype's size is another, so that a wrong split is seen. */
export const TENSORS = [
  { name: "model.embed_tokens.weight", dtype: "float32", shape: [16, 4] },
  { name: "model.layers.0.self_attn.q_proj.weight", dtype: "bfloat16", shape: [4, 4] },
  { name: "model.layers.0.mlp.up_proj.weight", dtype: "float16", shape: [8, 4] },
  { name: "model.norm.weight", dtype: "float32", shape: [4] },
  { name: "scale", dtype: "float32", shape: [] },
] as const;
const SIZES: Readonly<Record<string, number>> = { float32: 4, bfloat16: 2, float16: 2 };

export const updateInfo = (tensors: readonly (typeof TENSORS)[number][] = TENSORS) => ({
  names: tensors.map(({ name }) => name),
  dtype_names: tensors.map(({ dtype }) => dtype),
  shapes: tensors.map(({ shape }) => [...shape]),
});

/** The bytes of a tensor at a training step. */
export function bytesOf({ dtype, shape }: (typeof TENSORS)[number], step: number): Uint8Array {
  const size = (SIZES[dtype] ?? 4) * shape.reduce((all: number, one) => all * one, 1);
  return new Uint8Array(size).fill(step + size);
}

/** What answers are looked at for; a field that is not there is undefined at run time. */
export interface Body {
  readonly message: string;
  readonly status: string;
  readonly world_size: number;
  readonly version: number;
  readonly weight_version: unknown;
  readonly state: string;
  readonly last_error: string | null;
  readonly active_sync: string | null;
  readonly servers: readonly {
    readonly id: string;
    readonly state: string;
    readonly weight_version: number | null;
    readonly rank_offset?: number;
    readonly last_error: string | null;
  }[];
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly code: number;
    readonly param: string | null;
  };
  readonly detail: string;
  readonly weight_versions: readonly {
    readonly version: number;
    readonly source: string;
    readonly servers: string[];
  }[];
  readonly weight_syncs: readonly {
    readonly id: string;
    readonly state: string;
    readonly phase: string;
    readonly servers: readonly { readonly id: string; readonly phase: string }[];
    readonly error?: { readonly code: string; readonly replica?: string; readonly message: string };
  }[];
  readonly entries: readonly { readonly action: string; readonly version?: number; readonly outcome: string }[];
}

export interface Answer {
  readonly status: number;
  readonly body: Body;
}

export interface Rig {
  readonly gateway: Gateway;
  readonly fakes: readonly FakeVllm[];
  readonly lines: string[];
  request(path: string, init?: RequestInit): Promise<Response>;
  post(path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  get(path: string): Promise<Body>;
  /** One greedy completion: its tokens and who gave it. */
  ask(
    headers?: Readonly<Record<string, string>>,
  ): Promise<{ status: number; tokens: string; version: string | null; by: string | null; text: string }>;
  /** Listens, joins the whole fleet, and gives the trainer's end. */
  join(
    extra?: Readonly<Record<string, unknown>>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer & { readonly trainer: TcpTrainer }>;
  /** start → update → finish with all tensors of a step. */
  sync(trainer: TcpTrainer, step: number, finish?: unknown): Promise<readonly Answer[]>;
  end(): Promise<void>;
}

/** Sends tensors, default all, one broadcast each, or packed into one. */
export function broadcast(
  trainer: TcpTrainer,
  step: number,
  packed: boolean,
  tensors: readonly (typeof TENSORS)[number][] = TENSORS,
): void {
  const parts = tensors.map((tensor) => bytesOf(tensor, step));
  if (packed) trainer.broadcast(new Uint8Array(Buffer.concat(parts)));
  else for (const part of parts) trainer.broadcast(part);
}

/** Starts fakes (one per entry) and the gateway in front of them. */
export async function startRig(
  servers: readonly FakeVllmOptions[],
  config: Readonly<Record<string, unknown>> = {},
  transport: Pick<Ports, "fetch" | "exchange" | "resolve"> = {
    fetch: (url, init) => fetch(url, { ...init, redirect: "manual" }),
  },
  /** What stands before each fake; default nothing. */
  front: (fake: FakeVllm) => Promise<string> = async ({ url }) => url,
): Promise<Rig> {
  const fakes = await Promise.all(servers.map((options, at) => startFakeVllm({ name: `fake-${at}`, ...options })));
  const lines: string[] = [];
  const ports: Ports = {
    runtime: "test",
    clock: realClock,
    random: { uuid: () => randomUUID(), float: () => 0.5 },
    fetch: transport.fetch,
    ...(transport.exchange === undefined ? {} : { exchange: transport.exchange }),
    ...(transport.resolve === undefined ? {} : { resolve: transport.resolve }),
    writeLine: (line) => void lines.push(line),
  };
  const upstream = await Promise.all(fakes.map(front));
  const gateway = createGateway(parseConfig({ upstream, probeInterval: 0.2, ...config }), ports);
  const app = createApp(gateway);
  await gateway.start(new AbortController().signal);
  while (gateway.fleet.snapshot().state !== "ready") await new Promise((resolve) => setTimeout(resolve, 5));
  const trainers: TcpTrainer[] = [];
  let packed = false;

  const request = async (path: string, init?: RequestInit): Promise<Response> => app.request(path, init);
  const rig: Rig = {
    gateway,
    fakes,
    lines,
    request,
    async post(path, body, headers = {}) {
      const response = await request(path, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: (await response.json()) as Body };
    },
    get: async (path) => (await (await request(path)).json()) as Body,
    async ask(headers = {}) {
      const response = await request("/v1/completions", {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify({
          model: "tiny",
          prompt: "The gateway",
          max_tokens: 8,
          temperature: 0,
          return_token_ids: true,
        }),
      });
      const text = await response.text();
      const tokens = response.status === 200 ? JSON.stringify(JSON.parse(text).choices[0].token_ids) : "";
      const { headers: told } = response;
      return {
        status: response.status,
        tokens,
        version: told.get("x-weight-version"),
        by: told.get("x-served-by"),
        text,
      };
    },
    async join(extra = {}, headers = {}) {
      const { world_size } = await rig.get("/get_world_size");
      const trainer = await listenAsTrainer(world_size + 1);
      for (const old of trainers.splice(0)) await old.close();
      trainers.push(trainer);
      packed = extra.packed === true;
      const info = {
        master_address: "127.0.0.1",
        master_port: trainer.port,
        rank_offset: 1,
        world_size: world_size + 1,
        ...extra,
      };
      const answer = await rig.post("/init_weight_transfer_engine", { init_info: info }, headers);
      // A trainer whose group did not come about gives up: that is what ends the servers' waiting.
      if (answer.status !== 200) await trainer.close();
      return { trainer, ...answer };
    },
    async sync(trainer, step, finish) {
      const started = await rig.post("/start_weight_update", {});
      const updating = rig.post("/update_weights", { update_info: updateInfo() });
      broadcast(trainer, step, packed);
      return [started, await updating, await rig.post("/finish_weight_update", finish)];
    },
    async end() {
      await gateway.stop();
      for (const trainer of trainers) await trainer.close();
      for (const fake of fakes) await fake.stop();
    },
  };
  return rig;
}
