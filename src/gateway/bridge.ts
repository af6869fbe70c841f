/** Wires the bridge for legacy trainers to what the gateway has; undefined where there are no processes. */
import type { Config } from "../config.ts";
import type { FleetRegistry } from "../fleet/types.ts";
import type { Logger } from "../observe/log.ts";
import type { Ports } from "../ports.ts";
import { createBridge } from "../sync/bridge/bridge.ts";
import type { Bridge, BridgeServers } from "../sync/bridge/types.ts";

/** What there is. */
export interface BridgeWiring {
  readonly ports: Pick<Ports, "spawn" | "clock">;
  readonly log: Logger;
  readonly config: Pick<Config, "ncclHost" | "ncclLibrary" | "cudartLibrary" | "trainerTimeout">;
  readonly fleet: FleetRegistry;
  readonly servers: BridgeServers;
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { "http:": 80, "https:": 443 };

/** Where a server is connected to. */
export function toReach(url: string): { host: string; port: number } {
  const { hostname, port, protocol } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) || (DEFAULT_PORTS[protocol] ?? 80) };
}

/** Some server of the fleet, to learn the address by which this machine reaches them. */
function reach(fleet: FleetRegistry): { host: string; port: number } | null {
  const url = fleet.replicas().find(({ engine }) => engine.url !== null)?.engine.url;
  return url === undefined || url === null ? null : toReach(url);
}

/** Creates it; no process runs before a trainer opens its communicator. */
export function wireBridge({ ports, log, config, fleet, servers }: BridgeWiring): Bridge | undefined {
  const { spawn, clock } = ports;
  if (spawn === undefined) return undefined;
  return createBridge({
    servers,
    spawn,
    clock,
    log,
    host: config.ncclHost,
    reach: () => reach(fleet),
    libraries: { nccl: config.ncclLibrary ?? null, cudart: config.cudartLibrary ?? null },
    timeoutMilliseconds: config.trainerTimeout * 1000,
  });
}
