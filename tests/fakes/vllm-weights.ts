/**
 * A fake vLLM 0.32 server whose weights can really be switched, as its real worker does it: `reload_weights` reads a
 * directory that the server can see, and with the backend `tidegate` it fetches by URL as the plugin does. What it
 * serves follows from the bytes it read. Between the first touched tensor and a good end its parameters are empty, and
 * a generation then kills it. Imports nothing of the gateway.
 */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { HttpError } from "./vllm/http-error.ts";
import type { Handler } from "./vllm/routes.ts";
import { parseBody } from "./vllm/serve-generation.ts";
import { type FakeVllm, type FakeVllmOptions, startFakeVllm } from "./vllm-server.ts";

/** What the next loads do instead of working; `count` down to 0 ends it. */
export type LoadFault =
  /** 500 with these words; parameters stay empty. */
  | { readonly kind: "fail"; readonly words: string }
  /** Loads, but never answers. */
  | { readonly kind: "hang" }
  /** Answers 200 and leaves the parameters empty. */
  | { readonly kind: "lie" };

export interface FakeWeightsOptions extends FakeVllmOptions {
  /** `backend` of its weight transfer; default none. */
  readonly backend?: string;
  /** Which paths it can see; default all. */
  readonly sees?: (path: string) => boolean;
  /** `root` of its model: what it loads at its start. */
  readonly root?: string;
  /** Computes on a CPU: a tied output head keeps its old packed copy until `tidegate_repack`. */
  readonly cpu?: boolean;
  /** The plugin is installed, whatever the backend. */
  readonly plugin?: boolean;
  /** Takes all bytes and drops them, unhashed; its digest is what was announced. For benchmarks. */
  readonly drops?: boolean;
  /** Its process start time; default now. A later one on the same port is a restart. */
  readonly started?: number;
}

export interface FakeWeights extends FakeVllm {
  /** Hits loads of weights, from the next on. */
  loadFault: LoadFault | null;
  /** Hits fetches of the plugin: the words of its failure. */
  fetchFault: string | null;
  /** Calls of `tidegate_repack`. */
  readonly repacks: number;
  /** Loads that ended well. */
  readonly loads: number;
}

/** A number that stands for the bytes of all safetensors files of a directory. */
export function weightsOf(directory: string): number {
  const hash = createHash("sha256");
  const names = readdirSync(directory).filter((name) => name.endsWith(".safetensors"));
  for (const name of names.sort()) hash.update(readFileSync(join(directory, name)));
  return hash.digest().readUInt32BE(0);
}

/** Reads every byte of a directory's files in pieces; gives their number. */
async function readAll(directory: string): Promise<number> {
  let bytes = 0;
  for (const name of readdirSync(directory).filter((one) => one.endsWith(".safetensors"))) {
    for await (const piece of createReadStream(join(directory, name), { highWaterMark: 2 ** 20 })) {
      bytes += (piece as Uint8Array).byteLength;
    }
  }
  return bytes;
}

interface Fetched {
  readonly id: string;
  state: "fetching" | "staged" | "loaded" | "failed";
  bytes: number;
  digest: string | null;
  error: string | null;
  hash: number;
}

/** The digest of whole files, by the definition that gateway and plugin share. */
function digestOf(files: readonly Uint8Array[]): string {
  const lines: [string, string][] = [];
  for (const file of files) {
    const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
    const length = Number(view.getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length))) as Record<
      string,
      { dtype: string; shape: number[]; data_offsets: [number, number] }
    >;
    for (const [
      name,
      {
        dtype,
        shape,
        data_offsets: [from, to],
      },
    ] of Object.entries(header)) {
      if (name === "__metadata__") continue;
      const hash = createHash("sha256").update(file.subarray(8 + length + from, 8 + length + to));
      lines.push([name, `${JSON.stringify([name, dtype, shape, hash.digest("hex")])}\n`]);
    }
  }
  lines.sort(([a], [b]) => (a < b ? -1 : 1));
  return `sha256:${createHash("sha256")
    .update(lines.map(([, line]) => line).join(""))
    .digest("hex")}`;
}

/** Starts one. */
export async function startFakeWeights(options: FakeWeightsOptions = {}): Promise<FakeWeights> {
  const { backend, sees = () => true, root } = options;
  const started = options.started ?? Date.now() / 1000;
  let fetched: Fetched | null = null;
  let loads = 0;
  let repacks = 0;
  const never = new Promise<never>(() => undefined);

  const load = async (weights: number): Promise<void> => {
    const fault = fake.loadFault;
    state.empty = true;
    if (fault?.kind === "fail") throw HttpError.worker(fault.words);
    state.weights = weights;
    if (fault?.kind !== "lie") state.empty = false;
    loads += 1;
    if (fault?.kind === "hang") await never;
  };

  const reload = async (kwargs: Record<string, unknown>): Promise<void> => {
    const path = typeof kwargs.weights_path === "string" ? kwargs.weights_path : (root ?? "");
    const there = sees(path) && existsSync(path) && readdirSync(path).some((name) => name.endsWith(".safetensors"));
    // In kernel format nothing is emptied: a path that is not there changes nothing.
    if (kwargs.is_checkpoint_format !== false) state.empty = true;
    if (!there) throw HttpError.worker("Repo id must be in the form 'repo_name' or 'namespace/repo_name': '<path>'.");
    if (kwargs.is_checkpoint_format === false) return;
    await load(options.drops === true ? await readAll(path) : weightsOf(path));
  };

  const fetchFiles = async (mine: Fetched, url: string, token: string, expected: string): Promise<void> => {
    try {
      const headers = { authorization: `Bearer ${token}` };
      const list = (await (await fetch(url, { headers })).json()) as { files: { index: number; bytes: number }[] };
      const files: Uint8Array[] = [];
      for (const { index, bytes } of list.files) {
        const answer = await fetch(`${url}/${index}`, { headers });
        if (answer.status !== 200) throw new Error(`the gateway answered ${answer.status}`);
        if (options.drops === true) {
          for await (const _ of answer.body as unknown as AsyncIterable<Uint8Array>);
        } else files.push(new Uint8Array(await answer.arrayBuffer()));
        mine.bytes += bytes;
      }
      if (fake.fetchFault !== null) throw new Error(fake.fetchFault);
      mine.digest = options.drops === true ? expected : digestOf(files);
      if (mine.digest !== expected) throw new Error(`digest is ${mine.digest}, expected ${expected}`);
      const hash = createHash("sha256");
      for (const file of files) hash.update(file);
      mine.hash = hash.digest().readUInt32BE(0);
      mine.state = "staged";
    } catch (error) {
      mine.error = String(error instanceof Error ? error.message : error);
      mine.state = "failed";
    }
  };

  const update: Handler = ({ body, contentType }) => {
    const { update_info: info } = parseBody(body, contentType) as { update_info: Record<string, string> };
    if (!state.updating) throw HttpError.worker("start_weight_update must be called before update_weights.");
    if (info.action === "discard") {
      fetched = null;
      return { message: "Weights updated" };
    }
    fetched = { id: info.id ?? "", state: "fetching", bytes: 0, digest: null, error: null, hash: 0 };
    void fetchFiles(fetched, info.url ?? "", info.token ?? "", info.digest ?? "");
    return { message: "Weights updated" };
  };

  const finish: Handler = async ({ body, contentType }) => {
    if (!state.updating) throw HttpError.worker("finish_weight_update called without a matching start_weight_update.");
    const version = body.length > 0 ? parseBody(body, contentType).weight_version : undefined;
    if (fetched?.state === "staged") {
      await load(fetched.hash);
      fetched.state = "loaded";
    }
    state.updating = false;
    if (typeof version === "string") state.weightVersion = version;
    return { message: "Weight update finished" };
  };

  const rpc: Handler = async ({ body, contentType }) => {
    const { method, kwargs = {} } = parseBody(body, contentType) as {
      method: string;
      kwargs?: Record<string, unknown>;
    };
    if (method === "reload_weights") await reload(kwargs);
    else if (method === "tidegate_repack" && options.plugin === true) repacks += 1;
    else if (method === "tidegate_status" && backend === "tidegate") {
      const mine = fetched?.id === kwargs.id ? fetched : null;
      const status = {
        state: mine?.state ?? "idle",
        bytes_done: mine?.bytes ?? 0,
        digest: mine?.digest ?? null,
        error: mine?.error ?? null,
      };
      return { results: Array.from({ length: state.worldSize }, () => status) };
    } else throw HttpError.worker(`'CPUWorker' object has no attribute '${method}'`);
    return { results: Array.from({ length: state.worldSize }, () => null) };
  };

  /** Without NCCL: there is no group, and `start` touches no parameter. */
  const session: Record<string, Handler> = {
    "POST /init_weight_transfer_engine": () => ({ message: "Weight transfer initialized" }),
    "POST /start_weight_update": () => {
      if (state.updating) throw HttpError.worker("start_weight_update called while a weight update is already active.");
      state.updating = true;
      return { message: "Weight update started" };
    },
    "POST /update_weights": update,
    "POST /finish_weight_update": finish,
  };
  const own: Record<string, Handler> = {
    "POST /collective_rpc": rpc,
    "GET /metrics": () => new TextEncoder().encode(`process_start_time_seconds ${started}\n`),
    "GET /server_info": () => ({
      vllm_config: {
        weight_transfer_config: backend === undefined ? null : { backend },
        device_config: { device: options.cpu === true ? "cpu" : "cuda" },
      },
      vllm_env: {},
      system_env: {},
    }),
    ...(backend === "tidegate" ? session : {}),
  };
  if (root !== undefined) {
    own["GET /v1/models"] = () => ({
      object: "list",
      data: [{ id: options.models?.[0] ?? "tiny", root, parent: null, max_model_len: 2048 }],
    });
  }
  const server = await startFakeVllm(root === undefined ? options : { ...options, weights: weightsOf(root) }, own);
  const { state } = server;
  const fake: FakeWeights = Object.assign(server, {
    loadFault: null,
    fetchFault: null,
    loads: 0,
    repacks: 0,
  });
  Object.defineProperty(fake, "loads", { get: () => loads });
  Object.defineProperty(fake, "repacks", { get: () => repacks });
  return fake;
}
