/**
 * Servers by name: `--upstream dns://name:port` stands for every address (A and AAAA) that the name has, looked up again
 * at intervals. Addresses that appear are attached, those that leave are drained and detached. Whether a server may serve
 * is the fleet's decision, as for every other: one with older weights gets no request.
 */
import type { Config } from "../config.ts";
import type { ReplicaId } from "../contract/ids.ts";
import type { Engine, EngineSpec } from "../engine/engine.ts";
import { GatewayError, toGatewayError } from "../errors.ts";
import type { FleetManager } from "../fleet/fleet.ts";
import { sleep } from "../lib/deadline.ts";
import type { Logger } from "../observe/log.ts";
import type { Ports, Timer } from "../ports.ts";
import { kindOf, upstreamSpec } from "./specs.ts";

/** Running requests of a server whose address has left its name get so long. */
const GRACE_MILLISECONDS = 60_000;
/** First look-ups that fail are repeated this fast: a cluster's name may be a moment later than we are. */
const FIRST_MILLISECONDS = 500;
/** More addresses than this are no fleet but a mistake. */
const ADDRESS_LIMIT = 1024;

/** What it needs. */
export interface DiscoveryOptions {
  readonly ports: Pick<Ports, "clock" | "resolve" | "runtime">;
  readonly log: Logger;
  readonly config: Pick<Config, "upstream" | "upstreamKind" | "dnsInterval" | "upstreamWait">;
  readonly fleet: FleetManager;
  readonly makeEngine: (spec: EngineSpec) => Engine;
  readonly weightOf: (id: string, url: string | null) => number;
}

/** See the head of the file. */
export interface Discovery {
  /** What the names stand for at the start; waits for the first address as long as for a first upstream. */
  first(signal: AbortSignal): Promise<readonly EngineSpec[]>;
  /** The fleet has started with what `first` gave. */
  start(): void;
  stop(): void;
}

const NAME = /^dns:\/\/(.+):(\d+)$/;

/** True for an upstream that is a name and not a server. */
export const isName = (upstream: string): boolean => upstream.startsWith("dns://");

const toUrl = (address: string, port: string): string =>
  `http://${address.includes(":") ? `[${address}]` : address}:${port}`;

/** Creates it. Throws `unsupported` where the runtime cannot look names up. */
export function createDiscovery(options: DiscoveryOptions): Discovery {
  const { ports, log, config, fleet, makeEngine, weightOf } = options;
  const { clock, resolve } = ports;
  const names = config.upstream.filter(isName);
  if (names.length > 0 && resolve === undefined) {
    throw new GatewayError(
      "unsupported",
      `--upstream ${names[0]}: ${ports.runtime} cannot look names up. Give each server with --upstream http://HOST:PORT.`,
      { param: "upstream" },
    );
  }
  /** What each name stood for when that was last known. */
  const known = new Map<string, readonly string[]>();
  /** Servers that came from a name, and are not gone from it. A missing replica was detached by somebody: it stays away. */
  const owned = new Map<string, ReplicaId>();
  const life = new AbortController();
  let timer: Timer | null = null;

  /** A look-up that fails, or finds nobody, changes nothing: a name server that is away must not empty a fleet. */
  async function lookUp(name: string): Promise<void> {
    const [, host = "", port = ""] = NAME.exec(name) ?? [];
    try {
      const found = (await resolve?.(host.replace(/^\[|\]$/g, ""))) ?? [];
      const addresses = [...new Set(found)].sort().slice(0, ADDRESS_LIMIT);
      if (addresses.length === 0) throw new Error("it has no address");
      known.set(
        name,
        addresses.map((address) => toUrl(address, port)),
      );
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.warn("name cannot be looked up; its servers stay as they are", { upstream: name, reason });
    }
  }

  const all = async (): Promise<readonly string[]> => {
    await Promise.all(names.map(lookUp));
    return [...new Set(names.flatMap((name) => known.get(name) ?? []))];
  };

  const replicaAt = (url: string): ReplicaId | undefined =>
    fleet.replicas().find(({ engine }) => engine.url === url)?.id;

  function attach(url: string): void {
    const spec = upstreamSpec(config.upstreamKind, url);
    const id = fleet.nextId(kindOf(spec));
    owned.set(url, id);
    log.info("server found by its name", { replica: id, url });
    // One that does not answer yet is tried again by its probes.
    fleet.addReplica(id, makeEngine(spec), life.signal, weightOf(id, url)).catch((error: unknown) => {
      log.warn("server found by its name does not answer", { replica: id, reason: toGatewayError(error).message });
    });
  }

  function detach(url: string, id: ReplicaId): void {
    owned.delete(url);
    if (fleet.replica(id) === undefined) return;
    log.info("server has left its name", { replica: id, url });
    fleet.removeReplica(id, AbortSignal.any([life.signal, AbortSignal.timeout(GRACE_MILLISECONDS)])).catch((error) => {
      // A sync runs on it: at the next look.
      if (fleet.replica(id) !== undefined) owned.set(url, id);
      log.warn("server could not be detached", { replica: id, reason: toGatewayError(error).message });
    });
  }

  async function look(): Promise<void> {
    const urls = await all();
    if (life.signal.aborted) return;
    for (const url of urls) if (!owned.has(url) && replicaAt(url) === undefined) attach(url);
    for (const [url, id] of [...owned]) if (!urls.includes(url)) detach(url, id);
    again();
  }

  function again(): void {
    timer = clock.timer(config.dnsInterval * 1000, () => void look());
  }

  return {
    async first(signal) {
      if (names.length === 0) return [];
      const until = clock.monotonic() + config.upstreamWait * 1000;
      let urls = await all();
      while (urls.length === 0 && config.upstream.length === names.length && clock.monotonic() < until) {
        await sleep(clock, FIRST_MILLISECONDS, signal);
        urls = await all();
      }
      if (urls.length === 0 && config.upstream.length === names.length) {
        throw new GatewayError(
          "no_replica",
          `None of the names has an address: ${names.join(", ")}. Correct --upstream, or wait longer with --upstream-wait SECONDS.`,
        );
      }
      return urls.filter((url) => !config.upstream.includes(url)).map((url) => upstreamSpec(config.upstreamKind, url));
    },
    start() {
      if (names.length === 0) return;
      for (const url of names.flatMap((name) => known.get(name) ?? [])) {
        const id = replicaAt(url);
        if (id !== undefined && !config.upstream.includes(url)) owned.set(url, id);
      }
      again();
    },
    stop() {
      timer?.cancel();
      life.abort(new GatewayError("draining", "The gateway is shutting down."));
    },
  };
}
