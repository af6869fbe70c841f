/**
 * Shares requests out in proportion to each replica's weight: the one with the fewest requests in flight per weight, and
 * among equals by smooth weighted round-robin (as nginx does it), so that an idle fleet keeps the proportion too.
 */
import type { ReplicaRecord } from "../replica.ts";
import type { Pick } from "./types.ts";

/** Creates it. The credits of the round-robin live in the records. */
export function createWeighted(): Pick {
  return (replicas, takes) => {
    let least = Number.POSITIVE_INFINITY;
    for (const replica of replicas) {
      if (takes(replica)) least = Math.min(least, replica.inFlight / replica.weight);
    }
    let best: ReplicaRecord | undefined;
    let total = 0;
    for (const replica of replicas) {
      if (!takes(replica) || replica.inFlight / replica.weight > least) continue;
      total += replica.weight;
      replica.credit += replica.weight;
      if (best === undefined || replica.credit > best.credit) best = replica;
    }
    if (best !== undefined) best.credit -= total;
    return best;
  };
}
