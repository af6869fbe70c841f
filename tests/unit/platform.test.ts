/** The platform of whichever runtime runs this file: files, child processes, fetch, server, and the run loop. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { loadPlatform } from "../../src/cli/runtime.ts";
import { parseConfig } from "../../src/config.ts";
import { GatewayError } from "../../src/errors.ts";
import { createLogger } from "../../src/observe/log.ts";
import { type Parts, run, type Served } from "../../src/platform/run.ts";
import type { App, Platform } from "../../src/platform/types.ts";
import { toUrl } from "../../src/platform/types.ts";
import type { Ports } from "../../src/ports.ts";

const platform = await loadPlatform();
const ports = platform.createPorts();
const files = ports.files!;
const spawn = ports.spawn!;
let folder = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tidegate-platform-"));
});
after(() => rm(folder, { recursive: true, force: true }));

const text = new TextEncoder();

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  let all = "";
  const decoder = new TextDecoder();
  for await (const chunk of chunks) all += decoder.decode(chunk, { stream: true });
  return all;
}

describe("files", () => {
  test("what is written can be read at any position", async () => {
    const path = files.resolve(folder, "a.bin");
    const writer = await files.openWrite(path);
    await writer.write(text.encode("hello "));
    await writer.write(text.encode("world"));
    await writer.close();
    const reader = await files.openRead(path);
    assert.equal(reader.size, 11);
    assert.equal(new TextDecoder().decode(await reader.read(6, 5)), "world");
    await assert.rejects(reader.read(6, 6), RangeError);
    await assert.rejects(reader.read(0, 2 ** 40), RangeError);
    await reader.close();
    assert.deepEqual(await files.stat(path).then((found) => [found?.kind, found?.size]), ["file", 11]);
  });
  test("what is not there is undefined, and removing it is fine", async () => {
    assert.equal(await files.stat(files.resolve(folder, "absent")), undefined);
    assert.equal(await files.stat(files.resolve(folder, "a.bin", "below")), undefined);
    await files.remove(files.resolve(folder, "absent"));
  });
  test("directories are made, listed in order and removed whole", async () => {
    const deep = files.resolve(folder, "d", "e");
    await files.makeDirectory(deep);
    for (const name of ["b", "a", "c"]) await (await files.openWrite(files.resolve(deep, name))).close();
    assert.deepEqual(await files.list(deep), ["a", "b", "c"]);
    await files.rename(files.resolve(deep, "a"), files.resolve(deep, "z"));
    assert.deepEqual(await files.list(deep), ["b", "c", "z"]);
    await files.remove(files.resolve(folder, "d"));
    assert.equal(await files.stat(deep), undefined);
  });
  test("text over the limit is refused before it is read", async () => {
    await writeFile(join(folder, "long.txt"), "x".repeat(100));
    assert.equal((await files.readText(join(folder, "long.txt"))).length, 100);
    await assert.rejects(files.readText(join(folder, "long.txt"), 99), /100 bytes/);
  });
});

describe("child processes", () => {
  const program = async (name: string, source: string): Promise<URL> => {
    await writeFile(join(folder, name), source);
    return pathToFileURL(join(folder, name));
  };
  test("bytes go in and out unchanged, far beyond a pipe's size", async () => {
    const echo = await program("echo.ts", 'import process from "node:process";\nprocess.stdin.pipe(process.stdout);\n');
    const child = spawn(echo, []);
    assert.ok(child.pid > 0);
    const bytes = new Uint8Array(1_000_000).map((_, index) => index * 31);
    const received = (async () => {
      const parts: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of child.stdout) {
        parts.push(chunk);
        size += chunk.byteLength;
        if (size >= bytes.byteLength) break;
      }
      return parts;
    })();
    await child.write(bytes);
    const whole = new Uint8Array(await new Blob((await received) as BlobPart[]).arrayBuffer());
    assert.deepEqual(whole, bytes);
    child.kill("SIGTERM");
    assert.deepEqual(await child.exited, { code: null, signal: "SIGTERM" });
    await assert.rejects(child.write(bytes));
  });
  test("arguments, environment, standard error and exit code", async () => {
    const source =
      'import process from "node:process";\nconst words: string[] = process.argv.slice(2);\n' +
      "process.stderr.write([...words, process.env.TIDE].join(), () => process.exit(7));\n";
    const child = spawn(await program("args.ts", source), ["a", "b c"], { env: { TIDE: "high" } });
    assert.equal(await collect(child.stderr), "a,b c,high");
    assert.deepEqual(await child.exited, { code: 7, signal: null });
  });
  test("writing to a child that is gone rejects and ends nobody", async () => {
    const child = spawn(await program("gone.ts", "export {};\n"), []);
    await child.exited;
    await assert.rejects(child.write(new Uint8Array(10)));
  });
});

describe("hash, clock, random, usage", () => {
  test("sha256 in pieces", () => {
    const hash = ports.sha256!();
    hash.update(text.encode("ab"));
    hash.update(text.encode("c"));
    assert.equal(hash.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  });
  test("a timer fires once, a cancelled one never", async () => {
    let fired = 0;
    const cancelled = ports.clock.timer(1, () => {
      fired += 10;
    });
    cancelled.cancel();
    cancelled.cancel();
    // The timer alone does not keep the process alive; the promise's own does.
    const alive = setTimeout(() => {}, 10_000);
    await new Promise<void>((resolve) => {
      ports.clock.timer(5, () => {
        fired += 1;
        resolve();
      });
    });
    clearTimeout(alive);
    assert.equal(fired, 1);
  });
  test("numbers are sane", () => {
    assert.match(ports.random.uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
    assert.ok(ports.usage!().rssBytes > 1e6 && ports.usage!().cpuSeconds > 0);
    assert.match(ports.runtime, /^(bun|deno|node) \d+\./);
  });
});

describe("fetch", () => {
  let server: Server;
  let base = "";
  let closed = 0;
  const answers: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
    "/redirect": (_, response) => response.writeHead(302, { location: "/elsewhere" }).end(),
    "/empty": (_, response) => response.writeHead(204).end(),
    "/headers": (request, response) => response.end(JSON.stringify(request.headers)),
    "/cookies": (_, response) => response.setHeader("set-cookie", ["a=1", "b=2"]).end(),
    "/count": (request, response) => {
      let size = 0;
      request.on("data", (chunk: Uint8Array) => {
        size += chunk.byteLength;
      });
      request.on("end", () => response.end(String(size)));
    },
    "/endless": (_, response) => {
      response.write("first");
      response.on("close", () => {
        closed += 1;
      });
    },
  };
  before(async () => {
    server = createServer((request, response) => answers[request.url ?? ""]?.(request, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  test("redirects are handed back", async () => {
    const response = await ports.fetch(`${base}/redirect`, { method: "GET" });
    await response.arrayBuffer();
    assert.deepEqual([response.status, response.headers.get("location")], [302, "/elsewhere"]);
  });
  test("no compression is asked for that the caller did not ask for", async () => {
    const plain = (await (await ports.fetch(`${base}/headers`, {})).json()) as Record<string, string>;
    assert.equal(plain["accept-encoding"], "identity");
    const headers = new Headers({ "accept-encoding": "br" });
    const asked = (await (await ports.fetch(`${base}/headers`, { headers })).json()) as Record<string, string>;
    assert.equal(asked["accept-encoding"], "br");
  });
  test("an empty answer and several cookies", async () => {
    assert.equal((await ports.fetch(`${base}/empty`, {})).body, null);
    const response = await ports.fetch(`${base}/cookies`, {});
    assert.deepEqual(response.headers.getSetCookie(), ["a=1", "b=2"]);
    await response.arrayBuffer();
  });
  test("bodies whole and streamed", async () => {
    const whole = await ports.fetch(`${base}/count`, { method: "POST", body: new Uint8Array(70_000) });
    assert.equal(await whole.text(), "70000");
    let left = 20;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new Uint8Array(5000));
        left -= 1;
        if (left === 0) controller.close();
      },
    });
    const init = { method: "POST", body, duplex: "half" } as RequestInit;
    assert.equal(await (await ports.fetch(`${base}/count`, init)).text(), "100000");
  });
  test("aborting and cancelling close the upstream connection", async () => {
    const abort = new AbortController();
    const first = await ports.fetch(`${base}/endless`, { signal: abort.signal });
    const reader = first.body!.getReader();
    assert.equal(new TextDecoder().decode((await reader.read()).value), "first");
    abort.abort(new Error("enough"));
    await assert.rejects(reader.read(), /enough/);
    const second = await ports.fetch(`${base}/endless`, {});
    await second.body!.cancel();
    while (closed < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  });
  test("a refused connection rejects", async () => {
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve));
    const { port } = free.address() as AddressInfo;
    await new Promise((resolve) => free.close(resolve));
    await assert.rejects(ports.fetch(`http://127.0.0.1:${port}/`, {}));
  });
});

describe("server", () => {
  const serving = async (app: App, use: (url: string, port: number) => Promise<void>): Promise<void> => {
    const listener = await platform.listen(app, { host: "127.0.0.1", port: 0 });
    try {
      assert.equal(listener.url, `http://127.0.0.1:${listener.port}`);
      await use(listener.url, listener.port);
    } finally {
      await listener.closeNow();
    }
  };
  test("an upload far over the runtimes' own limits arrives", async () => {
    const app: App = {
      async fetch(request) {
        let size = 0;
        for await (const chunk of request.body!) size += chunk.byteLength;
        return new Response(String(size));
      },
    };
    await serving(app, async (url) => {
      const piece = new Uint8Array(2 ** 20);
      // Bun's own limit is 128 MiB.
      let left = 130;
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.enqueue(piece);
          left -= 1;
          if (left === 0) controller.close();
        },
      });
      const init = { method: "POST", body, duplex: "half" } as RequestInit;
      assert.equal(await (await ports.fetch(url, init)).text(), String(130 * 2 ** 20));
    });
  });
  test("a client that leaves aborts the request and cancels the answer", async () => {
    let aborted = false;
    let cancelled = false;
    const app: App = {
      fetch(request) {
        request.signal.addEventListener("abort", () => {
          aborted = true;
        });
        const body = new ReadableStream<Uint8Array>({
          async pull(controller) {
            await new Promise((resolve) => setTimeout(resolve, 5));
            controller.enqueue(text.encode("tick\n"));
          },
          cancel() {
            cancelled = true;
          },
        });
        return new Response(body);
      },
    };
    await serving(app, async (_, port) => {
      const socket = connect(port, "127.0.0.1");
      socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
      await new Promise((resolve) => socket.once("data", resolve));
      socket.destroy();
      while (!aborted || !cancelled) await new Promise((resolve) => setTimeout(resolve, 5));
    });
  });
  test("a taken port has the code EADDRINUSE", async () => {
    const app: App = { fetch: () => new Response("x") };
    await serving(app, async (_, port) => {
      await assert.rejects(platform.listen(app, { host: "127.0.0.1", port }), { code: "EADDRINUSE" });
    });
  });
  test("close lets the running answer finish and takes no new connection", async () => {
    let finish: () => void = () => {};
    const running = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let begun: () => void = () => {};
    const started = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const app: App = {
      async fetch() {
        begun();
        await running;
        return new Response("late");
      },
    };
    const listener = await platform.listen(app, { host: "127.0.0.1", port: 0 });
    const answer = ports.fetch(listener.url, {}).then((response) => response.text());
    await started;
    const closing = listener.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const socket = connect(listener.port, "127.0.0.1");
    await assert.rejects(new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject)));
    finish();
    assert.equal(await answer, "late");
    await closing;
    await listener.closeNow();
  });
  test("IPv6 hosts stand in brackets", () => assert.equal(toUrl("::1", 80), "http://[::1]:80"));
});

describe("run", () => {
  const lines: string[] = [];
  const quiet: Platform = {
    createPorts: (): Ports => ({ ...ports, writeLine: (line) => void lines.push(line) }),
    listen: platform.listen,
  };
  const parts = (over: Partial<Served> = {}): Parts<Served> => ({
    createGateway: (_, own) => ({
      log: createLogger({ format: "text", level: "info", clock: own.clock, writeLine: own.writeLine }),
      start: () => Promise.resolve(),
      stop: () => Promise.resolve(),
      ...over,
    }),
    createApp: () => ({ fetch: () => new Response("ok") }),
  });
  test("a taken port ends with 3 and names the flag; the gateway is stopped", async () => {
    const other = await platform.listen({ fetch: () => new Response("x") }, { host: "127.0.0.1", port: 0 });
    let stopped = 0;
    const stop = async (): Promise<void> => {
      stopped += 1;
    };
    lines.length = 0;
    assert.equal(await run(quiet, parseConfig({ port: other.port }), parts({ stop })), 3);
    assert.deepEqual(lines, [`tidegate: port ${other.port} is taken; choose another with --port`]);
    assert.equal(stopped, 1);
    await other.closeNow();
  });
  test("a model that cannot be served ends with 3 and the reason", async () => {
    const start = (): Promise<void> => Promise.reject(new GatewayError("unsupported", "config.json: no."));
    lines.length = 0;
    assert.equal(await run(quiet, parseConfig({ port: 0 }), parts({ start })), 3);
    assert.equal(lines.at(-1), "tidegate: cannot start: config.json: no.");
  });
  test("a configuration that cannot work ends with 2, an unreadable model with 3", async () => {
    const failing = (error: GatewayError): Parts<Served> => ({
      ...parts(),
      createGateway: () => Promise.reject(error),
    });
    const config = parseConfig({ port: 0 });
    assert.equal(await run(quiet, config, failing(new GatewayError("invalid_value", "no", { param: "store" }))), 2);
    assert.equal(await run(quiet, config, failing(new GatewayError("invalid_value", "no", { param: "model" }))), 3);
    assert.equal(await run(quiet, config, failing(new GatewayError("source_unreadable", "no"))), 3);
  });
});
