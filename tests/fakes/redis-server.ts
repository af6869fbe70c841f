/**
 * A Redis as far as the store uses one, in this process: for tests that must run where none is installed, and that need
 * one which forgets, stands still or comes back. `npm run interop -- store` uses a real one.
 */
import { createServer, type Socket } from "node:net";

interface Cell {
  readonly value: string;
  readonly until: number;
}

/** A started fake. */
export interface FakeRedis {
  readonly port: number;
  readonly url: string;
  /** Every command so far, as words. */
  readonly seen: readonly (readonly string[])[];
  /** It takes commands and does not answer, as a process that was stopped; what it took is carried out afterwards. */
  freeze(): void;
  thaw(): void;
  /** All that was written is gone, as after a restart without a file. Connections are cut. */
  forget(): void;
  /** Connections are cut and refused until `reopen`. */
  close(): Promise<void>;
  reopen(): Promise<void>;
  /** What it holds, by key. */
  dump(): ReadonlyMap<string, string>;
}

const bulk = (text: string | undefined): string =>
  text === undefined ? "$-1\r\n" : `$${Buffer.byteLength(text)}\r\n${text}\r\n`;

/** Words of the next command and where it ends; undefined while it is not whole. */
function nextCommand(bytes: Buffer): { readonly words: string[]; readonly end: number } | undefined {
  const words: string[] = [];
  let at = 0;
  const line = (): number | undefined => {
    const end = bytes.indexOf("\r\n", at);
    if (end < 0) return undefined;
    const number = Number(bytes.subarray(at + 1, end).toString());
    at = end + 2;
    return number;
  };
  const count = line();
  if (count === undefined) return undefined;
  for (let word = 0; word < count; word += 1) {
    const length = line();
    if (length === undefined || bytes.length < at + length + 2) return undefined;
    words.push(bytes.subarray(at, at + length).toString());
    at += length + 2;
  }
  return { words, end: at };
}

/** Starts it on a free port of loopback. `password`: asks for it. */
export async function startFakeRedis(options: { readonly password?: string } = {}): Promise<FakeRedis> {
  const cells = new Map<string, Cell>();
  const seen: string[][] = [];
  const sockets = new Set<Socket>();
  let frozen = false;
  let waiting: (() => void)[] = [];
  let started = Date.now() - 3_600_000;

  const get = (key: string): string | undefined => {
    const cell = cells.get(key);
    if (cell !== undefined && cell.until <= Date.now()) cells.delete(key);
    return cells.get(key)?.value;
  };

  /** What `TRANSACT` of src/store/redis.ts does. */
  function transact(keys: readonly string[], words: readonly string[]): string {
    const checks = Number(words[1]);
    let at = 2;
    for (const key of keys.slice(2, 2 + checks)) {
      if (get(key) !== (words[at] === "1" ? words[at + 1] : undefined)) return ":0\r\n";
      at += 2;
    }
    for (const key of keys.slice(2 + checks)) {
      const [flag, value = "", milliseconds] = words.slice(at, at + 3);
      if (flag === "0") cells.delete(key);
      else cells.set(key, { value, until: milliseconds === "" ? Infinity : Date.now() + Number(milliseconds) });
      at += 3;
    }
    return ":1\r\n";
  }

  function answer([name = "", ...words]: readonly string[], known: { ok: boolean }): string {
    if (name === "AUTH") {
      known.ok = words.at(-1) === options.password;
      return known.ok ? "+OK\r\n" : "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    }
    if (!known.ok) return "-NOAUTH Authentication required.\r\n";
    switch (name) {
      case "SELECT":
        return "+OK\r\n";
      case "INFO":
        return bulk(
          `# Server\r\nredis_version:7.0.15\r\nuptime_in_seconds:${Math.floor((Date.now() - started) / 1000)}\r\n`,
        );
      case "GET":
        return bulk(get(words[0] ?? ""));
      case "EVAL": {
        const count = Number(words[1]);
        return transact(words.slice(2, 2 + count), words.slice(2 + count));
      }
      case "ZRANGEBYLEX": {
        const [, from = "", to = "", , , count] = words;
        const found = [...cells.keys()]
          .filter((key) => (from.startsWith("(") ? key > from.slice(1) : key >= from.slice(1)) && key <= to.slice(1))
          .sort()
          .slice(0, Number(count));
        return `*${found.length}\r\n${found.map(bulk).join("")}`;
      }
      default:
        return `-ERR unknown command '${name}'\r\n`;
    }
  }

  const server = createServer((socket) => {
    sockets.add(socket);
    const known = { ok: options.password === undefined };
    let kept = Buffer.alloc(0);
    const work = (): void => {
      if (frozen) return void waiting.push(work);
      for (let found = nextCommand(kept); found !== undefined; found = nextCommand(kept)) {
        kept = kept.subarray(found.end);
        seen.push(found.words);
        socket.write(answer(found.words, known));
      }
    };
    socket.on("data", (bytes: Buffer) => {
      kept = Buffer.concat([kept, bytes]);
      work();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
  });
  const listen = (port: number): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", () => resolve());
    });
  await listen(0);
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };

  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    seen,
    freeze() {
      frozen = true;
    },
    thaw() {
      frozen = false;
      for (const work of waiting.splice(0)) work();
      waiting = [];
    },
    forget() {
      cells.clear();
      started = Date.now();
      cut();
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      cut();
      await closed;
    },
    reopen: () => listen(port),
    dump: () => new Map([...cells.keys()].flatMap((key) => (get(key) === undefined ? [] : [[key, get(key) ?? ""]]))),
  };
}
