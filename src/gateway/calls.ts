/**
 * What one call of a generation needs, whole or in parts: who can answer it, on which wishes, with which stamp, and
 * whether a failure was the replica's. Decides nothing about retries.
 */
import type { Engine } from "../engine/engine.ts";
import { GatewayError } from "../errors.ts";
import type { FleetRegistry, Lease, LeaseWishes } from "../fleet/types.ts";
import type { InboundCall, Stamp, Wire } from "../gateway-types.ts";
import type { Logger } from "../observe/log.ts";
import type { Exchange, ExchangeAnswer } from "../ports.ts";
import type { HedgeOptions } from "./hedge.ts";
import type { StreamWatch } from "./stream-watch.ts";

/** What a call is carried out with. */
export interface DispatchDependencies {
  readonly fleet: FleetRegistry;
  readonly log: Logger;
  readonly streams: StreamWatch;
  /** See `Exchange.toBody`. */
  readonly toBody: Exchange["toBody"] | undefined;
  /** The beginning of a call's prompt, where the policy wants it. */
  readonly prefixOf?: (call: Pick<InboundCall, "body" | "model">) => readonly number[] | undefined;
  /** Absent: no call is asked of two replicas. */
  readonly hedge?: HedgeOptions;
  /** Counts a moved call. */
  readonly onMoved: (replica: string) => void;
}

/** Replicas tried per call. Three: a fleet in which three in a row die has a trouble that another try only hides. */
export const ATTEMPT_LIMIT = 3;

/** Dialects that an engine's `forward` understands as they are. */
const SPOKEN: Readonly<Record<Engine["kind"], readonly Wire[]>> = {
  embedded: [],
  vllm: ["openai", "vllm"],
  trl: ["trl"],
};

/** True when this engine takes the bytes of that dialect as they are. */
export const canForward = (engine: Engine, wire: Wire): boolean =>
  engine.forward !== undefined && SPOKEN[engine.kind].includes(wire);

/** One function per dialect, made once: the fleet calls it for every replica of every request. */
export const CAN_FORWARD: Readonly<Record<Wire, (engine: Engine) => boolean>> = {
  openai: (engine) => canForward(engine, "openai"),
  trl: (engine) => canForward(engine, "trl"),
  vllm: (engine) => canForward(engine, "vllm"),
};
/** As `CAN_FORWARD`, with the engines that understand any dialect. */
export const CAN_ANSWER: typeof CAN_FORWARD = {
  openai: (engine) => engine.generate !== undefined || CAN_FORWARD.openai(engine),
  trl: (engine) => engine.generate !== undefined || CAN_FORWARD.trl(engine),
  vllm: (engine) => engine.generate !== undefined || CAN_FORWARD.vllm(engine),
};

/** The stamp of whatever a lease's replica answers. */
export const stampOf = (lease: Lease, call: Pick<InboundCall, "model">): Stamp => ({
  replica: lease.replica.id,
  model: call.model ?? lease.replica.info?.models[0]?.id ?? "",
  weightVersion: lease.replica.weightVersion ?? (0 as Stamp["weightVersion"]),
  weightDigest: lease.replica.weightDigest,
  ...(lease.adapterVersion === undefined ? {} : { adapterVersion: lease.adapterVersion }),
});

/** A failure of the replica, not of the request: another replica may do better. */
export const isReplicaFault = (error: GatewayError): boolean =>
  error.code === "replica_failed" || error.code === "upstream_failed" || error.code === "draining";

/** Routing wishes of a call as the fleet wants them. */
export function toLeaseWishes(
  call: Pick<InboundCall, "model" | "wishes" | "signal">,
  exclude: ReadonlySet<string>,
  accepts: (engine: Engine) => boolean,
  prefix?: readonly number[],
): LeaseWishes {
  const { wishes } = call;
  if (
    wishes.waitSeconds === 0 &&
    wishes.minVersion === undefined &&
    wishes.exactVersion === undefined &&
    wishes.maxLag === undefined &&
    wishes.sessionId === undefined &&
    prefix === undefined
  ) {
    return { model: call.model, waitMilliseconds: 0, exclude, accepts, signal: call.signal };
  }
  return {
    model: call.model,
    ...(wishes.minVersion === undefined ? {} : { minVersion: wishes.minVersion }),
    ...(wishes.exactVersion === undefined ? {} : { exactVersion: wishes.exactVersion }),
    ...(wishes.maxLag === undefined ? {} : { maxLag: wishes.maxLag }),
    ...(wishes.sessionId === undefined ? {} : { sessionId: wishes.sessionId }),
    ...(prefix === undefined ? {} : { prefix }),
    waitMilliseconds: wishes.waitSeconds * 1000,
    exclude,
    accepts,
    signal: call.signal,
  };
}

/** Hands the call's bytes to the replica. */
export function forwardOnce(
  lease: Lease,
  call: Omit<InboundCall, "toRequest" | "stream">,
): Promise<Response | ExchangeAnswer> {
  const { forward } = lease.replica.engine;
  if (forward === undefined) throw new GatewayError("internal", "A replica without HTTP was asked to forward.");
  const { method, target, headers, signal } = call;
  const body = method === "GET" || method === "HEAD" ? null : call.body;
  return forward({ method, target, headers, body }, { signal });
}

/** Nothing is excluded. */
export const NOTHING: ReadonlySet<string> = new Set();
