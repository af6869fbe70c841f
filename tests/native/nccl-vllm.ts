/**
 * A native vLLM server, cut down to its weight routes, whose ranks really receive over the C stand-in for NCCL. The order of
 * calls is held as vLLM 0.32 does; `version` before 0.28 wants `packed` in each update. Also a program:
 *
 *   bun tests/native/nccl-vllm.ts --library libfake-nccl.so [--ranks N] [--version 0.32.0]
 *
 * whose first line on stdout is `listening on URL`. `GET /__fake/weights` has the SHA-256 of every tensor by rank,
 * `POST /__fake/fault` sets a fault or, with null, ends it.
 */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { NcclLibrary } from "../../src/worker/native/nccl-library.ts";
import { NcclRanks, toDtype } from "./nccl-ranks.ts";

/** What it does wrong, once, at the named route. */
export interface NcclFault {
  readonly path: string;
  /** `fail`: 500 instead of acting. `failAfter`: 500 after acting. `hang`: no answer, not acting. `die`: connection cut. */
  readonly kind: "fail" | "failAfter" | "hang" | "die";
  /** Lets so many calls of that route pass first. */
  readonly after?: number;
}

/** A running one. */
export interface NcclVllm {
  readonly url: string;
  readonly ranks: NcclRanks;
  /** Method and path of every request, in order. */
  readonly calls: string[];
  readonly bodies: unknown[];
  weightVersion: string | null;
  fault: NcclFault | null;
  stop(): Promise<void>;
}

interface UpdateInfo {
  readonly names: string[];
  readonly dtype_names: string[];
  readonly shapes: number[][];
  readonly packed?: boolean;
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
}

class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Starts one on a free port. */
export async function startNcclVllm(
  library: NcclLibrary,
  { ranks: count = 1, version = "0.32.0", timeout = 10_000 } = {},
): Promise<NcclVllm> {
  const ranks = new NcclRanks(library, count);
  const calls: string[] = [];
  const bodies: unknown[] = [];
  const minor = Number(version.split(".")[1]);
  let packed = false;
  let active = false;
  let faulty = 0;
  const state = { weightVersion: null as string | null, fault: null as NcclFault | null };

  const refuse = (message: string): never => {
    throw new Refusal(500, message);
  };
  const routes: Record<string, (body: Record<string, unknown>) => Promise<unknown> | unknown> = {
    "GET /version": () => ({ version }),
    "GET /get_world_size": () => ({ world_size: count }),
    "GET /health": () => undefined,
    "GET /v1/models": () => ({ object: "list", data: [{ id: "tiny", object: "model", max_model_len: 128 }] }),
    "POST /pause": () => ({ status: "paused" }),
    "POST /resume": () => ({ status: "resumed" }),
    "POST /reset_prefix_cache": () => ({ success: true }),
    "POST /init_weight_transfer_engine": async ({ init_info }) => {
      const info = init_info as Record<string, unknown>;
      if (minor < 28 && "packed" in info) refuse("unexpected keyword argument 'packed'");
      packed = info.packed === true;
      await ranks.leave();
      await ranks.join({
        host: String(info.master_address),
        port: Number(info.master_port),
        first: Number(info.rank_offset),
        worldSize: Number(info.world_size),
        timeout,
      });
      return { message: "Weight transfer initialized" };
    },
    "POST /shutdown_weight_transfer_engine": async () => {
      await ranks.leave();
      return { message: "Weight transfer shut down" };
    },
    "POST /start_weight_update": () => {
      if (minor < 21) throw new Refusal(404, "Not Found");
      if (active) refuse("A weight update is already active. Call finish_weight_update first.");
      active = true;
      return { message: "Weight update started" };
    },
    "POST /update_weights": async ({ update_info }) => {
      const { names, dtype_names, shapes, packed: inUpdate } = update_info as UpdateInfo;
      if (minor >= 28 && inUpdate !== undefined) refuse("unexpected keyword argument 'packed'");
      if (minor >= 21 && !active) refuse("start_weight_update must be called before update_weights.");
      if (names.length !== shapes.length || names.length !== dtype_names.length) refuse("lists of unequal length");
      const tensors = names.map((name, index) => ({
        name,
        dtype: toDtype(dtype_names[index]!),
        shape: shapes[index]!,
      }));
      try {
        await ranks.receive(tensors, 0, minor < 28 ? inUpdate === true : packed, timeout);
      } catch (error) {
        active = false;
        throw error;
      }
      return { message: "Weights updated" };
    },
    "POST /finish_weight_update": ({ weight_version }) => {
      if (!active) refuse("finish_weight_update called without a matching start_weight_update.");
      active = false;
      if (typeof weight_version === "string") state.weightVersion = weight_version;
      return { message: "Weight update finished" };
    },
  };

  const server = createServer((request, response) => {
    const path = (request.url ?? "/").split("?")[0]!;
    const key = `${request.method} ${path}`;
    calls.push(key);
    const say = (status: number, value: unknown): void => {
      if (response.destroyed) return;
      response.writeHead(status, { "content-type": "application/json" });
      response.end(value === undefined ? "" : JSON.stringify(value));
    };
    const run = async (): Promise<void> => {
      const body = await readJson(request);
      if (key === "GET /__fake/weights") {
        return say(
          200,
          ranks.weights.map((weights) => Object.fromEntries(weights)),
        );
      }
      if (key === "POST /__fake/fault") {
        faulty = 0;
        state.fault = body as unknown as NcclFault | null;
        return say(200, {});
      }
      bodies.push(body);
      const { fault } = state;
      const hit = fault !== null && fault.path === path && faulty++ >= (fault.after ?? 0) ? fault.kind : undefined;
      if (hit === "hang") return;
      if (hit === "die") return void request.socket.destroy();
      if (hit === "fail") refuse("injected failure");
      const route = routes[key];
      if (route === undefined) throw new Refusal(404, "Not Found");
      const value = await route(body);
      if (hit === "failAfter") refuse("injected failure afterwards");
      say(200, value);
    };
    run().catch((error: Error) => {
      const status = error instanceof Refusal ? error.status : 500;
      say(status, { error: { message: error.message, type: "InternalServerError", param: null, code: status } });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    ranks,
    calls,
    bodies,
    get weightVersion() {
      return state.weightVersion;
    },
    set weightVersion(value) {
      state.weightVersion = value;
    },
    get fault() {
      return state.fault;
    },
    set fault(value) {
      faulty = 0;
      state.fault = value;
    },
    async stop() {
      ranks.life.abort(new Error("the server ends"));
      await ranks.leave();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      library: { type: "string" },
      ranks: { type: "string", default: "1" },
      version: { type: "string", default: "0.32.0" },
    },
  });
  const path = values.library ?? "";
  const library = new NcclLibrary({ nccl: path, cudart: path });
  const server = await startNcclVllm(library, { ranks: Number(values.ranks), version: values.version });
  console.log(`listening on ${server.url}`);
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => process.exit(0));
}

const [, script] = process.argv;
if (script !== undefined && import.meta.url === pathToFileURL(script).href) await main();
