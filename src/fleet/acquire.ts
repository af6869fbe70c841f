/**
 * From wishes to a lease: at once where a replica can take the request, else a wait that a change of the fleet ends.
 * The immediate case is the hot path of every request and allocates one lease and one promise.
 */
import { GatewayError } from "../errors.ts";
import type { Clock, Timer } from "../ports.ts";
import type { AdapterTable } from "./adapters.ts";
import type { Choose } from "./choose.ts";
import { hasVersionWishes, isFresh, versionUnavailable } from "./freshness.ts";
import type { ReplicaRecord } from "./replica.ts";
import type { FleetFacts, Lease, LeaseWishes } from "./types.ts";

/** How long a request waits for a replica that is starting or switching weights; a worker restarts in seconds. */
const RECOVERY_WAIT_MS = 30_000;
/** As long a request waits when this gateway has not heard from the others: a store that blinks is back by then. */
const UNHEARD_WAIT_MS = 1000;
/** Waiting requests at most: beyond that the fleet has been away for long, and each waiter costs memory. */
const WAITER_LIMIT = 50_000;

/** What the fleet lets the acquirer see. */
export interface AcquireContext {
  readonly clock: Clock;
  readonly choose: Choose;
  readonly replicas: readonly ReplicaRecord[];
  published(): FleetFacts;
  gateClosed(): boolean;
  stopped(): boolean;
  readonly adapters: Pick<AdapterTable, "serves" | "isHeld" | "list" | "get">;
  /** See `FleetDependencies.unheard`. */
  unheard(): string | null;
  lease(replica: ReplicaRecord, model: string | undefined): Lease;
}

/** Leases, and those who wait for one. */
export interface Acquirer {
  acquire(wishes: LeaseWishes): Promise<Lease>;
  acquireNow(wishes: LeaseWishes): Lease | undefined;
  /** Looks at every waiter again: something changed. */
  wake(): void;
  readonly waiting: number;
}

/** Not now: until when it is worth waiting (monotonic milliseconds), and what to say then. */
interface Later {
  readonly until: number;
  readonly error: () => GatewayError;
}

interface Waiter {
  readonly wishes: LeaseWishes;
  readonly since: number;
  /** When it first waited for a recovery; time behind a closed gate does not count. */
  recoveringSince: number | null;
  timer: Timer | null;
  settle(lease: Lease | undefined, error?: unknown): void;
}

function modelNotFound(
  replicas: readonly ReplicaRecord[],
  adapters: readonly { readonly name: string }[],
  model: string,
): GatewayError {
  const known = [
    ...new Set([...replicas.flatMap((replica) => [...replica.models]), ...adapters.map(({ name }) => name)]),
  ];
  return new GatewayError(
    "model_not_found",
    `The model \`${model}\` does not exist. Valid aliases: ${known.join(", ")}.`,
    {
      param: "model",
    },
  );
}

function noReplica(context: AcquireContext, wishes: LeaseWishes): GatewayError {
  const { replicas, adapters } = context;
  const published = context.published();
  const adapter = wishes.model === undefined ? undefined : adapters.get(wishes.model);
  const reasons = replicas.map((replica) => {
    const stale = `has weights ${replica.weightVersion ?? "unknown"}, published are ${published.version}`;
    const lacking =
      adapter !== undefined && !adapters.serves(replica, adapter.name)
        ? `does not hold version ${adapter.version} of the adapter ${adapter.name} yet`
        : undefined;
    const fits = adapters.serves(replica, wishes.model ?? "") || wishes.model === undefined;
    const takes = fits && (wishes.accepts === undefined || wishes.accepts(replica.engine));
    return `${replica.id}: ${replica.reason ?? lacking ?? (takes ? stale : "cannot take this kind of request")}`;
  });
  const why = reasons.length === 0 ? "The fleet is empty" : reasons.join("; ");
  return new GatewayError("no_replica", `No replica can take this request. ${why}.`, { retryAfter: 1 });
}

/** Creates the acquirer. */
export function createAcquirer(context: AcquireContext): Acquirer {
  const { clock, choose, replicas, adapters } = context;
  const waiters = new Set<Waiter>();

  const accepts = (replica: ReplicaRecord, wishes: LeaseWishes): boolean =>
    (wishes.model === undefined || adapters.serves(replica, wishes.model)) &&
    (wishes.accepts === undefined || wishes.accepts(replica.engine));

  // The request and the facts of the search that runs now; set before each search so that `fits` is one function for all.
  let wishes: LeaseWishes;
  let published: FleetFacts;
  let excluding = true;
  const fits = (replica: ReplicaRecord): boolean =>
    replica.state === "ready" &&
    accepts(replica, wishes) &&
    isFresh(replica, published, wishes) &&
    !(excluding && wishes.exclude.has(replica.id));

  const search = (asked: LeaseWishes, exclude: boolean): ReplicaRecord | undefined => {
    wishes = asked;
    published = context.published();
    excluding = exclude;
    const time = clock.monotonic();
    const chosen = choose(replicas, fits, asked, time);
    return asked.onlyAdmitted === true && chosen?.breaker.admits(time) === false ? undefined : chosen;
  };

  /** The immediate case: nobody has to wait for anything. */
  function acquireNow(asked: LeaseWishes): Lease | undefined {
    if (context.stopped() || context.gateClosed() || context.unheard() !== null) return undefined;
    if (asked.model !== undefined && adapters.isHeld(asked.model)) return undefined;
    const chosen = search(asked, asked.exclude.size > 0);
    return chosen === undefined ? undefined : context.lease(chosen, asked.model);
  }

  /** A lease, or why not now. Throws what waiting cannot mend. */
  function attempt(asked: LeaseWishes, waiter: Waiter | null): Lease | Later {
    const lease = acquireNow(asked);
    if (lease !== undefined) return lease;
    if (context.stopped()) throw new GatewayError("draining", "The gateway is shutting down.", { retryAfter: 1 });
    const unheard = context.unheard();
    if (unheard !== null) {
      const error = (): GatewayError => new GatewayError("no_replica", unheard, { retryAfter: 1 });
      const now = clock.monotonic();
      const until = (waiter?.since ?? now) + Math.max(asked.waitMilliseconds, UNHEARD_WAIT_MS);
      if (until <= now) throw error();
      return { until, error };
    }
    if (context.gateClosed() || (asked.model !== undefined && adapters.isHeld(asked.model)))
      return { until: Number.POSITIVE_INFINITY, error: () => noReplica(context, asked) };
    return later(asked, waiter);
  }

  function later(asked: LeaseWishes, waiter: Waiter | null): Lease | Later {
    const now = clock.monotonic();
    const facts = context.published();
    const { model } = asked;
    const adapter = model === undefined ? undefined : adapters.get(model);
    if (model !== undefined && adapter === undefined && !replicas.some((replica) => replica.models.has(model))) {
      // A replica that never told its models may have this one: then wait for it.
      if (!replicas.some((replica) => replica.info === null && replica.recovering))
        throw modelNotFound(replicas, adapters.list(), model);
    }
    // An adapter of the fleet is loaded again into whoever comes up without it.
    const awaited = (replica: ReplicaRecord): boolean => adapter !== undefined && replica.engine.adapters !== undefined;
    const candidates = replicas.filter(
      (replica) => replica.info === null || awaited(replica) || accepts(replica, asked),
    );
    const recovering = candidates.some(
      (replica) => replica.recovering || (replica.state === "ready" && awaited(replica) && !accepts(replica, asked)),
    );
    const ready = candidates.filter((replica) => replica.state === "ready");
    if (hasVersionWishes(asked) && ready.length > 0 && !ready.some((replica) => isFresh(replica, facts, asked))) {
      const until = (waiter?.since ?? now) + asked.waitMilliseconds;
      if (until <= now) throw versionUnavailable(replicas, facts, asked);
      return { until, error: () => versionUnavailable(replicas, context.published(), asked) };
    }
    // A weight switch ends with the sync or its own deadline: worth waiting for as long as the caller waits.
    if (candidates.some((replica) => replica.state === "syncing")) {
      const limit = asked.waitMilliseconds > 0 ? asked.waitMilliseconds : Number.POSITIVE_INFINITY;
      const until = (waiter?.since ?? now) + limit;
      if (until > now) return { until, error: () => noReplica(context, asked) };
    } else if (recovering) {
      const since = waiter?.recoveringSince ?? now;
      if (waiter !== null) waiter.recoveringSince = since;
      const until = since + RECOVERY_WAIT_MS;
      if (until > now) return { until, error: () => noReplica(context, asked) };
    }
    // Everyone left was tried already by this request: better one of them again than nobody.
    const again = asked.exclude.size > 0 ? search(asked, false) : undefined;
    if (again !== undefined) return context.lease(again, asked.model);
    throw noReplica(context, asked);
  }

  function wait(asked: LeaseWishes, first: Later): Promise<Lease> {
    if (waiters.size >= WAITER_LIMIT) {
      throw new GatewayError("too_many_requests", `${WAITER_LIMIT} requests wait for a replica already.`, {
        retryAfter: 5,
      });
    }
    return new Promise<Lease>((resolve, reject) => {
      const { signal } = asked;
      if (signal.aborted) return reject(signal.reason);
      const waiter: Waiter = {
        wishes: asked,
        since: clock.monotonic(),
        recoveringSince: null,
        timer: null,
        settle(lease, error) {
          waiters.delete(waiter);
          waiter.timer?.cancel();
          signal.removeEventListener("abort", onAbort);
          if (lease === undefined) reject(error);
          else resolve(lease);
        },
      };
      const onAbort = (): void => waiter.settle(undefined, signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      waiters.add(waiter);
      arm(waiter, first);
    });
  }

  function arm(waiter: Waiter, until: Later): void {
    waiter.timer?.cancel();
    waiter.timer = null;
    if (until.until === Number.POSITIVE_INFINITY) return;
    const left = Math.max(0, until.until - clock.monotonic());
    waiter.timer = clock.timer(left, () => waiter.settle(undefined, until.error()));
  }

  function look(waiter: Waiter): void {
    let found: Lease | Later;
    try {
      found = attempt(waiter.wishes, waiter);
    } catch (error) {
      waiter.settle(undefined, error);
      return;
    }
    if ("release" in found) waiter.settle(found);
    else arm(waiter, found);
  }

  return {
    acquireNow,
    acquire(asked) {
      try {
        const found = attempt(asked, null);
        return "release" in found ? Promise.resolve(found) : wait(asked, found);
      } catch (error) {
        return Promise.reject(error);
      }
    },
    wake() {
      if (waiters.size > 0) for (const waiter of [...waiters]) look(waiter);
    },
    get waiting() {
      return waiters.size;
    },
  };
}
