/**
 * After a sync: do the servers hold the same weights? Compares what they say of each parameter. Proves that they agree,
 * not that they are right; a server that cannot tell stays unverified.
 */
import type { ReplicaId } from "../contract/ids.ts";
import { GatewayError, toGatewayError } from "../errors.ts";
import type { FleetRegistry } from "../fleet/types.ts";
import { orAborted } from "../lib/deadline.ts";
import type { Logger } from "../observe/log.ts";
import type { Clock } from "../ports.ts";

/** SHA-256 reads one to two gigabytes a second. */
const LIMIT_MS = 120_000;

type Digests = ReadonlyMap<string, string>;

/** Servers of another tensor-parallel size split their parameters otherwise, and cannot be compared. */
const layoutOf = (digests: Digests): string => [...digests.keys()].sort().join("\n");

/** What differs first, and how much; null when all is equal. */
function difference(one: Digests, other: Digests): { readonly name: string; readonly count: number } | null {
  const names = [...one.keys()].filter((name) => one.get(name) !== other.get(name)).sort();
  return names[0] === undefined ? null : { name: names[0], count: names.length };
}

/**
 * Creates the comparison. Resolves with the servers that were compared with another one and agree with it.
 *
 * @throws GatewayError `weights_digest_mismatch` naming both servers and the first parameter that differs.
 */
export function createCompare(options: {
  readonly fleet: FleetRegistry;
  readonly clock: Pick<Clock, "timer">;
  readonly log: Logger;
}): (ids: readonly ReplicaId[]) => Promise<ReadonlySet<ReplicaId>> {
  const { fleet, clock, log } = options;

  async function read(id: ReplicaId): Promise<Digests | null> {
    const engine = fleet.replica(id)?.engine;
    if (engine?.checksums === undefined) return null;
    const limit = new AbortController();
    const timer = clock.timer(LIMIT_MS, () => limit.abort(new GatewayError("deadline_exceeded", "It took too long.")));
    try {
      return await orAborted(engine.checksums({ signal: limit.signal }), limit.signal);
    } catch (thrown) {
      log.warn("weights cannot be compared", { replica: id, reason: toGatewayError(thrown).message });
      return null;
    } finally {
      timer.cancel();
    }
  }

  return async (ids) => {
    const agreeing = new Set<ReplicaId>();
    const first = new Map<string, { readonly id: ReplicaId; readonly digests: Digests }>();
    const all = await Promise.all(ids.map(async (id) => ({ id, digests: await read(id) })));
    for (const { id, digests } of all) {
      if (digests === null) continue;
      const layout = layoutOf(digests);
      const reference = first.get(layout);
      if (reference === undefined) {
        first.set(layout, { id, digests });
        continue;
      }
      const found = difference(reference.digests, digests);
      if (found !== null) {
        throw new GatewayError(
          "weights_digest_mismatch",
          `${id} does not hold the weights that ${reference.id} holds: ${found.count} of ${digests.size} parameters differ, the first is ${found.name}. Which of them is right is not known: sync again with every tensor.`,
          { replica: id, tensor: found.name },
        );
      }
      agreeing.add(reference.id).add(id);
    }
    return agreeing;
  };
}
