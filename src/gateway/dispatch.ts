/**
 * One generation call from lease to answer. Chooses a replica, hands the bytes on where the dialects agree, translates
 * where they do not, and moves the call to another replica while nothing of an answer has been given out.
 *
 * Why moving is safe: a generation has no effect besides its answer, so a call whose answer nobody has seen may run
 * again elsewhere. Once an event or a body byte has left, it may not.
 */
import type { GenerateEvent } from "../contract/generation.ts";
import type { Engine } from "../engine/engine.ts";
import { GatewayError, toGatewayError } from "../errors.ts";
import type { FleetRegistry, Lease, LeaseWishes } from "../fleet/types.ts";
import type { InboundCall, Outcome, Stamp, Wire } from "../gateway-types.ts";
import type { Logger } from "../observe/log.ts";
import type { Exchange, ExchangeAnswer } from "../ports.ts";
import { finishForward } from "./forward.ts";
import type { StreamWatch } from "./stream-watch.ts";

/** Replicas tried per call. Three: a fleet in which three in a row die has a trouble that another try only hides. */
const ATTEMPT_LIMIT = 3;

export interface DispatchDependencies {
  readonly fleet: FleetRegistry;
  readonly log: Logger;
  readonly streams: StreamWatch;
  /** See `Exchange.toBody`. */
  readonly toBody: Exchange["toBody"] | undefined;
  /** Counts a moved call. */
  readonly onMoved: (replica: string) => void;
}

/** Dialects that an engine's `forward` understands as they are. */
const SPOKEN: Readonly<Record<Engine["kind"], readonly Wire[]>> = {
  embedded: [],
  vllm: ["openai", "vllm"],
  trl: ["trl"],
};

const canForward = (engine: Engine, wire: Wire): boolean =>
  engine.forward !== undefined && SPOKEN[engine.kind].includes(wire);

/** One function per dialect, made once: the fleet calls it for every replica of every request. */
const CAN_FORWARD: Readonly<Record<Wire, (engine: Engine) => boolean>> = {
  openai: (engine) => canForward(engine, "openai"),
  trl: (engine) => canForward(engine, "trl"),
  vllm: (engine) => canForward(engine, "vllm"),
};
const CAN_ANSWER: typeof CAN_FORWARD = {
  openai: (engine) => engine.generate !== undefined || CAN_FORWARD.openai(engine),
  trl: (engine) => engine.generate !== undefined || CAN_FORWARD.trl(engine),
  vllm: (engine) => engine.generate !== undefined || CAN_FORWARD.vllm(engine),
};

const stampOf = (lease: Lease, call: Pick<InboundCall, "model">): Stamp => ({
  replica: lease.replica.id,
  model: call.model ?? lease.replica.info?.models[0]?.id ?? "",
  weightVersion: lease.replica.weightVersion ?? (0 as Stamp["weightVersion"]),
  weightDigest: lease.replica.weightDigest,
});

/** A failure of the replica, not of the request: another replica may do better. */
const isReplicaFault = (error: GatewayError): boolean =>
  error.code === "replica_failed" || error.code === "upstream_failed" || error.code === "draining";

/** Routing wishes of a call as the fleet wants them. */
function toLeaseWishes(
  call: Pick<InboundCall, "model" | "wishes" | "signal">,
  exclude: ReadonlySet<string>,
  accepts: (engine: Engine) => boolean,
): LeaseWishes {
  const { wishes } = call;
  if (
    wishes.waitSeconds === 0 &&
    wishes.minVersion === undefined &&
    wishes.exactVersion === undefined &&
    wishes.maxLag === undefined &&
    wishes.sessionId === undefined
  ) {
    return { model: call.model, waitMilliseconds: 0, exclude, accepts, signal: call.signal };
  }
  return {
    model: call.model,
    ...(wishes.minVersion === undefined ? {} : { minVersion: wishes.minVersion }),
    ...(wishes.exactVersion === undefined ? {} : { exactVersion: wishes.exactVersion }),
    ...(wishes.maxLag === undefined ? {} : { maxLag: wishes.maxLag }),
    ...(wishes.sessionId === undefined ? {} : { sessionId: wishes.sessionId }),
    waitMilliseconds: wishes.waitSeconds * 1000,
    exclude,
    accepts,
    signal: call.signal,
  };
}

function forwardOnce(
  lease: Lease,
  call: Omit<InboundCall, "toRequest" | "stream">,
): Promise<Response | ExchangeAnswer> {
  const { forward } = lease.replica.engine;
  if (forward === undefined) throw new GatewayError("internal", "A replica without HTTP was asked to forward.");
  const { method, target, headers, signal } = call;
  const body = method === "GET" || method === "HEAD" ? null : call.body;
  return forward({ method, target, headers, body }, { signal });
}

async function* replay(events: readonly GenerateEvent[]): AsyncGenerator<GenerateEvent> {
  yield* events;
}

/** Events already read, then the live rest; the lease ends with the iteration, whichever way that ends. */
async function* continueWith(
  head: readonly GenerateEvent[],
  rest: AsyncIterator<GenerateEvent>,
  lease: Lease,
): AsyncGenerator<GenerateEvent> {
  let outcome: "ok" | "failed" = "ok";
  try {
    yield* head;
    for (;;) {
      const next = await rest.next();
      if (next.done === true) return;
      yield next.value;
    }
  } catch (error) {
    if (isReplicaFault(toGatewayError(error))) outcome = "failed";
    throw error;
  } finally {
    lease.release(outcome);
    await rest.return?.();
  }
}

async function generateOnce(lease: Lease, call: InboundCall): Promise<Outcome> {
  const generate = lease.replica.engine.generate;
  if (generate === undefined) {
    throw new GatewayError("unsupported", `Replica ${lease.replica.id} cannot answer this dialect.`, {
      replica: lease.replica.id,
    });
  }
  const iterator = generate(call.toRequest(), { signal: call.signal })[Symbol.asyncIterator]();
  const seen: GenerateEvent[] = [];
  let stamp = stampOf(lease, call);
  for (;;) {
    const next = await iterator.next();
    if (next.done === true) break;
    if (next.value.type === "start") {
      stamp = { ...stamp, weightVersion: next.value.weightVersion, weightDigest: next.value.weightDigest };
      continue;
    }
    seen.push(next.value);
    // A stream may leave with its first visible piece; until then it can still be moved.
    const visible = next.value.type === "delta" || next.value.type === "finish";
    if (call.stream && visible) return { kind: "generated", events: continueWith(seen, iterator, lease), stamp };
  }
  lease.release("ok");
  return { kind: "generated", events: replay(seen), stamp };
}

/** See `Gateway.generation.dispatch`. Throws GatewayError. */
export function dispatch(call: InboundCall, dependencies: DispatchDependencies): Promise<Outcome> {
  return attempt(call, dependencies, CAN_ANSWER[call.wire], (lease) => generateOnce(lease, call));
}

/** See `Gateway.generation.forwardAny`. */
export async function forwardAny(
  call: Omit<InboundCall, "toRequest" | "stream">,
  dependencies: DispatchDependencies,
): Promise<Outcome | undefined> {
  const accepts = CAN_FORWARD[call.wire];
  if (!dependencies.fleet.replicas().some((replica) => accepts(replica.engine))) return undefined;
  return attempt(call, dependencies, accepts, undefined);
}

/** One async function for the whole forwarded call: each further one costs every request a microsecond or two. */
async function attempt(
  call: Omit<InboundCall, "toRequest" | "stream">,
  { fleet, log, streams, toBody, onMoved }: DispatchDependencies,
  accepts: (engine: Engine) => boolean,
  generate: ((lease: Lease) => Promise<Outcome>) | undefined,
): Promise<Outcome> {
  let exclude: Set<string> | undefined;
  for (let tries = 1; ; tries += 1) {
    const wishes = toLeaseWishes(call, exclude ?? NOTHING, accepts);
    const lease = fleet.acquireNow(wishes) ?? (await fleet.acquire(wishes));
    try {
      if (generate !== undefined && !canForward(lease.replica.engine, call.wire)) return await generate(lease);
      const stamp = stampOf(lease, call);
      const answer = await forwardOnce(lease, call);
      const response = finishForward(answer, { lease, signal: call.signal, streams, toBody });
      return { kind: "forwarded", response: response instanceof Promise ? await response : response, stamp };
    } catch (thrown) {
      const error = toGatewayError(thrown);
      const fault = isReplicaFault(error);
      lease.release(fault ? "failed" : "ok");
      if (call.signal.aborted) throw toGatewayError(call.signal.reason);
      if (!fault || tries >= ATTEMPT_LIMIT) throw error;
      log.warn("request moved to another replica", {
        request_id: call.requestId,
        replica: lease.replica.id,
        reason: error.message,
      });
      onMoved(lease.replica.id);
      exclude = (exclude ?? new Set<string>()).add(lease.replica.id);
      // All tried: the first may have been restarted by now, so everyone is asked again.
      if (fleet.replicas().every((replica) => exclude?.has(replica.id))) exclude.clear();
    }
  }
}

const NOTHING: ReadonlySet<string> = new Set();
