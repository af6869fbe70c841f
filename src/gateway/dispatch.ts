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
import type { Lease } from "../fleet/types.ts";
import type { InboundCall, Outcome } from "../gateway-types.ts";
import { dispatchBatch } from "./batch/dispatch.ts";
import {
  ATTEMPT_LIMIT,
  CAN_ANSWER,
  CAN_FORWARD,
  canForward,
  type DispatchDependencies,
  forwardOnce,
  isReplicaFault,
  NOTHING,
  stampOf,
  toLeaseWishes,
} from "./calls.ts";
import { finishForward } from "./forward.ts";
import { canHedge, hedge } from "./hedge.ts";
import { toLastLine, toSpan } from "./span.ts";

export type { DispatchDependencies } from "./calls.ts";

async function* replay(events: readonly GenerateEvent[]): AsyncGenerator<GenerateEvent> {
  yield* events;
}

/**
 * Events already read, then the live rest. The lease ends with the iteration, whichever way that ends, or with the call:
 * a client that leaves before the head of its answer makes runtimes drop a stream that nobody ever read. Not a generator
 * for the same reason: giving back one that has not begun runs none of its code.
 */
function continueWith(
  head: readonly GenerateEvent[],
  rest: AsyncIterator<GenerateEvent>,
  lease: Lease,
  signal: AbortSignal,
): AsyncIterableIterator<GenerateEvent> {
  let given = 0;
  const end = (outcome: "ok" | "failed"): void => {
    signal.removeEventListener("abort", onAbort);
    lease.release(outcome);
  };
  const onAbort = (): void => {
    end("ok");
    void rest.return?.().catch(() => undefined);
  };
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      const seen = head[given];
      if (seen !== undefined) {
        given += 1;
        return { done: false, value: seen };
      }
      try {
        const next = await rest.next();
        if (next.done === true) end("ok");
        return next;
      } catch (error) {
        end(isReplicaFault(toGatewayError(error)) ? "failed" : "ok");
        throw error;
      }
    },
    async return() {
      end("ok");
      await rest.return?.();
      return { done: true, value: undefined };
    },
  };
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
    if (call.stream && visible)
      return { kind: "generated", events: continueWith(seen, iterator, lease, call.signal), stamp };
  }
  lease.release("ok");
  return { kind: "generated", events: replay(seen), stamp };
}

/** See `Gateway.generation.dispatch`. Throws GatewayError. */
export function dispatch(call: InboundCall, dependencies: DispatchDependencies): Promise<Outcome> {
  if (call.batch !== undefined) {
    const shared = dispatchBatch(call, call.batch, dependencies);
    if (shared !== undefined) return shared;
  }
  const accepts = CAN_ANSWER[call.wire];
  const { hedge: hedging, fleet } = dependencies;
  if (hedging === undefined || !canHedge(call)) {
    return attempt(call, dependencies, accepts, (lease) => generateOnce(lease, call));
  }
  return hedge(
    call,
    hedging,
    (own, onLease) => attempt(own, dependencies, accepts, (lease) => generateOnce(lease, own), onLease),
    ({ replica }) => {
      const { id, weightVersion } = replica;
      if (weightVersion === null) return undefined;
      const wishes = toLeaseWishes(call, new Set([id]), accepts);
      return fleet.acquireNow({ ...wishes, exactVersion: weightVersion, onlyAdmitted: true });
    },
    (own, lease) => answerOn(lease, own, dependencies),
  );
}

/** The call on one lease, once. */
async function answerOn(
  lease: Lease,
  call: InboundCall,
  { streams, toBody }: Pick<DispatchDependencies, "streams" | "toBody">,
): Promise<Outcome> {
  try {
    if (!canForward(lease.replica.engine, call.wire)) return await generateOnce(lease, call);
    const stamp = stampOf(lease, call);
    const response = await finishForward(await forwardOnce(lease, call), {
      lease,
      signal: call.signal,
      streams,
      toBody,
    });
    if (lease.replica.weightVersion === stamp.weightVersion) return { kind: "forwarded", response, stamp };
    return { kind: "forwarded", response, stamp, span: toSpan(stamp, lease.replica, response) };
  } catch (thrown) {
    const error = toGatewayError(thrown);
    lease.release(isReplicaFault(error) && !call.signal.aborted ? "failed" : "ok");
    throw error;
  }
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
  { fleet, log, streams, toBody, prefixOf, onMoved }: DispatchDependencies,
  accepts: (engine: Engine) => boolean,
  generate: ((lease: Lease) => Promise<Outcome>) | undefined,
  onLease?: (lease: Lease) => void,
): Promise<Outcome> {
  let exclude: Set<string> | undefined;
  const prefix = prefixOf?.(call);
  for (let tries = 1; ; tries += 1) {
    const wishes = toLeaseWishes(call, exclude ?? NOTHING, accepts, prefix);
    const lease = fleet.acquireNow(wishes) ?? (await fleet.acquire(wishes));
    onLease?.(lease);
    try {
      if (generate !== undefined && !canForward(lease.replica.engine, call.wire)) return await generate(lease);
      const stamp = stampOf(lease, call);
      const answer = await forwardOnce(lease, call);
      const lastLine = () => toLastLine(stamp, lease.replica);
      const finished = finishForward(answer, { lease, signal: call.signal, streams, toBody, lastLine });
      const response = finished instanceof Promise ? await finished : finished;
      const last = lease.replica.weightVersion;
      if (last === stamp.weightVersion) return { kind: "forwarded", response, stamp };
      return { kind: "forwarded", response, stamp, span: toSpan(stamp, lease.replica, response) };
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
