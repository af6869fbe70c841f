/** A real redis-server or valkey-server on a free port of loopback, where this machine has one. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** A started server. */
export interface RealRedis {
  readonly url: string;
  readonly port: number;
  /** What it says of itself. */
  readonly version: string;
  /** SIGSTOP and SIGCONT: it stands still, its connections stay. */
  signal(name: "SIGSTOP" | "SIGCONT"): void;
  /** kill -9; what was not in a file is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** TIDEGATE_REDIS_SERVER, or what the PATH has. */
export function findRedis(): { readonly path: string; readonly version: string } | undefined {
  const asked = process.env.TIDEGATE_REDIS_SERVER;
  for (const path of asked === undefined || asked === "" ? ["redis-server", "valkey-server"] : [asked]) {
    const { status, stdout } = spawnSync(path, ["--version"], { encoding: "utf8", timeout: 10_000 });
    if (status === 0) return { path, version: /v=(\S+)/.exec(stdout)?.[1] ?? "unknown" };
  }
  return undefined;
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });

/** Starts it; undefined where there is none. `more`: further words of its command line. */
export async function startRealRedis(more: readonly string[] = []): Promise<RealRedis | undefined> {
  const found = findRedis();
  if (found === undefined) return undefined;
  const room = mkdtempSync(join(tmpdir(), "tidegate-redis-"));
  const port = await freePort();
  let child: ChildProcess;
  let closed: Promise<void> = Promise.resolve();

  async function start(): Promise<void> {
    const words = ["--port", String(port), "--bind", "127.0.0.1", "--dir", room, "--save", "", "--daemonize", "no"];
    child = spawn(found?.path ?? "", [...words, ...more], { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    closed = new Promise((resolve) => child.once("close", () => resolve()));
    child.stdout?.on("data", (bytes: Buffer) => {
      output += bytes.toString();
    });
    for (let tries = 0; !/Ready to accept connections/.test(output); tries += 1) {
      if (child.exitCode !== null || tries > 1000) throw new Error(`redis-server did not start:\n${output}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  await start();
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    version: found.version,
    signal: (name) => void child.kill(name),
    async kill() {
      child.kill("SIGKILL");
      await closed;
    },
    restart: start,
    async stop() {
      child.kill("SIGKILL");
      await closed;
      rmSync(room, { recursive: true, force: true });
    },
  };
}
