/**
 * A TCP relay in front of a fake, so that its connections end as those of a killed process do: all at once, also those
 * over which nothing has been sent. (Bun's HTTP server knows a connection only from its first request on.)
 */
import { connect, createServer, type Socket } from "node:net";

export interface Relay {
  readonly url: string;
  /** Ends every connection. */
  cut(): void;
  stop(): Promise<void>;
}

/** Starts one on a free port of 127.0.0.1. */
export async function startRelay(target: string): Promise<Relay> {
  const port = Number(new URL(target).port);
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    return socket;
  };
  const server = createServer({ noDelay: true }, (near) => {
    keep(near);
    const far = keep(connect({ port, host: "127.0.0.1", noDelay: true }));
    near.on("data", (bytes) => void far.write(bytes));
    far.on("data", (bytes) => void near.write(bytes));
    near.on("close", () => far.destroy());
    far.on("close", () => near.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = (): void => {
    for (const socket of [...sockets]) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    cut,
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      cut();
      await closed;
    },
  };
}
