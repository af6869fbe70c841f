/**
 * TRL's communicator routes (0.16 to 1.10) over the fleet: handed on to one `trl vllm-serve` as they are, or taken by the
 * bridge in front of native vLLM servers. A failure on the way is never 500, 502 or 503: trainers repeat those blindly.
 */
import type { WeightVersion } from "../contract/ids.ts";
import { GatewayError, toGatewayError } from "../errors.ts";
import type { FleetRegistry, Replica } from "../fleet/types.ts";
import type { Gateway, LegacyCall } from "../gateway-types.ts";
import type { Logger } from "../observe/log.ts";
import type { Bridge } from "../sync/bridge/types.ts";
import { toPlainResponse } from "./forward.ts";

/** What it needs. */
export interface LegacyOptions {
  readonly fleet: FleetRegistry;
  readonly log: Logger;
  /** undefined where there are no processes. */
  readonly bridge: Bridge | undefined;
  /** Where trainers find a rendezvous of this machine; undefined: where they find the gateway. */
  readonly host: string | undefined;
  readonly timeoutMilliseconds: number;
}

const isLoopback = (host: string): boolean => host === "localhost" || host === "[::1]" || /^127\./.test(host);

const isUp = ({ state }: Replica): boolean => state !== "stopped";

/** Longest piece of an upstream's own words that is repeated. */
const SHOWN_LIMIT = 500;

/** Creates the part of the gateway. */
export function createLegacy({ fleet, log, bridge, host, timeoutMilliseconds }: LegacyOptions): Gateway["legacy"] {
  /** Tensors went to the upstream since its last publication. */
  let passed = false;

  const members = (): Replica[] => fleet.replicas().filter(isUp);

  /** The one `trl vllm-serve`, where the fleet is nothing else. */
  function passThrough(): Replica | undefined {
    const [first, ...others] = members();
    return first?.engine.kind === "trl" && others.length === 0 ? first : undefined;
  }

  const isBridged = (): boolean => {
    const all = members();
    return bridge !== undefined && all.length > 0 && all.every(({ engine }) => engine.kind === "vllm");
  };

  async function handOn({ id, engine }: Replica, { path, headers, body, signal }: LegacyCall): Promise<Response> {
    if (engine.forward === undefined) throw new GatewayError("conflict", `${id} is not up yet.`, { replica: id });
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMilliseconds)]);
    try {
      const response = toPlainResponse(
        await engine.forward({ method: "POST", target: path, headers, body }, { signal: limit }),
      );
      if (response.status < 500) return response;
      const text = (await response.text()).slice(0, SHOWN_LIMIT);
      const message = `${id} answered ${response.status} to POST ${path}: ${text}`;
      throw new GatewayError("replica_failed", message, { replica: id, upstream: text });
    } catch (thrown) {
      if (signal.aborted) throw signal.reason;
      const error = toGatewayError(thrown);
      if (error.status < 500) throw error;
      throw new GatewayError("replica_failed", `${id}, POST ${path}: ${error.message}`, { replica: id, cause: thrown });
    }
  }

  function refuse(path: string): never {
    const all = members();
    const kinds = new Set(all.map(({ engine }) => engine.kind));
    if (all.length === 0)
      throw new GatewayError("conflict", `POST ${path}: the fleet is empty; attach a server first.`);
    if (kinds.has("trl")) {
      const who = all.map(({ id, engine }) => `${id} (${engine.kind})`).join(", ");
      const mend = "A `trl vllm-serve` takes a trainer's tensors only alone: attach one, or native vLLM servers.";
      throw new GatewayError("conflict", `POST ${path} cannot reach ${who} as one. ${mend}`);
    }
    const initial = path.startsWith("/init_communicator");
    throw new GatewayError(
      initial ? "unsupported" : "conflict",
      `POST ${path} needs an NCCL group, and the replicas here have none: embedded replicas take weights over HTTP. ` +
        "Use POST /api/weight-syncs (or `tidegate sync DIR`) instead.",
    );
  }

  return {
    worldSize() {
      if (isBridged()) return bridge!.worldSize;
      return members().reduce((sum, { info }) => sum + (info?.worldSize ?? 0), 0);
    },
    rendezvousHost(asked) {
      const upstream = passThrough();
      if (upstream === undefined) return isBridged() ? (host ?? null) : null;
      const { hostname } = new URL(upstream.engine.url ?? "http://localhost");
      // A server beside the gateway is found where the trainer found the gateway.
      return isLoopback(hostname) ? asked : hostname.replace(/^\[|\]$/g, "");
    },
    async init(request, call) {
      const upstream = passThrough();
      if (upstream !== undefined) return await handOn(upstream, call);
      if (!isBridged()) return refuse(call.path);
      await bridge!.init({ host: request.host, port: request.port, worldSize: request.world_size }, call);
      return null;
    },
    async update(tensors, batch, call) {
      const upstream = passThrough();
      if (upstream !== undefined) {
        const response = await handOn(upstream, call);
        if (response.ok) passed = true;
        return response;
      }
      if (!isBridged()) return refuse(call.path);
      await bridge!.update(tensors, batch, call);
      return null;
    },
    async close(call) {
      const upstream = passThrough();
      if (upstream !== undefined) return await handOn(upstream, call);
      await bridge?.close();
      return null;
    },
    async finish(call) {
      if (bridge?.open === true) await bridge.finish(call, call.signal);
    },
    finished() {
      const upstream = passThrough();
      if (!passed || upstream === undefined) return;
      passed = false;
      // The server said that its prefix cache is empty: for a legacy trainer that is the end of an update.
      const version = (fleet.published().version + 1) as WeightVersion;
      fleet.setWeights(upstream.id, version, null);
      fleet.publish(version, null);
      log.info("a trainer's update passed through", { replica: upstream.id, weight_version: version });
    },
  };
}
