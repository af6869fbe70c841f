/** Starts the first replicas and decides whether that is a fleet: all embedded ones, and of the upstreams at least one. */
import type { Engine, EngineSpec } from "../engine/engine.ts";
import { GatewayError } from "../errors.ts";
import type { FleetManager } from "../fleet/fleet.ts";
import type { Clock } from "../ports.ts";
import { kindOf } from "./specs.ts";

export interface StartOptions {
  readonly fleet: FleetManager;
  readonly clock: Clock;
  readonly specs: readonly EngineSpec[];
  readonly makeEngine: (spec: EngineSpec) => Engine;
  /** Its share under the policy `weighted`. */
  readonly weightOf: (id: string, url: string | null) => number;
  /** How long an upstream may stay away before the start counts as failed. */
  readonly upstreamWaitMilliseconds: number;
  readonly signal: AbortSignal;
}

/** Resolves when some replica of the fleet is ready, with false when time or signal ended first. */
function someReady(fleet: FleetManager, clock: Clock, milliseconds: number, signal: AbortSignal): Promise<boolean> {
  // One that an earlier gateway left fenced is there: whoever refits it must find a gateway that runs.
  const ready = (): boolean =>
    fleet.replicas().some(({ state, info }) => state === "ready" || (state === "quarantined" && info !== null));
  if (ready() || signal.aborted) return Promise.resolve(ready());
  return new Promise((resolve) => {
    const settle = (): void => {
      unsubscribe();
      timer.cancel();
      signal.removeEventListener("abort", settle);
      resolve(ready());
    };
    const unsubscribe = fleet.subscribe(() => {
      if (ready()) settle();
    });
    const timer = clock.timer(milliseconds, settle);
    signal.addEventListener("abort", settle, { once: true });
  });
}

/** Throws GatewayError: what an embedded replica said, or why no upstream can be used. */
export async function startReplicas({
  fleet,
  clock,
  specs,
  makeEngine,
  weightOf,
  upstreamWaitMilliseconds,
  signal,
}: StartOptions): Promise<void> {
  const attach = (spec: EngineSpec): Promise<unknown> => {
    const id = fleet.nextId(kindOf(spec));
    const engine = makeEngine(spec);
    return fleet.addReplica(id, engine, signal, weightOf(id, engine.url));
  };
  const embedded = specs.filter((spec) => spec.kind === "embedded").map(attach);
  const upstreams = Promise.allSettled(specs.filter((spec) => spec.kind !== "embedded").map(attach));
  await Promise.all(embedded);
  const digests = new Set(
    fleet.replicas().flatMap(({ engine, weightDigest }) => (engine.kind === "embedded" ? [weightDigest] : [])),
  );
  if (digests.size > 1) {
    throw new GatewayError(
      "weights_digest_mismatch",
      "The embedded replicas loaded different weights from one directory; was it being written?",
    );
  }
  const [digest] = digests;
  // A later version is known from the store, with its digest; replicas that could not load it have other weights.
  if (digest !== undefined && fleet.published().version === 0) fleet.publish(fleet.published().version, digest);
  // An upstream that is away is tried again at every probe; waiting for one that answers is enough.
  const waited = someReady(fleet, clock, upstreamWaitMilliseconds, signal);
  const results = await Promise.race([upstreams, waited]);
  if (results === true || (await waited)) return;
  signal.throwIfAborted();
  const failed = fleet
    .replicas()
    .map(({ id, engine, lastError }) => `${id} (${engine.url ?? "worker"}): ${lastError ?? "no answer"}`);
  throw new GatewayError(
    "no_replica",
    `None of the ${specs.length} replicas can serve: ${failed.join("; ")}. Start a server there, correct --upstream, or wait longer with --upstream-wait SECONDS.`,
  );
}
