/** The `exchange` port on Bun: connections to plain-text upstreams, kept and used again as long as that is safe. */
import type { Exchange, ExchangeAnswer, ExchangeRequest } from "../../ports.ts";
import { BunConnection, type ConnectionOwner, connectionLost, toHead } from "./bun-connection.ts";

/** uvicorn closes an idle connection after 5 s; what has been idle for longer than this is not used again. */
const IDLE_MILLISECONDS = 4000;
/** Idle connections kept per upstream. */
const IDLE_LIMIT = 512;
/** Longest wait for a connection; a host that is off answers nothing at all. */
const CONNECT_MILLISECONDS = 10_000;
/** Whole bodies up to this are copied into Bun's own buffer, which then leaves in one packet with the head. */
const CORKED_LIMIT = 15 * 1024;

interface Address {
  readonly hostname: string;
  readonly port: number;
  readonly host: string;
}

function parseOrigin(origin: string): Address {
  const url = new URL(origin);
  if (url.protocol !== "http:") throw new TypeError(`${url.protocol} is not spoken on plain sockets.`);
  return {
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? 80 : Number(url.port),
    host: url.host,
  };
}

/** Connections to one upstream. */
class Pool implements ConnectionOwner {
  readonly #address: Address;
  /** As the `host` header has it. */
  get host(): string {
    return this.#address.host;
  }
  /** The most recently used one is the last, and is taken first. */
  readonly #idle: BunConnection[] = [];
  #sweeping = false;

  constructor(address: Address) {
    this.#address = address;
  }

  take(): BunConnection | undefined {
    const connection = this.#idle.pop();
    if (connection === undefined) return undefined;
    if (performance.now() - connection.idleSince <= IDLE_MILLISECONDS) return connection;
    connection.close();
    return this.take();
  }

  free(connection: BunConnection): void {
    if (this.#idle.length >= IDLE_LIMIT) {
      connection.close();
      return;
    }
    connection.idleSince = performance.now();
    this.#idle.push(connection);
    if (!this.#sweeping) this.#sweep();
  }

  gone(connection: BunConnection): void {
    const at = this.#idle.indexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
  }

  #sweep(): void {
    this.#sweeping = true;
    setTimeout(() => {
      const oldest = performance.now() - IDLE_MILLISECONDS;
      for (const connection of this.#idle.filter(({ idleSince }) => idleSince < oldest)) connection.close();
      if (this.#idle.length > 0) this.#sweep();
      else this.#sweeping = false;
    }, IDLE_MILLISECONDS / 2).unref();
  }

  async open(signal: AbortSignal): Promise<BunConnection> {
    const { hostname, port, host } = this.#address;
    const connection = new BunConnection(this);
    const opening = Bun.connect<BunConnection>({ hostname, port, data: connection, socket: HANDLERS });
    // Whoever comes too late is not needed any more.
    const discard = (): void => void opening.then((socket) => socket.terminate()).catch(() => undefined);
    let give: (error: unknown) => void = () => undefined;
    const given = new Promise<never>((_, reject) => {
      give = reject;
    });
    const onAbort = (): void => give(signal.reason);
    const timer = setTimeout(
      () => give(new Error(`No connection to ${host} within ${CONNECT_MILLISECONDS / 1000} s.`)),
      CONNECT_MILLISECONDS,
    );
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      const socket = await Promise.race([opening, given]);
      // Who serves keeps the process alive, not a connection that waits for its next request.
      socket.unref();
      connection.opened(socket);
      return connection;
    } catch (error) {
      discard();
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }
}

const HANDLERS: Bun.SocketHandler<BunConnection> = {
  binaryType: "uint8array",
  open: ({ data }) => void data,
  data: (socket, bytes) => socket.data.received(bytes),
  drain: (socket) => socket.data.drained(),
  end: (socket) => socket.data.ended(),
  close: (socket) => socket.data.ended(),
  error: (socket) => socket.data.ended(),
  connectError: () => undefined,
};

/** Creates the port. */
export function createBunExchange(): Exchange {
  const pools = new Map<string, Pool>();
  const poolOf = (origin: string): Pool => {
    let pool = pools.get(origin);
    if (pool === undefined) {
      pool = new Pool(parseOrigin(origin));
      pools.set(origin, pool);
    }
    return pool;
  };
  const sendFresh = async (
    pool: Pool,
    head: string,
    request: ExchangeRequest,
    signal: AbortSignal,
  ): Promise<ExchangeAnswer> => {
    const connection = await pool.open(signal).catch((error: unknown) => {
      if (signal.aborted) throw signal.reason;
      throw /ECONNREFUSED|refused/i.test(String((error as { code?: unknown }).code ?? error))
        ? connectionLost("ECONNREFUSED", "Connection refused.")
        : error;
    });
    if (request.admit !== undefined) {
      try {
        await request.admit();
        signal.throwIfAborted();
      } catch (error) {
        connection.close();
        throw error;
      }
    }
    return connection.send(head, request, signal);
  };
  return {
    send(origin, request, signal) {
      if (signal.aborted) return Promise.reject(signal.reason);
      let pool: Pool;
      let head: string;
      try {
        pool = poolOf(origin);
        head = toHead(pool.host, request);
      } catch (error) {
        return Promise.reject(error);
      }
      const connection = request.fresh === true ? undefined : pool.take();
      return connection === undefined ? sendFresh(pool, head, request, signal) : connection.send(head, request, signal);
    },
    toBody(bytes) {
      if (bytes.byteLength < CORKED_LIMIT) return bytes as Uint8Array<ArrayBuffer>;
      // As bytes, Bun 1.4 sends each header in four packets of its own before a body of this size; as a direct stream
      // that ends at once, head and body leave together and with their length.
      const source = {
        type: "direct" as const,
        pull(controller: { write(bytes: Uint8Array): unknown; end(): unknown }): void {
          controller.write(bytes);
          controller.end();
        },
      };
      return new ReadableStream(source as unknown as UnderlyingSource<Uint8Array>, {
        highWaterMark: bytes.byteLength + 1024,
      });
    },
  };
}
