import assert from "node:assert/strict";
import { createServer, type Server, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import type { Exchange, ExchangeAnswer, StreamedBody } from "../../src/ports.ts";

const onBun = "Bun" in globalThis;
const live = (): AbortSignal => new AbortController().signal;
const decode = (body: ExchangeAnswer["body"]): string => new TextDecoder().decode(body as Uint8Array);
const until = async (what: () => boolean): Promise<void> => {
  for (let tries = 0; !what(); tries += 1) {
    if (tries > 500) throw new Error("it never came to that");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

/** A peer that does with each connection's bytes what the test says. */
interface Peer {
  readonly origin: string;
  /** One entry per connection: all that came on it. */
  readonly came: Buffer[];
  readonly sockets: Socket[];
  onRequest: (socket: Socket, request: string, connection: number) => void;
}

describe("exchange on Bun's sockets", { skip: onBun ? false : "Bun only" }, () => {
  let exchange: Exchange;
  let server: Server;
  let peer: Peer;

  before(async () => {
    exchange = (await import("../../src/platform/shared/bun-exchange.ts")).createBunExchange();
    const came: Buffer[] = [];
    const sockets: Socket[] = [];
    server = createServer((socket) => {
      const index = sockets.push(socket) - 1;
      came[index] = Buffer.alloc(0);
      let pending = Buffer.alloc(0);
      socket.on("error", () => undefined);
      socket.on("data", (data: Buffer) => {
        came[index] = Buffer.concat([came[index] ?? Buffer.alloc(0), data]);
        pending = Buffer.concat([pending, data]);
        const end = pending.indexOf("\r\n\r\n");
        if (end === -1) return;
        const length = Number(/content-length: (\d+)/.exec(pending.toString("latin1", 0, end))?.[1] ?? 0);
        if (pending.length < end + 4 + length) return;
        const request = pending.toString("latin1", 0, end + 4 + length);
        pending = pending.subarray(end + 4 + length);
        peer.onRequest(socket, request, index);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    peer = { origin: `http://127.0.0.1:${port}`, came, sockets, onRequest: () => undefined };
  });
  after(() => {
    for (const socket of peer.sockets) socket.destroy();
    server.close();
  });

  const reply = (body: string, extra = ""): string =>
    `HTTP/1.1 200 OK\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${extra}\r\n${body}`;
  const post = (body = "{}", more: { fresh?: boolean; signal?: AbortSignal } = {}): Promise<ExchangeAnswer> =>
    exchange.send(
      peer.origin,
      {
        method: "POST",
        target: "/v1/completions?a=1",
        headers: { "x-a": "é" },
        body: new TextEncoder().encode(body),
        ...(more.fresh === undefined ? {} : { fresh: more.fresh }),
      },
      more.signal ?? live(),
    );

  test("the request goes out as given, and a connection serves many", async () => {
    const requests: string[] = [];
    const from: number[] = [];
    peer.onRequest = (socket, request, connection) => {
      requests.push(request);
      from.push(connection);
      socket.write(reply(`answer ${requests.length}`, "x-b: 1\r\n"));
    };
    for (let count = 1; count <= 3; count += 1) {
      const answer = await post('{"n":1}', count === 1 ? { fresh: true } : {});
      assert.equal(decode(answer.body), `answer ${count}`);
      assert.equal(answer.headers.get("x-b"), "1");
    }
    const host = peer.origin.slice("http://".length);
    assert.equal(
      requests[0],
      `POST /v1/completions?a=1 HTTP/1.1\r\nhost: ${host}\r\nx-a: é\r\ncontent-length: 7\r\n\r\n{"n":1}`,
    );
    assert.equal(new Set(from).size, 1);
  });

  test("64 at once have a connection each, and no answer goes to another", async () => {
    peer.onRequest = (socket, request) => {
      const body = request.slice(request.indexOf("\r\n\r\n") + 4);
      setTimeout(() => socket.write(reply(body)), Math.random() * 20);
    };
    const bodies = Array.from({ length: 64 }, (_, index) => `request ${index}`);
    const answers = await Promise.all(bodies.map((body) => post(body)));
    assert.deepEqual(
      answers.map(({ body }) => decode(body)),
      bodies,
    );
  });

  test("a body of 20 MB goes out whole while the peer reads slowly", async () => {
    let length = 0;
    peer.onRequest = (socket, request) => {
      length = request.length;
      socket.write(reply("ok"));
    };
    const body = "x".repeat(20_000_000);
    assert.equal(decode((await post(body)).body), "ok");
    assert.ok(length > body.length);
  });

  test("bytes behind an answer close its connection and reach nobody", async () => {
    peer.onRequest = (socket) => void socket.write(`${reply("mine")}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil`);
    assert.equal(decode((await post()).body), "mine");
    peer.onRequest = (socket) => void socket.write(reply("next"));
    assert.equal(decode((await post()).body), "next");
  });

  test("a connection that the peer closed while it was idle is not used", async () => {
    peer.onRequest = (socket) => {
      socket.write(reply("one"));
      setTimeout(() => socket.end(), 5);
    };
    await post();
    await new Promise((resolve) => setTimeout(resolve, 60));
    peer.onRequest = (socket) => void socket.write(reply("two"));
    assert.equal(decode((await post()).body), "two");
  });

  test("closed before an answer: ECONNRESET; broken off in it: another error; nobody there: ECONNREFUSED", async () => {
    peer.onRequest = (socket) => socket.destroy();
    await assert.rejects(post(), { code: "ECONNRESET" });
    peer.onRequest = (socket) => void socket.end("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
    await assert.rejects(
      post(),
      (error: Error & { code?: string }) => error.code === undefined && /broke off/.test(error.message),
    );
    const gone = createServer();
    await new Promise<void>((resolve) => gone.listen(0, "127.0.0.1", resolve));
    const { port } = gone.address() as { port: number };
    await new Promise((resolve) => gone.close(resolve));
    const request = { method: "GET", target: "/", headers: {}, body: null };
    await assert.rejects(exchange.send(`http://127.0.0.1:${port}`, request, live()), { code: "ECONNREFUSED" });
  });

  test("what is no HTTP is an error, not a hang", async () => {
    peer.onRequest = (socket) => void socket.write("SSH-2.0-OpenSSH\r\n\r\n");
    await assert.rejects(post(), /does not speak HTTP\/1\.1/);
  });

  test("an abort closes the connection and gives its reason", async () => {
    let closed = false;
    peer.onRequest = (socket) => void socket.on("close", () => (closed = true));
    const controller = new AbortController();
    const pending = post("{}", { signal: controller.signal });
    await new Promise((resolve) => setTimeout(resolve, 20));
    controller.abort(new Error("the client left"));
    await assert.rejects(pending, /the client left/);
    await until(() => closed);
    await assert.rejects(post("{}", { signal: AbortSignal.abort(new Error("before")) }), /before/);
  });

  test("header values and targets with line breaks are refused before a byte is sent", async () => {
    const bad = { method: "GET", target: "/", headers: { "x-a": "1\r\nx-b: 2" }, body: null };
    await assert.rejects(exchange.send(peer.origin, bad, live()), TypeError);
    await assert.rejects(
      exchange.send(peer.origin, { ...bad, target: "/ HTTP/1.1\r\n", headers: {} }, live()),
      TypeError,
    );
  });

  const streamOf = async (
    extra = "content-type: text/event-stream\r\n",
  ): Promise<{ answer: ExchangeAnswer; body: StreamedBody; socket: Socket }> => {
    let own: Socket | undefined;
    peer.onRequest = (socket) => {
      own = socket;
      socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n${extra}\r\n`);
    };
    const answer = await post();
    assert.ok(!(answer.body instanceof Uint8Array));
    return { answer, body: answer.body, socket: own as Socket };
  };
  const silent = { piece: () => undefined, end: () => null, left: () => undefined };

  /** The direct streams of Bun are made for a server's answer, so one serves it here too. */
  const through = async (body: StreamedBody, events: Parameters<StreamedBody["open"]>[0]): Promise<Response> => {
    const { Bun: bun } = globalThis as unknown as {
      Bun: { serve(options: object): { port: number; stop(force: boolean): void } };
    };
    const front = bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 0,
      development: false,
      fetch: () => new Response(body.open(events)),
    });
    fronts.push(front);
    return fetch(`http://127.0.0.1:${front.port}`);
  };
  const fronts: { stop(force: boolean): void }[] = [];
  after(() => {
    for (const front of fronts) front.stop(true);
  });

  test("pieces of a stream come as they are sent, and its end once", async () => {
    const { body, socket } = await streamOf();
    const seen: unknown[] = [];
    socket.write("5\r\nfirst\r\n");
    assert.equal(new TextDecoder().decode((await body.begun) ?? undefined), "first");
    const response = await through(body, {
      ...silent,
      piece: () => void seen.push("piece"),
      end: (error) => {
        seen.push(error);
        return null;
      },
    });
    const reader = response.body?.getReader();
    assert.equal(new TextDecoder().decode((await reader?.read())?.value), "first");
    socket.write("6\r\nsecond\r\n");
    assert.equal(new TextDecoder().decode((await reader?.read())?.value), "second");
    socket.write("0\r\n\r\n");
    assert.equal((await reader?.read())?.done, true);
    assert.deepEqual(seen, ["piece", "piece", undefined]);
  });

  test("a stream that breaks off says so, and last words still go out", async () => {
    const { body, socket } = await streamOf();
    socket.write("5\r\nfirst\r\n");
    await body.begun;
    const response = await through(body, {
      ...silent,
      end: (error) => new TextEncoder().encode(`<${(error as Error).message}>`),
    });
    setTimeout(() => socket.destroy(), 30);
    assert.equal(await response.text(), "first<The answer broke off.>");
  });

  test("without last words a broken stream is no whole answer to the client", async () => {
    const { body, socket } = await streamOf();
    socket.write("5\r\nfirst\r\n");
    await body.begun;
    const response = await through(body, silent);
    setTimeout(() => socket.destroy(), 30);
    await assert.rejects(response.text());
  });

  test("a stream that ends before its first byte rejects `begun`", async () => {
    const { body, socket } = await streamOf();
    socket.destroy();
    await assert.rejects(body.begun, /broke off/);
  });

  test("a client that leaves closes the connection upstream", async () => {
    const { body, socket } = await streamOf();
    let closed = false;
    let left = 0;
    socket.on("close", () => (closed = true));
    socket.write("5\r\nfirst\r\n");
    await body.begun;
    const response = await through(body, {
      ...silent,
      left: () => {
        left += 1;
      },
    });
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    await until(() => closed);
    assert.equal(left, 1);
  });

  test("a client that does not read stops the upstream, and gets everything when it does", async () => {
    const { body, socket } = await streamOf();
    const piece = Buffer.alloc(64 * 1024, 120);
    const total = 1600;
    let sent = 0;
    let waiting = false;
    const pump = (): void => {
      waiting = false;
      while (sent < total) {
        sent += 1;
        socket.write(`${piece.length.toString(16)}\r\n`);
        socket.write(piece);
        if (!socket.write("\r\n")) {
          waiting = true;
          socket.once("drain", pump);
          return;
        }
      }
      socket.write("0\r\n\r\n");
    };
    pump();
    await body.begun;
    const response = await through(body, silent);
    await until(() => waiting);
    await new Promise((resolve) => setTimeout(resolve, 300));
    // 100 MB are to come; a reader that reads nothing must not have let them all in.
    assert.ok(sent < total, `all ${sent} pieces were taken in`);
    const reader = response.body?.getReader();
    let length = 0;
    for (;;) {
      const next = await reader?.read();
      if (next === undefined || next.done) break;
      length += next.value.byteLength;
    }
    assert.equal(length, total * piece.length);
  });

  test("whole bodies of all sizes keep their length", async () => {
    for (const size of [0, 1, 15_000, 16_000, 400_000, 1_048_576]) {
      const { Bun: bun } = globalThis as unknown as {
        Bun: { serve(options: object): { port: number; stop(force: boolean): void } };
      };
      const front = bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        fetch: () => new Response(exchange.toBody(new Uint8Array(size).fill(7)), { headers: { "x-a": "1" } }),
      });
      const response = await fetch(`http://127.0.0.1:${front.port}`);
      assert.equal(response.headers.get("content-length"), String(size));
      const back = new Uint8Array(await response.arrayBuffer());
      assert.equal(back.length, size);
      assert.ok(back.every((byte) => byte === 7));
      front.stop(true);
    }
  });
});
