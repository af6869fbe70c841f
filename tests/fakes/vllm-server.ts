/**
 * A fake vLLM 0.32 server: a program of its own that speaks the protocol as recorded in fixtures/vllm, with faults
 * that can be injected. Imports nothing of the gateway.
 *
 *   bun tests/fakes/vllm-server.ts --port 0 --name a [--model tiny] [--token-delay MS] [--api-key K] [--world-size N]
 *                                  [--vllm-version 0.32.0] [--weights N] [--no-dev] [--no-lora] [--no-bodies] [--max-model-len N]
 *
 * The first line on stdout is `listening on http://127.0.0.1:PORT`. Control: /__fake/faults, /__fake/answer,
 * /__fake/options, /__fake/log (see vllm/control.ts and vllm/state.ts).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { control } from "./vllm/control.ts";
import { HttpError } from "./vllm/http-error.ts";
import { DEV_ROUTES, type Handler, LORA_ROUTES, PLAIN_ROUTES } from "./vllm/routes.ts";
import { serveGeneration } from "./vllm/serve-generation.ts";
import { FakeState, type FakeVllmOptions, type Faults, type SeenRequest, sleep } from "./vllm/state.ts";

export type { FakeVllmOptions, Faults, FixedAnswer, SeenRequest } from "./vllm/state.ts";

const GENERATION = ["/v1/completions", "/v1/chat/completions"];

/** vLLM's (uvicorn's) idle limit of a keep-alive connection. */
const IDLE_MS = 5000;

/** How long a restart by a fault takes; a real server needs 38 s and more, tests probe ten times a second. */
const RESTART_MS = 400;

export interface FakeVllm {
  readonly url: string;
  readonly port: number;
  /** Everything it remembers; tests read the log and set faults, answers and pace here. */
  readonly state: FakeState;
  /** Requests seen, oldest first; `path` filters by the path without its query. */
  seen(path?: string): readonly SeenRequest[];
  /** Refuses new connections and cuts the open ones, as a killed process does. */
  stop(): Promise<void>;
  /** Another process behind the same address: open connections break, the weights are those of its start. */
  restart(): void;
}

async function readBody(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk as Uint8Array);
  return new Uint8Array(Buffer.concat(chunks));
}

function sendJson(response: ServerResponse, state: FakeState, status: number, value: unknown): void {
  if (response.headersSent || response.destroyed) return;
  const plain = value instanceof Uint8Array || typeof value === "string";
  const body = value === undefined ? "" : plain ? value : JSON.stringify(value);
  const type = value instanceof Uint8Array ? "text/plain; version=1.0.0; charset=utf-8" : "application/json";
  response.writeHead(status, {
    server: "uvicorn",
    "x-fake-name": state.name,
    "content-length": Buffer.byteLength(body),
    // vLLM's LoRA routes answer a text without a type.
    ...(value === undefined || typeof value === "string" ? {} : { "content-type": type }),
  });
  response.end(body);
}

/** The faults that hit this request, counted down; none for control and other paths. */
function takeFaults(state: FakeState, path: string): Faults {
  const { faults } = state;
  if (!(faults.paths ?? GENERATION).includes(path) || state.faultsLeft <= 0) return {};
  state.faultsLeft -= 1;
  return faults;
}

function route(state: FakeState, method: string, path: string, own: Readonly<Record<string, Handler>>) {
  const lora = state.lora ? LORA_ROUTES : {};
  const tables = state.devMode ? { ...PLAIN_ROUTES, ...lora, ...DEV_ROUTES, ...own } : { ...PLAIN_ROUTES, ...lora };
  const found = tables[`${method} ${path}`];
  if (found !== undefined) return found;
  const other = Object.keys(tables).some((key) => key.endsWith(` ${path}`)) || GENERATION.includes(path);
  throw other ? HttpError.detail(405, "Method Not Allowed") : HttpError.detail(404, "Not Found");
}

async function answer(
  state: FakeState,
  request: IncomingMessage,
  response: ServerResponse,
  body: Uint8Array,
  reused: boolean,
  own: Readonly<Record<string, Handler>>,
): Promise<void> {
  const url = new URL(request.url ?? "/", "http://fake");
  const { pathname } = url;
  const method = request.method ?? "GET";
  if (Date.now() < state.downUntil) return void request.socket.destroy();
  if (pathname === "/health" && method === "GET") {
    const { health } = state.faults;
    if (health === "hang") return;
    if (health === "drop") return void request.socket.destroy();
    return sendJson(response, state, health === "unavailable" || state.dead ? 503 : 200, undefined);
  }
  const faults = takeFaults(state, pathname);
  const late = faults.after === true;
  if (!late && (faults.drop === true || (faults.dropReused === true && reused))) return void request.socket.destroy();
  if (!late && faults.hang === true) return;
  const restart = (): void => {
    state.reborn(RESTART_MS);
    request.socket.destroy();
  };
  if (!late && faults.restart === true) return restart();
  if (faults.delayHeadMs !== undefined) await sleep(faults.delayHeadMs);
  if (faults.status !== undefined && !late) {
    const shaped = HttpError.shaped(faults.status, "InternalServerError", `injected ${faults.status}`, null).body;
    return sendJson(response, state, faults.status, faults.body === undefined ? shaped : JSON.parse(faults.body));
  }
  if (
    state.apiKey !== null &&
    pathname.startsWith("/v1/") &&
    request.headers.authorization !== `Bearer ${state.apiKey}`
  ) {
    throw new HttpError(401, { error: "Unauthorized" });
  }
  if (method === "POST" && GENERATION.includes(pathname)) {
    response.setHeader("x-fake-name", state.name);
    return serveGeneration(state, request, response, body, faults);
  }
  if (pathname !== "/" && pathname.endsWith("/")) {
    response.writeHead(307, {
      location: `http://${request.headers.host}${pathname.slice(0, -1)}`,
      "content-length": 0,
    });
    return void response.end();
  }
  const handler = route(state, method, pathname, own);
  const contentType = request.headers["content-type"];
  const act = async (): Promise<unknown> => handler({ state, query: url.searchParams, body, contentType });
  if (faults.lie === true) return sendJson(response, state, 200, { message: "done" });
  if (faults.duplicate === true) await act();
  const value = await act();
  if (late && faults.restart === true) return restart();
  if (late && faults.hang === true) return;
  if (late && faults.drop === true) return void request.socket.destroy();
  if (late && faults.status !== undefined) {
    const words = HttpError.shaped(faults.status, "InternalServerError", `injected ${faults.status}`, null).body;
    return sendJson(response, state, faults.status, words);
  }
  if (faults.resetMidBody === true) {
    response.writeHead(200, { "content-type": "application/json", "content-length": 1000 });
    await new Promise<void>((resolve) => response.write(JSON.stringify(value), () => resolve()));
    return void request.socket.destroy();
  }
  sendJson(response, state, 200, value);
}

async function handle(
  state: FakeState,
  request: IncomingMessage,
  response: ServerResponse,
  reused: boolean,
  own: Readonly<Record<string, Handler>>,
) {
  const target = request.url ?? "/";
  if (target.startsWith("/__fake/")) {
    const url = new URL(target, "http://fake");
    const value = control(state, request.method ?? "GET", url, await readBody(request));
    return sendJson(response, state, value === undefined ? 404 : 200, value ?? { detail: "Not Found" });
  }
  const seen = state.record(request.method ?? "GET", target, request.rawHeaders);
  state.concurrent += 1;
  state.maxConcurrent = Math.max(state.maxConcurrent, state.concurrent);
  response.on("close", () => {
    state.concurrent -= 1;
    seen.status = response.headersSent ? response.statusCode : null;
    if (response.writableFinished) seen.endedAt = Date.now();
    else {
      seen.disconnectedAt = Date.now();
      state.disconnects += 1;
    }
    state.changed();
  });
  const body = await readBody(request);
  if (state.keepBodies) seen.body = body;
  try {
    await answer(state, request, response, body, reused, own);
  } catch (thrown) {
    if (thrown instanceof HttpError) sendJson(response, state, thrown.status, thrown.body);
    else {
      console.error(thrown);
      sendJson(response, state, 500, { error: { message: String(thrown), type: "FakeError", param: null, code: 500 } });
    }
  }
}

/** Sockets with the time of their idle limit; the runtimes' own keep-alive limits differ too much to be used. */
function watchIdle(server: Server, state: FakeState): Map<Socket, { used: number; idle: NodeJS.Timeout | null }> {
  const sockets = new Map<Socket, { used: number; idle: NodeJS.Timeout | null }>();
  server.on("connection", (socket: Socket) => {
    state.connections += 1;
    sockets.set(socket, { used: 0, idle: null });
    socket.on("close", () => {
      clearTimeout(sockets.get(socket)?.idle ?? undefined);
      sockets.delete(socket);
    });
    socket.on("error", () => socket.destroy());
  });
  return sockets;
}

/** Starts one; resolves when it listens. `own`: dev routes that another fake adds or does its own way. */
export async function startFakeVllm(
  options: FakeVllmOptions = {},
  own: Readonly<Record<string, Handler>> = {},
): Promise<FakeVllm> {
  const state = new FakeState(options);
  const server = createServer();
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  const sockets = watchIdle(server, state);
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const entry = sockets.get(request.socket) ?? { used: 0, idle: null };
    sockets.set(request.socket, entry);
    clearTimeout(entry.idle ?? undefined);
    const reused = entry.used > 0;
    entry.used += 1;
    response.on("finish", () => {
      entry.idle = setTimeout(() => request.socket.destroy(), state.faults.closeIdleMs ?? IDLE_MS);
      entry.idle.unref?.();
    });
    void handle(state, request, response, reused, own).catch(() => request.socket.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, options.host ?? "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    state,
    seen: (path) => state.seen.filter((one) => path === undefined || one.target.split("?")[0] === path),
    restart() {
      for (const socket of sockets.keys()) socket.destroy();
      state.reborn();
    },
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const [socket, { idle }] of sockets) {
        clearTimeout(idle ?? undefined);
        socket.destroy();
      }
      server.closeAllConnections();
      await closed;
    },
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "0" },
      host: { type: "string", default: "127.0.0.1" },
      name: { type: "string", default: "fake" },
      model: { type: "string", multiple: true },
      "max-model-len": { type: "string", default: "2048" },
      "token-delay": { type: "string", default: "0" },
      "world-size": { type: "string", default: "1" },
      weights: { type: "string", default: "0" },
      "vllm-version": { type: "string", default: "0.32.0" },
      "api-key": { type: "string" },
      "no-dev": { type: "boolean", default: false },
      "no-lora": { type: "boolean", default: false },
      "no-bodies": { type: "boolean", default: false },
    },
  });
  const apiKey = values["api-key"];
  const fake = await startFakeVllm({
    port: Number(values.port),
    host: values.host,
    name: values.name,
    models: values.model ?? ["tiny"],
    maxModelLen: Number(values["max-model-len"]),
    tokenDelayMs: Number(values["token-delay"]),
    worldSize: Number(values["world-size"]),
    weights: Number(values.weights),
    version: values["vllm-version"],
    devMode: !values["no-dev"],
    lora: !values["no-lora"],
    keepBodies: !values["no-bodies"],
    ...(apiKey === undefined ? {} : { apiKey }),
  });
  console.log(`listening on ${fake.url}`);
  const end = (): void => process.exit(0);
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
}

const [, script] = process.argv;
if (script !== undefined && import.meta.url === pathToFileURL(script).href) await main();
