/**
 * The life of a served gateway, the same on every runtime: listen, start, wait for a signal, drain, end. Returns the
 * exit code; it never calls `exit` itself. What is served is handed in, so that a test can serve something small.
 */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../config.ts";
import { GatewayError } from "../errors.ts";
import type { Gateway } from "../gateway-types.ts";
import type { Ports } from "../ports.ts";
import type { App, Listener, Platform } from "./types.ts";

/** Exit codes of every command. */
export const EXIT = { done: 0, usage: 2, cannotStart: 3, failed: 4 } as const;

/** What `run` needs of a gateway. */
export type Served = Pick<Gateway, "start" | "stop" | "log">;

/** How the program is put together; `serve.ts` gives the real one. */
export interface Parts<G extends Served> {
  createGateway(config: Config, ports: Ports): Promise<G> | G;
  createApp(gateway: G): App;
}

/** Ctrl-C in a terminal reaches npm and us, and npm hands it on: what comes this soon is the same signal again. */
const SAME_SIGNAL_MILLISECONDS = 500;
/** The last bytes of the last answers leave after the gateway said it is done. */
const FLUSH_MILLISECONDS = 1000;
/** `gateway.stop` keeps to the drain time itself; past this it is stuck. */
const STUCK_MILLISECONDS = 15_000;

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Why the socket could not be opened, with the way out. */
function listenFailure(error: unknown, config: Config): string {
  const code = (error as { code?: unknown }).code;
  // Bun gives this code for a name that does not resolve, too.
  if (code === "EADDRINUSE" && !/^(localhost|[\d.]+|.*:.*)$/.test(config.host))
    return `cannot listen on ${config.host}:${config.port}: the name does not resolve here, or the port is taken; choose others with --host and --port`;
  if (code === "EADDRINUSE") return `port ${config.port} is taken; choose another with --port`;
  if (code === "EACCES") return `port ${config.port} needs more rights; choose one above 1023 with --port`;
  if (code === "EADDRNOTAVAIL") return `${config.host} is no address of this machine; choose another with --host`;
  return `cannot listen on ${config.host}:${config.port}: ${reasonOf(error)}`;
}

/** First SIGTERM or SIGINT: `stop` aborts. A later one: `end` is called. Returns the unsubscribe function. */
function onSignals(stop: AbortController, end: () => void): () => void {
  let first = 0;
  const heard = (): void => {
    const now = performance.now();
    if (first === 0) {
      first = now;
      stop.abort(new GatewayError("draining", "The process was asked to end."));
    } else if (now - first > SAME_SIGNAL_MILLISECONDS) end();
  };
  process.on("SIGTERM", heard);
  process.on("SIGINT", heard);
  return () => {
    process.off("SIGTERM", heard);
    process.off("SIGINT", heard);
  };
}

/** Drains and stops. Resolves with false when the gateway did not end in its time. */
async function shutDown(gateway: Served, listener: Listener, config: Config): Promise<boolean> {
  const closed = listener.close().catch(() => {});
  const limit = config.drainTimeout * 1000 + STUCK_MILLISECONDS;
  const stopped = await Promise.race([gateway.stop().then(() => true), sleep(limit, false, { ref: false })]);
  await Promise.race([closed, sleep(FLUSH_MILLISECONDS, undefined, { ref: false })]);
  await listener.closeNow().catch(() => {});
  return stopped;
}

/**
 * Serves until a signal asks it to end. It listens before the model is loaded, so that `/livez` answers and `/readyz`
 * says what is being waited for; when loading then fails, it ends.
 *
 * Returns 0 after a signal, 2 for a configuration that cannot work, 3 when it cannot start. The reason goes to the log.
 */
export async function run<G extends Served>(platform: Platform, config: Config, parts: Parts<G>): Promise<number> {
  const ports = platform.createPorts();
  const say = (message: string): void => ports.writeLine(`tidegate: ${message}`);
  let gateway: G;
  try {
    gateway = await parts.createGateway(config, ports);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    say(error.message);
    return error.code === "invalid_value" && error.details.param !== "model" ? EXIT.usage : EXIT.cannotStart;
  }
  let listener: Listener;
  try {
    listener = await platform.listen(parts.createApp(gateway), { host: config.host, port: config.port });
  } catch (error) {
    await gateway.stop();
    say(listenFailure(error, config));
    return EXIT.cannotStart;
  }
  const stop = new AbortController();
  // Workers see their standard input close and end by themselves.
  const unsubscribe = onSignals(stop, () => process.exit(1));
  const rejected = (cause: unknown): void => gateway.log.error("unhandled rejection", { cause });
  process.on("unhandledRejection", rejected);
  try {
    gateway.log.info(`listening on ${listener.url}`);
    let failure: unknown;
    try {
      await gateway.start(stop.signal, listener.url);
      if (!stop.signal.aborted) await new Promise((resolve) => stop.signal.addEventListener("abort", resolve));
    } catch (error) {
      if (!stop.signal.aborted) failure = error;
    }
    if (failure === undefined) gateway.log.info("draining", { seconds: config.drainTimeout });
    const ended = await shutDown(gateway, listener, config);
    if (failure === undefined) return ended ? EXIT.done : 1;
    if (!(failure instanceof GatewayError)) gateway.log.error("start failed", { cause: failure });
    say(`cannot start: ${reasonOf(failure)}`);
    return EXIT.cannotStart;
  } finally {
    unsubscribe();
    process.off("unhandledRejection", rejected);
  }
}
