/** The store in a Redis: what every store must do, and what this one must not believe. */
import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { after, describe, test } from "node:test";
import fc from "fast-check";
import { openConnection } from "../../src/platform/shared/connect.ts";
import { createProcessPorts } from "../../src/platform/shared/process-ports.ts";
import { openStore } from "../../src/store/open.ts";
import { openRedisStore } from "../../src/store/redis.ts";
import { parseRedisAddress } from "../../src/store/redis-address.ts";
import { createRedisLink } from "../../src/store/redis-link.ts";
import { createReplyReader, REPLY_LIMIT, type Reply, ReplyError, toCommand } from "../../src/store/resp.ts";
import { type FakeRedis, startFakeRedis } from "../fakes/redis-server.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { startRealRedis } from "../support/real-redis.ts";
import { describeStore } from "./cases/store.ts";

const { clock, random } = createProcessPorts({ runtime: "test", fetch, toArguments: () => [] });
const pass = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
const open = (url: string, own = clock) =>
  openRedisStore({ address: parseRedisAddress(url), connect: openConnection, clock: own, random });

const fakes: FakeRedis[] = [];
after(async () => {
  for (const fake of fakes) await fake.close();
});
const startFake = async (options?: { readonly password?: string }): Promise<FakeRedis> => {
  const fake = await startFakeRedis(options);
  fakes.push(fake);
  return fake;
};

describeStore("redis, a fake one", async () => ({ store: await open((await startFake()).url), pass }));

const real = await startRealRedis();
if (real === undefined) {
  describe("store: redis, a real one", () => {
    test("every store's behaviour", {
      skip: "no redis-server or valkey-server here (TIDEGATE_REDIS_SERVER)",
    }, () => {});
  });
} else {
  after(() => real.stop());
  let databases = 0;
  describeStore("redis, a real one", async () => {
    databases += 1;
    return { store: await open(`${real.url}?prefix=test-${databases}`), pass };
  });
  describe("a real redis", () => {
    test("keys that have expired leave the index", async () => {
      const store = await open(`${real.url}?prefix=expiry`);
      for (let at = 0; at < 5; at += 1) await store.set(`claim/${at}`, "1", { expiresIn: 20 });
      await pass(60);
      await store.set("a", "1");
      const link = createRedisLink({ address: parseRedisAddress(real.url), connect: openConnection, clock });
      assert.deepEqual(await link.command("ZRANGEBYLEX", "{expiry}:~index", "-", "+", "LIMIT", "0", "9"), [
        "{expiry}:a",
      ]);
      assert.deepEqual(await link.command("ZRANGEBYLEX", "{expiry}:~times", "-", "+", "LIMIT", "0", "9"), []);
      link.close();
      await store.close();
    });
  });
}

/** A server that answers every command with these bytes; tells what it was sent and whether it was left. */
async function startHostile(answers: (command: number) => Uint8Array | string | "silence" | "close") {
  let commands = 0;
  const sockets = new Set<Socket>();
  const left: Promise<void>[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    left.push(new Promise((resolve) => socket.on("close", () => resolve())));
    socket.on("error", () => undefined);
    socket.on("data", () => {
      commands += 1;
      const bytes = answers(commands);
      if (bytes === "close") socket.destroy();
      else if (bytes !== "silence") socket.write(bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const address = server.address();
  return {
    url: `redis://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`,
    left,
    commands: () => commands,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

const refusal = async (task: Promise<unknown>): Promise<string> => {
  const error = await task.then(
    () => assert.fail("it was believed"),
    (reason: Error) => reason,
  );
  assert.equal((error as { code?: string }).code, "store_unavailable", String(error));
  return error.message;
};

describe("a store that is not what it says", () => {
  const cases: readonly (readonly [string, Uint8Array | string, RegExp])[] = [
    ["garbage", "hello, this is no redis\r\n", /begins with byte 104/],
    ["HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", /begins with byte 72/],
    ["a text of 2^63 bytes", "$9223372036854775808\r\nxyz", /a text of the length 9223372036854775808; accepted/],
    ["a text of 2^63 - 1 bytes", "$9223372036854775807\r\nxyz", /a text of the length/],
    ["a text just over the bound", `$${REPLY_LIMIT + 1}\r\n`, /a text of the length/],
    ["a text of -2 bytes", "$-2\r\n", /a text of the length -2/],
    ["a length in hexadecimal", "$0x10\r\n", /a text of the length 0x10/],
    ["a list of 2^63 elements", "*9223372036854775808\r\n", /a list of the length/],
    ["a list of 2^32 elements", "*4294967296\r\n", /a list of the length/],
    ["lists without end", "*1\r\n".repeat(500), /lists in lists/],
    ["a number of 2^63", ":9223372036854775808\r\n", /the number 9223372036854775808/],
    ["a line without end", `+${"x".repeat(9000)}`, /a line of more than 8192 bytes/],
    ["a text longer than it said", "$3\r\nabcdefgh\r\n", /longer than it said/],
    ["a text that is no UTF-8", Buffer.from([36, 50, 13, 10, 0xc3, 0x28, 13, 10]), /no UTF-8/],
    ["two answers to one command", "$1\r\n5\r\n$1\r\n6\r\n", /an answer to nothing/],
    ["RESP3", "%1\r\n+a\r\n+b\r\n", /begins with byte 37/],
    ["no uptime", "$5\r\nredis\r\n", /no uptime_in_seconds/],
    ["a number where a text is due", ":1\r\n", /no uptime_in_seconds/],
  ];
  for (const [name, bytes, expected] of cases) {
    test(`${name}: refused, and the connection is closed`, async () => {
      const server = await startHostile(() => bytes);
      assert.match(await refusal(open(server.url)), expected);
      await Promise.all(server.left);
      assert.equal(server.commands(), 1, "nothing more was sent");
      await server.stop();
    });
  }

  test("a value that is no text, too long, or of another type, after an honest beginning", async () => {
    const honest = "$21\r\nuptime_in_seconds:3600\r\n".replace("$21", "$22");
    for (const [bytes, expected] of [
      [":7\r\n", /no text where a value was asked for/],
      ["*0\r\n", /no text where a value was asked for/],
      [`$1048577\r\n${"v".repeat(1_048_577)}\r\n`, /a value of 1048577 characters/],
      ["-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", /refused GET: WRONGTYPE/],
    ] as const) {
      const server = await startHostile((command) => (command === 1 ? honest : bytes));
      const store = await open(server.url);
      assert.match(await refusal(store.get("head")), expected);
      await store.close();
      await server.stop();
    }
    const server = await startHostile((command) => (command === 1 ? honest : ":2\r\n"));
    const store = await open(server.url);
    assert.match(await refusal(store.set("a", "1")), /neither 0 nor 1/);
    await store.close();
    await server.stop();
  });

  test("one that says nothing: the command ends at its deadline, and the connection is closed", async () => {
    const manual = createManualClock();
    const server = await startHostile(() => "silence");
    const link = createRedisLink({ address: parseRedisAddress(server.url), connect: openConnection, clock: manual });
    const asked = link.command("GET", "a").catch((error: Error) => error);
    while (server.commands() === 0) await pass(5);
    await manual.advance(2000);
    assert.match(String(await asked), /did not answer within 2 s/);
    await Promise.all(server.left);
    await server.stop();
  });

  test("one that goes away: commands are refused, later ones are carried out", async () => {
    const fake = await startFake();
    const store = await open(fake.url);
    await store.set("a", "1");
    await fake.close();
    assert.match(await refusal(store.get("a")), /The store at redis:\/\/127\.0\.0\.1:\d+\/0/);
    await pass(120);
    assert.match(await refusal(store.get("a")), /cannot be reached \(ECONNREFUSED\)/);
    await fake.reopen();
    await pass(120);
    assert.equal(await store.get("a"), "1");
    await store.close();
  });

  test("any bytes in any pieces: whole replies or a ProtocolError, never more kept than the bound", () => {
    const replies: Reply[] = ["OK", 1, null, "ü🜁", ["a", null], new ReplyError("ERR no")];
    const encode = (reply: Reply): string => {
      if (reply === null) return "$-1\r\n";
      if (typeof reply === "number") return `:${reply}\r\n`;
      if (typeof reply === "string") return `$${Buffer.byteLength(reply)}\r\n${reply}\r\n`;
      if (reply instanceof ReplyError) return `-${reply.message}\r\n`;
      return `*${reply.length}\r\n${reply.map(encode).join("")}`;
    };
    const cut = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 40 });
    const inPieces = (bytes: Uint8Array, sizes: readonly number[]): Reply[] => {
      const reader = createReplyReader();
      const found: Reply[] = [];
      for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
        const size = sizes[turn % sizes.length] ?? 1;
        found.push(...reader.push(bytes.subarray(at, at + size)));
        at += size;
      }
      return found;
    };
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...replies), { maxLength: 12 }), cut, (asked, sizes) => {
        assert.deepEqual(inPieces(Buffer.from(asked.map(encode).join("")), sizes), asked);
      }),
      { numRuns: 200 },
    );
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...replies), { minLength: 1, maxLength: 5 }),
        fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 6 }),
        cut,
        (asked, changes, sizes) => {
          const bytes = Buffer.from(asked.map(encode).join(""));
          for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
          try {
            inPieces(bytes, sizes);
          } catch (error) {
            assert.equal((error as Error).name, "ProtocolError");
          }
        },
      ),
      { numRuns: 3000 },
    );
    assert.equal(Buffer.from(toCommand(["SET", "ü", ""])).toString(), "*3\r\n$3\r\nSET\r\n$2\r\nü\r\n$0\r\n\r\n");
  });
});

describe("--store redis:", () => {
  const ports = { clock, random, runtime: "test", openConnection };

  test("a password from the address or by itself; a wrong one is told without being shown", async () => {
    const fake = await startFake({ password: "s3cret pass" });
    const plain = fake.url.slice("redis://".length);
    await (await openStore({ store: `redis://:s3cret%20pass@${plain}/3` }, ports)).close();
    assert.ok(fake.seen.some((words) => words.join(" ") === "SELECT 3"));
    await (await openStore({ store: fake.url, storePassword: "s3cret pass" }, ports)).close();
    const files = { readText: async () => "s3cret pass\n" } as never;
    await (
      await openStore({ store: `valkey://${plain}`, storePasswordFile: "/run/secret" }, { ...ports, files })
    ).close();
    const wrong = await refusal(openStore({ store: `redis://me:oops-wrong@${plain}` }, ports));
    assert.match(wrong, /refused AUTH: WRONGPASS.*TIDEGATE_STORE_PASSWORD/);
    assert.ok(!wrong.includes("oops") && !wrong.includes("me:"));
    assert.match(await refusal(openStore({ store: fake.url }, ports)), /NOAUTH.*--store-password-file/);
  });

  test("addresses that are none are refused without being shown", async () => {
    for (const store of [
      "redis:",
      "redis:host",
      "redis://:top-secret@",
      "redis://:top-secret@host/db",
      "redis://:top-secret@host:99999",
      "redis://:top-secret@host?database=1",
      "redis://:top-secret@host?prefix=a%20b",
      "redis://:top%ZZsecret@host",
    ]) {
      await assert.rejects(openStore({ store }, ports), (error: Error & { code?: string }) => {
        assert.equal(error.code, "invalid_value", store);
        assert.match(error.message, /Accepted: redis:\/\//);
        assert.ok(!error.message.includes("secret"), error.message);
        return true;
      });
    }
  });
});
