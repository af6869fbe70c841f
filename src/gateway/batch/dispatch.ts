/**
 * A batch of prompts shared out over replicas: contiguous slices, one per replica, all of one weight version, and one
 * answer in the order of the prompts. A slice whose replica fails runs again on another one of that version; when the
 * version itself is gone (a weight sync came between), the whole batch begins again with the new one.
 *
 * No lease is held while another is waited for: a sync that lets running generations end can always go on.
 */
import type { WeightVersion } from "../../contract/ids.ts";
import type { Engine } from "../../engine/engine.ts";
import { GatewayError, toGatewayError } from "../../errors.ts";
import type { FleetRegistry, Lease } from "../../fleet/types.ts";
import type { InboundBatch, InboundCall, Outcome, Stamp } from "../../gateway-types.ts";
import {
  ATTEMPT_LIMIT,
  CAN_FORWARD,
  type DispatchDependencies,
  isReplicaFault,
  NOTHING,
  stampOf,
  toLeaseWishes,
} from "../calls.ts";
import { openBody, type Slice, toSlices } from "./slices.ts";
import {
  type BatchWay,
  createForwardWay,
  createGenerateWay,
  type DonePart,
  nameSlice,
  Refused,
  type Span,
} from "./ways.ts";

/** Times a batch begins again because its weight version is gone; a trainer syncs between batches, not three times in one. */
const ROUND_LIMIT = 3;

/** The batch's weight version is served nowhere any more. */
class VersionGone extends Error {}

const several = (fleet: FleetRegistry, accepts: (engine: Engine) => boolean): boolean => {
  let found = 0;
  for (const { state, engine } of fleet.replicas()) if (state === "ready" && accepts(engine)) found += 1;
  return found > 1;
};

/** undefined where the batch is better answered whole: no second replica for it, or a session that stays where it is. */
export function dispatchBatch(
  call: InboundCall,
  batch: InboundBatch,
  dependencies: DispatchDependencies,
): Promise<Outcome> | undefined {
  const { fleet } = dependencies;
  if (call.stream || call.wishes.sessionId !== undefined) return undefined;
  const body = openBody(call.body, batch.lists);
  if (body === undefined) return undefined;
  if (batch.merge !== null && several(fleet, CAN_FORWARD[call.wire])) {
    return run(createForwardWay(call, batch, body, dependencies), call, dependencies);
  }
  if (!several(fleet, ({ generate }) => generate !== undefined)) return undefined;
  // Parsed inside of the promise: what a caller did wrong rejects, and is thrown by nobody.
  return Promise.resolve().then(() => run(createGenerateWay(call), call, dependencies));
}

async function run<T>(way: BatchWay<T>, call: InboundCall, dependencies: DispatchDependencies): Promise<Outcome> {
  const { log } = dependencies;
  for (let round = 1; ; round += 1) {
    const leases = await takeLeases(way, call, dependencies.fleet);
    const version = leases[0]?.replica.weightVersion as WeightVersion;
    try {
      const parts = await runAll(way, leases, version, call, dependencies);
      const span = parts.map((part) => part.span).reduce(widen);
      const [{ lease: first }] = parts as [DonePart<T>];
      if (parts.some(({ lease }) => lease.adapterVersion !== first.adapterVersion)) throw new VersionGone();
      return way.merge(parts, toStamp(parts, version, call), span);
    } catch (thrown) {
      if (thrown instanceof Refused) {
        const stamp = toStamp(
          leases.map((lease) => ({ lease })),
          version,
          call,
        );
        return { kind: "forwarded", response: thrown.response, stamp };
      }
      if (!(thrown instanceof VersionGone)) throw thrown;
      if (round >= ROUND_LIMIT) {
        throw new GatewayError(
          "version_unavailable",
          `A weight sync came between ${ROUND_LIMIT} times: the prompts of one call are answered by one weight version. Send the call again, or fewer prompts in one.`,
          { retryAfter: 1 },
        );
      }
      log.info("batch begins again with the new weights", { request_id: call.requestId, weight_version: version });
    }
  }
}

const widen = (one: Span, other: Span): Span => ({
  first: one.first < other.first ? one.first : other.first,
  last: one.last > other.last ? one.last : other.last,
});

function toStamp(parts: readonly { readonly lease: Lease }[], version: WeightVersion, call: InboundCall): Stamp {
  const [first] = parts as readonly [{ readonly lease: Lease }];
  const replicas = new Set(parts.map(({ lease }) => lease.replica.id));
  return { ...stampOf(first.lease, call), replica: [...replicas].join(","), weightVersion: version };
}

/** One lease as any call gets it, and with it the version; then one on each other replica that has it and is free to take one. */
async function takeLeases<T>(way: BatchWay<T>, call: InboundCall, fleet: FleetRegistry): Promise<Lease[]> {
  const wishes = toLeaseWishes(call, NOTHING, way.accepts);
  const first = fleet.acquireNow(wishes) ?? (await fleet.acquire(wishes));
  const leases = [first];
  const version = first.replica.weightVersion;
  if (version === null) return leases;
  const taken = new Set<string>([first.replica.id]);
  while (leases.length < way.prompts) {
    const next = fleet.acquireNow({ ...wishes, exactVersion: version, exclude: taken, onlyAdmitted: true });
    if (next === undefined) break;
    taken.add(next.replica.id);
    leases.push(next);
  }
  return leases;
}

/** All slices at once. The first failure ends the others, and is thrown when they have ended. */
async function runAll<T>(
  way: BatchWay<T>,
  leases: readonly Lease[],
  version: WeightVersion,
  call: InboundCall,
  dependencies: DispatchDependencies,
): Promise<DonePart<T>[]> {
  const group = new AbortController();
  const onAbort = (): void => group.abort(call.signal.reason);
  call.signal.addEventListener("abort", onAbort, { once: true });
  if (call.signal.aborted) onAbort();
  let failure: { readonly thrown: unknown } | undefined;
  const slices = toSlices(way.prompts, leases.length);
  const runs = leases.map(async (lease, index) => {
    const slice = slices[index] as Slice;
    try {
      return await runPart(way, slice, lease, version, { ...call, signal: group.signal }, dependencies);
    } catch (thrown) {
      failure ??= { thrown };
      group.abort(thrown);
      return undefined;
    }
  });
  const parts = await Promise.all(runs);
  call.signal.removeEventListener("abort", onAbort);
  if (call.signal.aborted) throw toGatewayError(call.signal.reason);
  if (failure !== undefined) throw failure.thrown;
  return parts.filter((part) => part !== undefined);
}

async function runPart<T>(
  way: BatchWay<T>,
  slice: Slice,
  first: Lease,
  version: WeightVersion,
  call: InboundCall,
  { fleet, log, onMoved }: DispatchDependencies,
): Promise<DonePart<T>> {
  const tried = new Set<string>();
  let lease = first;
  for (let tries = 1; ; tries += 1) {
    try {
      return { slice, lease, ...(await way.run(lease, slice, call.signal)) };
    } catch (thrown) {
      if (thrown instanceof Refused) throw thrown;
      const error = toGatewayError(thrown);
      const fault = isReplicaFault(error) && !call.signal.aborted;
      lease.release(fault ? "failed" : "ok");
      if (call.signal.aborted) throw call.signal.reason;
      const { id } = lease.replica;
      if (!fault || tries >= ATTEMPT_LIMIT) throw named(error, slice, way.prompts, id);
      log.warn("prompts moved to another replica", {
        request_id: call.requestId,
        replica: id,
        prompts: slice.count,
        reason: error.message,
      });
      onMoved(id);
      tried.add(id);
    }
    try {
      lease = await again(way, version, tried, call, fleet);
    } catch (thrown) {
      if (thrown instanceof VersionGone || call.signal.aborted) throw thrown;
      throw named(toGatewayError(thrown), slice, way.prompts, `${lease.replica.id} that failed`);
    }
  }
}

/** Another replica of that very version. Throws `VersionGone` where a sync has left none. */
async function again<T>(
  way: BatchWay<T>,
  version: WeightVersion,
  tried: ReadonlySet<string>,
  call: InboundCall,
  fleet: FleetRegistry,
): Promise<Lease> {
  const { signal, model } = call;
  try {
    return await fleet.acquire({
      model,
      exactVersion: version,
      waitMilliseconds: 0,
      exclude: tried,
      accepts: way.accepts,
      signal,
    });
  } catch (thrown) {
    const error = toGatewayError(thrown);
    if (error.code === "version_unavailable" && call.wishes.exactVersion === undefined) throw new VersionGone();
    throw error;
  }
}

/** The failure with the slice and the replica in it. */
function named(error: GatewayError, slice: Slice, prompts: number, replica: string): GatewayError {
  const message = `${error.message.replace(/\.$/, "")} (${nameSlice(slice, prompts, replica)}).`;
  return new GatewayError(error.code, message, { replica, ...error.details, cause: error });
}
