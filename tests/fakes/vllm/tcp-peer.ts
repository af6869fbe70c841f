/**
 * The stand-in for NCCL over TCP. The trainer (rank 0) listens at the master address; every rank of a server connects and
 * says who it is in one line of JSON; when the world is complete the trainer answers each with a line "go". A broadcast is
 * a 4-byte length (big endian) and the bytes, to every rank. Both ends of it are here; tests/interop has the Python one.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Peer, PeerLink } from "./transfer.ts";

/** Largest broadcast that is believed. */
const FRAME_LIMIT = 256 * 1024 * 1024;
/** How often a rank tries again while nobody listens yet, and for how long; torch's store does the same for 300 s. */
const RETRY_MS = 20;

/** One connection with what has arrived on it. */
class Line {
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);
  #failure: Error | null = null;
  #wake = (): void => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    const fail = (error: Error): void => {
      this.#failure ??= error;
      this.#wake();
    };
    socket.on("data", (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#wake();
    });
    socket.on("error", (error) => fail(error));
    socket.on("close", () => fail(new Error("unhandled system error: the peer closed the connection")));
  }

  async #until(enough: () => boolean): Promise<void> {
    while (!enough()) {
      if (this.#failure !== null) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async line(): Promise<string> {
    await this.#until(() => this.#bytes.includes(10));
    const end = this.#bytes.indexOf(10);
    const text = this.#bytes.subarray(0, end).toString("utf8");
    this.#bytes = this.#bytes.subarray(end + 1);
    return text;
  }

  async frame(): Promise<Uint8Array> {
    await this.#until(() => this.#bytes.length >= 4);
    const size = this.#bytes.readUInt32BE(0);
    if (size > FRAME_LIMIT) throw new Error(`a broadcast of ${size} bytes`);
    await this.#until(() => this.#bytes.length >= 4 + size);
    const bytes = new Uint8Array(this.#bytes.subarray(4, 4 + size));
    this.#bytes = this.#bytes.subarray(4 + size);
    return bytes;
  }

  send(bytes: Uint8Array | string): void {
    this.#socket.write(bytes);
  }

  close(): void {
    this.#socket.destroy();
  }
}

async function reach(address: string, port: number, timeoutMs: number): Promise<Socket> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const socket = await new Promise<Socket | Error>((resolve) => {
      const made = connect({ host: address, port }, () => resolve(made));
      made.once("error", resolve);
    });
    if (!(socket instanceof Error)) return socket;
    if (Date.now() > end) {
      throw new Error(
        `The client socket has timed out after ${timeoutMs}ms while trying to connect to (${address}, ${port}).`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** A server's side. `timeoutMs`: how long it looks for the trainer. */
export function createTcpPeer(timeoutMs = 15_000): Peer {
  return {
    async join(address, port, ranks, worldSize): Promise<PeerLink> {
      const lines: Line[] = [];
      const close = (): void => {
        for (const line of lines) line.close();
      };
      try {
        for (const rank of ranks) {
          const line = new Line(await reach(address, port, timeoutMs));
          lines.push(line);
          line.send(`${JSON.stringify({ rank, world_size: worldSize })}\n`);
        }
        for (const line of lines) {
          const word = await line.line();
          if (word !== "go") throw new Error(word);
        }
      } catch (error) {
        close();
        throw error;
      }
      return {
        async receive() {
          const frames = await Promise.all(lines.map((line) => line.frame()));
          return frames[0] ?? new Uint8Array(0);
        },
        close,
      };
    },
  };
}

/** The trainer's side. */
export interface TcpTrainer {
  readonly port: number;
  /** Resolves when ranks 1 … worldSize-1 have each come once. */
  readonly ready: Promise<void>;
  broadcast(bytes: Uint8Array): void;
  close(): Promise<void>;
}

/** Listens as rank 0 of a world. */
export async function listenAsTrainer(worldSize: number, port = 0): Promise<TcpTrainer> {
  const ranks = new Map<number, Line>();
  const open = new Set<Socket>();
  let complete = (): void => {};
  const ready = new Promise<void>((resolve) => {
    complete = resolve;
  });
  const welcome = async (line: Line): Promise<void> => {
    const said = JSON.parse(await line.line()) as { rank: number; world_size: number };
    const fault =
      said.world_size !== worldSize
        ? `world size ${said.world_size} does not match ${worldSize}`
        : said.rank < 1 || said.rank >= worldSize || ranks.has(said.rank)
          ? `rank ${said.rank} is taken or out of range`
          : null;
    if (fault !== null) return line.send(`${fault}\n`);
    ranks.set(said.rank, line);
    if (ranks.size < worldSize - 1) return;
    for (const each of ranks.values()) each.send("go\n");
    complete();
  };
  const server: Server = createServer((socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    welcome(new Line(socket)).catch(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  if (worldSize === 1) complete();
  return {
    port: (server.address() as { port: number }).port,
    ready,
    broadcast(bytes) {
      const head = Buffer.alloc(4);
      head.writeUInt32BE(bytes.byteLength);
      for (const line of ranks.values()) line.send(Buffer.concat([head, bytes]));
    },
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
