/**
 * A fake `trl vllm-serve` (TRL 0.16 to 1.10): a program of its own that speaks the trailing-slash dialect, answers weight
 * calls before it acts, and is busy with one thing at a time, its health included. Imports nothing of the gateway.
 *
 *   bun tests/fakes/trl-vllm-serve.ts --port 0 [--dialect 0.16|1.10] [--world-size N]
 *
 * The first line on stdout is `listening on http://127.0.0.1:PORT`. `GET /__fake/log` lists what it saw;
 * `POST /__fake/faults {"fail": PATH}` answers 500 there.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

/** How it starts. */
export interface FakeTrlOptions {
  readonly port?: number;
  /** 0.16 has `/get_tensor_parallel_size/` in place of `/get_world_size/`. Default 1.10. */
  readonly dialect?: "0.16" | "1.10";
  readonly worldSize?: number;
}

/** A running one. */
export interface FakeTrl {
  readonly url: string;
  /** In order: method and path, the body's text. */
  readonly seen: { readonly call: string; readonly body: string }[];
  /** A path that answers 500 as Starlette does. */
  fail: string | null;
  /** What `/reset_prefix_cache/` says. */
  resets: boolean;
  stop(): Promise<void>;
}

const RECEIVED = "Request received";

async function readText(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}

function say(response: ServerResponse, status: number, value: unknown): void {
  const json = typeof value !== "string";
  response.writeHead(status, { server: "uvicorn", "content-type": json ? "application/json" : "text/plain" });
  response.end(json ? JSON.stringify(value) : value);
}

/** Ids that follow from the prompt, n per prompt, prompt-major. */
function generate(body: string): unknown {
  const {
    prompts,
    n = 1,
    max_tokens = 16,
  } = JSON.parse(body) as {
    prompts: (string | number[])[];
    n?: number;
    max_tokens?: number;
  };
  const rows = prompts.flatMap((prompt, index) =>
    Array.from({ length: n }, (_, sample) =>
      Array.from({ length: max_tokens }, (_, at) => (prompt.length + index + sample + at) % 97),
    ),
  );
  return {
    prompt_ids: prompts.map((prompt) => (typeof prompt === "string" ? [...new TextEncoder().encode(prompt)] : prompt)),
    completion_ids: rows,
    logprobs: rows.map((row) => row.map(() => [-0.5])),
    logprob_token_ids: rows.map((row) => row.map((id) => [id])),
  };
}

/** Starts one; resolves when it listens. */
export async function startFakeTrl(options: FakeTrlOptions = {}): Promise<FakeTrl> {
  const { dialect = "1.10", worldSize = 1 } = options;
  const seen: FakeTrl["seen"] = [];
  const state = { fail: null as string | null, resets: true };
  const old = dialect === "0.16";
  /** One thing at a time. */
  let turn = Promise.resolve();

  function answer(call: string, body: string): [number, unknown] {
    switch (call) {
      case "GET /health/":
        return [200, { status: "ok" }];
      case old ? "GET /get_tensor_parallel_size/" : "GET /get_world_size/":
        return [200, old ? { tensor_parallel_size: worldSize } : { world_size: worldSize }];
      case "POST /generate/":
        return [200, generate(body)];
      case "POST /init_communicator/": {
        const { client_device_uuid } = JSON.parse(body) as { client_device_uuid?: string };
        if (!old && client_device_uuid === undefined) {
          return [422, { detail: [{ type: "missing", loc: ["body", "client_device_uuid"], msg: "Field required" }] }];
        }
        return [200, { message: `${RECEIVED}, initializing communicator` }];
      }
      case "POST /update_named_param/":
        return [200, { message: `${RECEIVED}, updating named parameter` }];
      case "POST /reset_prefix_cache/":
        return [200, { message: `${RECEIVED}, resetting prefix cache status: ${state.resets ? "True" : "False"}` }];
      case "POST /close_communicator/":
        return [200, { message: `${RECEIVED}, closing communicator` }];
      default:
        return [404, { detail: "Not Found" }];
    }
  }

  const server = createServer((request, response) => {
    const path = (request.url ?? "/").split("?")[0]!;
    const call = `${request.method} ${path}`;
    const run = async (): Promise<void> => {
      const body = await readText(request);
      if (path === "/__fake/log") return say(response, 200, seen);
      if (path === "/__fake/faults") {
        state.fail = (JSON.parse(body) as { fail?: string }).fail ?? null;
        return say(response, 200, {});
      }
      seen.push({ call, body });
      if (!path.endsWith("/")) {
        // Starlette's redirect to the path that exists.
        response.writeHead(307, { location: `http://${request.headers.host}${path}/`, "content-length": 0 });
        return void response.end();
      }
      const before = turn;
      let done = (): void => {};
      turn = new Promise<void>((resolve) => {
        done = resolve;
      });
      await before;
      try {
        if (state.fail === path) say(response, 500, "Internal Server Error");
        else say(response, ...answer(call, body));
      } finally {
        done();
      }
    };
    run().catch(() => request.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    get fail() {
      return state.fail;
    },
    set fail(path) {
      state.fail = path;
    },
    get resets() {
      return state.resets;
    },
    set resets(value) {
      state.resets = value;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "0" },
      dialect: { type: "string", default: "1.10" },
      "world-size": { type: "string", default: "1" },
    },
  });
  const fake = await startFakeTrl({
    port: Number(values.port),
    dialect: values.dialect === "0.16" ? "0.16" : "1.10",
    worldSize: Number(values["world-size"]),
  });
  console.log(`listening on ${fake.url}`);
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => process.exit(0));
}

const [, script] = process.argv;
if (script !== undefined && import.meta.url === pathToFileURL(script).href) await main();
