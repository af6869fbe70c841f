/** The command line against a small HTTP server that plays the gateway. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parseArguments, toSuggestion } from "../../src/cli/arguments.ts";
import { chat } from "../../src/cli/chat.ts";
import { doctor } from "../../src/cli/doctor.ts";
import { readEvents } from "../../src/cli/events.ts";
import { type Command, type Io, OperationError, UsageError } from "../../src/cli/io.ts";
import { createProgress, toSize } from "../../src/cli/progress.ts";
import { loadPlatform } from "../../src/cli/runtime.ts";
import { servers } from "../../src/cli/servers.ts";
import { parseSeconds, sync } from "../../src/cli/sync.ts";

const ports = (await loadPlatform()).createPorts();
const DIGEST = `sha256:${"0f".repeat(32)}`;

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command with buffers for its terminal. */
async function run(command: Command, args: readonly string[], over: Partial<Io> = {}): Promise<Run> {
  let out = "";
  let err = "";
  const io: Io = {
    ports,
    env: {},
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    terminal: false,
    lines: async function* () {},
    onInterrupt: () => () => {},
    ...over,
  };
  const code = await command.run(args, io);
  return { code, out, err };
}

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

let server: Server;
let url = "";
let folder = "";
let seen: Seen[] = [];
let answer: (seen: Seen, response: ServerResponse) => void = (_, response) => response.end();

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tidegate-cli-"));
  server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const { method = "", headers } = request;
      const one = { method, url: request.url ?? "", headers, body: Buffer.concat(parts).toString() };
      seen.push(one);
      answer(one, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

const json = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
};

const syncOf = (over: Record<string, unknown>): Record<string, unknown> => ({
  id: "ws_1",
  state: "running",
  phase: "stage",
  version: 1,
  digest: null,
  bytes_done: 0,
  bytes_total: 100,
  servers: [{ id: "embedded-0", phase: "staging", bytes_done: 0, bytes_total: 100 }],
  ...over,
});

describe("arguments", () => {
  const options = {
    port: { help: "", value: "N" },
    check: { help: "" },
    upstream: { help: "", value: "URL", repeatable: true },
  };
  const none = { least: 0, most: 0, called: "" };
  test("values, switches and repeatable ones", () => {
    const { values } = parseArguments(["--port", "1", "--check", "--upstream", "a", "--upstream=b"], options, none);
    assert.deepEqual([values.port, values.check, values.upstream], ["1", true, ["a", "b"]]);
  });
  test("unknown ones are named, with the one that was meant", () => {
    assert.throws(() => parseArguments(["--prot", "1"], options, none), /unknown option --prot; did you mean --port\?/);
    assert.throws(() => parseArguments(["--completely"], options, none), /^UsageError: unknown option --completely$/);
    assert.throws(() => parseArguments(["--port"], options, none), UsageError);
    assert.throws(() => parseArguments(["extra"], options, none), /unexpected argument "extra"/);
    assert.throws(() => parseArguments([], options, { least: 1, most: 1, called: "DIR" }), /DIR is missing/);
  });
  test("suggestions are near or absent", () => {
    assert.equal(toSuggestion("srve", ["serve", "sync"]), "serve");
    assert.equal(toSuggestion("xyzzy", ["serve", "sync"]), undefined);
  });

  test("a negative number is a value, another option is not", () => {
    const known = { limit: { help: "", value: "N" }, name: { help: "", value: "NAME" }, check: { help: "" } };
    const read = (...args: string[]) => ({ ...parseArguments(args, known, { least: 0, most: 2, called: "" }).values });
    assert.deepEqual(read("--limit", "-1", "--check"), { limit: "-1", check: true });
    assert.deepEqual(read("--limit=-1"), { limit: "-1" });
    assert.deepEqual(read("--limit", "-.5"), { limit: "-.5" });
    assert.throws(() => read("--limit", "--check"), UsageError);
    assert.throws(() => read("--limit", "-x"), UsageError);
    assert.throws(() => read("--check", "-1"), UsageError);
    assert.deepEqual(parseArguments(["--", "--limit", "-1"], known, { least: 0, most: 2, called: "" }).positionals, [
      "--limit",
      "-1",
    ]);
  });
});

describe("sync", () => {
  test("a directory on this machine goes by its absolute path; the end shows every replica's digest", async () => {
    seen = [];
    answer = ({ url: target }, response) => {
      if (!target.endsWith("/events")) return json(response, 202, syncOf({}));
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("retry: 2000\n\n: heartbeat\n\n");
      const event = (value: unknown): void =>
        void response.write(`id: 1\nevent: sync\ndata: ${JSON.stringify(value)}\n\n`);
      event({ type: "sync", sync: syncOf({ bytes_done: 50 }) });
      event({ type: "fleet", fleet: {} });
      const done = [{ id: "embedded-0", phase: "switched", bytes_done: 100, bytes_total: 100, digest: DIGEST }];
      event({
        type: "sync",
        sync: syncOf({ state: "completed", phase: "done", bytes_done: 100, digest: DIGEST, servers: done }),
      });
      response.end();
    };
    const args = [folder, "--url", url, "--label", "step 7", "--deadline", "2m", "--version", "3", "--mode", "keep"];
    const { code, out, err } = await run(sync, args, { env: { TIDEGATE_API_KEY: "trainer=s3cret-key:weights" } });
    assert.equal(code, 0);
    assert.equal(out, `weight version 1  ${DIGEST}\n  embedded-0  switched  ${DIGEST}\n`);
    assert.match(err, /stage 50 %/);
    const [start] = seen;
    assert.equal(`${start?.method} ${start?.url}`, "POST /api/weight-syncs");
    assert.equal(start?.headers.authorization, "Bearer s3cret-key");
    assert.match(String(start?.headers["idempotency-key"]), /^[0-9a-f-]{36}$/);
    assert.deepEqual(JSON.parse(start!.body), {
      version: 3,
      label: "step 7",
      mode: "keep",
      deadline_s: 120,
      source: { kind: "disk", path: folder },
    });
  });
  test("a failed sync throws with phase, replica and reason", async () => {
    const error = {
      code: "weights_shape_mismatch",
      phase: "receive",
      replica: "embedded-1",
      message: "wq has 3 rows.",
    };
    answer = (_, response) => json(response, 202, syncOf({ state: "failed", error }));
    await assert.rejects(run(sync, [folder, "--url", url]), (thrown) => {
      assert.ok(thrown instanceof OperationError);
      assert.match(thrown.message, /failed in phase receive at embedded-1: wq has 3 rows. \(weights_shape_mismatch\)/);
      return true;
    });
  });
  test("a refusal shows the gateway's own words", async () => {
    answer = (_, response) =>
      json(response, 409, { title: "Conflict", detail: "Sync ws_9 is running.", code: "sync_in_progress" });
    await assert.rejects(run(sync, [folder, "--url", url]), /answered 409: Sync ws_9 is running. \(sync_in_progress\)/);
  });
  test("a file can be sent, its wishes in the query", async () => {
    const path = join(folder, "model.safetensors");
    await writeFile(path, "x".repeat(3_000_000));
    seen = [];
    answer = (_, response) => json(response, 202, syncOf({ state: "completed" }));
    const { code } = await run(sync, [folder, "--url", url, "--upload", "--partial", "--label", "a b"]);
    assert.equal(code, 0);
    assert.equal(seen[0]?.url, "/api/weight-syncs?label=a+b&partial=true");
    assert.equal(seen[0]?.headers["content-type"], "application/octet-stream");
    assert.equal(seen[0]?.body.length, 3_000_000);
    await writeFile(join(folder, "second.safetensors"), "");
    await assert.rejects(run(sync, [folder, "--url", url, "--upload"]), /2 safetensors files/);
  });
  test("Ctrl-C aborts the running sync", async () => {
    let interrupt: () => void = () => {};
    seen = [];
    let feed: ServerResponse | undefined;
    answer = ({ method, url: target }, response) => {
      if (method === "DELETE") {
        json(response, 200, {});
        feed?.end(`data: ${JSON.stringify({ type: "sync", sync: syncOf({ state: "aborted" }) })}\n\n`);
      } else if (target.endsWith("/events")) {
        feed = response;
        response.writeHead(200).write(`data: ${JSON.stringify({ type: "sync", sync: syncOf({}) })}\n\n`);
        setTimeout(() => interrupt(), 20);
      } else json(response, 202, syncOf({}));
    };
    const onInterrupt: Io["onInterrupt"] = (listener) => {
      interrupt = listener;
      return () => {};
    };
    await assert.rejects(run(sync, [folder, "--url", url], { onInterrupt }), /ws_1 aborted/);
    assert.ok(seen.some(({ method, url: target }) => method === "DELETE" && target === "/api/weight-syncs/ws_1"));
  });
  test("mistakes are named before anything is sent", async () => {
    seen = [];
    await assert.rejects(run(sync, [join(folder, "absent"), "--url", url]), /no such file or directory/);
    await assert.rejects(run(sync, [folder, "--url", "ftp://a"]), /no http or https URL/);
    await assert.rejects(run(sync, [folder, "--url", url, "--version", "x"]), /--version must be a whole number/);
    assert.equal(seen.length, 0);
    assert.equal(parseSeconds("120s"), 120);
    assert.equal(parseSeconds("1.5h"), 5400);
    for (const bad of ["", "0", "5 minutes", "-1s"]) assert.throws(() => parseSeconds(bad), UsageError);
  });
  test("no gateway: says where it looked and what to do", async () => {
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve));
    const { port } = free.address() as AddressInfo;
    await new Promise((resolve) => free.close(resolve));
    const at = `http://127.0.0.1:${port}`;
    await assert.rejects(run(servers, ["--url", at]), new RegExp(`no answer from ${at}: connection refused.*--url`));
  });
});

describe("servers", () => {
  test("prints a table, or the JSON", async () => {
    const one = {
      id: "vllm-0",
      kind: "vllm",
      url: "http://127.0.0.1:8001",
      state: "unreachable",
      weight_version: null,
      in_flight: 2,
      world_size: 8,
      last_error: "connection refused",
    };
    answer = (_, response) => json(response, 200, { servers: [one] });
    const { out } = await run(servers, [], { env: { TIDEGATE_URL: url } });
    assert.match(out, /^ID\s+KIND\s+STATE\s+VERSION/);
    assert.match(out, /vllm-0\s+vllm\s+unreachable\s+-\s+2\s+8\s+http:\/\/127\.0\.0\.1:8001\s+connection refused\n$/);
    assert.deepEqual(JSON.parse((await run(servers, ["--json", "--url", url])).out), { servers: [one] });
  });
});

describe("chat", () => {
  test("streams answers and keeps the conversation until /new", async () => {
    seen = [];
    answer = ({ url: target }, response) => {
      if (target === "/v1/models") return json(response, 200, { data: [{ id: "tiny" }] });
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const content of ["Hel", "lo"])
        response.write(`data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`);
      response.end("data: [DONE]\n\n");
    };
    const lines = async function* (): AsyncGenerator<string> {
      yield* ["hi", "", "again", "/new", "fresh", "/exit", "never"];
    };
    const { code, out } = await run(chat, ["--url", url, "--temperature", "0"], { lines });
    assert.equal(code, 0);
    assert.equal(out, "Hello\nHello\nHello\n");
    const bodies = seen.filter(({ method }) => method === "POST").map(({ body }) => JSON.parse(body));
    assert.deepEqual(
      bodies.map(({ messages }) => messages.length),
      [1, 3, 1],
    );
    assert.deepEqual([bodies[0].model, bodies[0].stream, bodies[0].temperature], ["tiny", true, 0]);
  });
  test("an error event in the stream ends with its message", async () => {
    answer = (_, response) => {
      response.writeHead(200).end(`data: ${JSON.stringify({ error: { message: "The replica is gone." } })}\n\n`);
    };
    const lines = async function* (): AsyncGenerator<string> {
      yield "hi";
    };
    await assert.rejects(run(chat, ["--url", url, "--model", "m"], { lines }), /The replica is gone/);
  });
});

describe("doctor", () => {
  test("names what fails and its mend, and ends with 4", async () => {
    answer = ({ url: target }, response) => {
      if (target === "/health") return response.end();
      if (target === "/version") return json(response, 200, { version: "0.32.0" });
      if (target === "/v1/models") return json(response, 401, { error: "Unauthorized" });
      json(response, 404, { detail: "Not Found" });
    };
    const { code, out } = await run(doctor, ["--upstream", url, "--model", folder, "--port", "0", "--json"]);
    const { findings } = JSON.parse(out) as {
      findings: { level: string; subject: string; found: string; mend?: string }[];
    };
    assert.equal(code, 4);
    const about = (subject: string) => findings.filter((finding) => finding.subject === subject);
    assert.equal(about("config.json")[0]?.level, "failure");
    assert.deepEqual(
      about(url).map(({ level }) => level),
      ["ok", "failure", "warning"],
    );
    assert.match(about(url)[1]?.mend ?? "", /--upstream-api-key/);
    assert.match(about(url)[2]?.mend ?? "", /VLLM_SERVER_DEV_MODE=1/);
    assert.ok(findings.every(({ level, mend }) => (level === "ok") === (mend === undefined)));
  });
});

describe("events and progress", () => {
  test("events split anywhere are put together", async () => {
    const text = 'retry: 1\n\ndata: {"a":"é"}\n\n: beat\n\ndata: {"b":2}\r\n\r\ndata: [DONE]\n\ndata: {"c":3}\n\n';
    const bytes = new TextEncoder().encode(text);
    for (const size of [1, 3, 1000]) {
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
          controller.close();
        },
      });
      const events: unknown[] = [];
      for await (const event of readEvents(new Response(body))) events.push(event);
      assert.deepEqual(events, [{ a: "é" }, { b: 2 }]);
    }
  });
  test("a terminal gets a bar, a log one line per tenth", () => {
    let log = "";
    const lines = createProgress((text) => {
      log += text;
    }, false);
    for (let done = 0; done <= 100; done += 1) lines.update("stage", done, 100);
    assert.equal(log.split("\n").length, 12);
    let bar = "";
    const live = createProgress((text) => {
      bar += text;
    }, true);
    live.update("stage", 50, 100);
    live.end();
    assert.match(bar, /^\r.*stage {4}\[█{15}·{15}\] 50 B of 100 B\n$/);
    assert.equal(toSize(5 * 2 ** 20), "5.0 MiB");
  });
});
