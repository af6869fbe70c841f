/**
 * To the replica that has most of the prompt's beginning in its prefix cache, unless that is much busier than the least
 * busy one: then recomputing the beginning elsewhere is cheaper than waiting. Without a prefix, and where nobody knows
 * it, as least-in-flight.
 */
import type { ReplicaRecord } from "../replica.ts";
import type { Pick } from "./types.ts";

/**
 * Requests more than the least busy replica's that a known beginning is worth: a third of its load, and at least four.
 * Lower values move every second request of a group away as soon as it runs, higher ones let one replica queue; see the
 * measured workload in docs/routing.md.
 */
const isTooBusy = (inFlight: number, least: number): boolean => inFlight > least + Math.max(4, least / 3);

/** A beginning that is less than half of the prompt, such as a system text that all share, is not worth any crowding. */
const worth = (match: number, blocks: number): number => (2 * match >= blocks ? match : 0);

/** Creates it. The tables live in the records. */
export function createPrefix(): Pick {
  let turn = 0;
  return (replicas, takes, prefix) => {
    let least = Number.POSITIVE_INFINITY;
    for (const replica of replicas) if (takes(replica)) least = Math.min(least, replica.inFlight);
    const { length } = replicas;
    let best: ReplicaRecord | undefined;
    let bestMatch = -1;
    let bestIndex = 0;
    for (let step = 0; step < length; step += 1) {
      const index = (turn + step) % length;
      const replica = replicas[index] as ReplicaRecord;
      if (!takes(replica) || isTooBusy(replica.inFlight, least)) continue;
      const match =
        prefix === undefined ? 0 : worth(replica.prefixes.match(prefix, replica.weightVersion), prefix.length);
      const better =
        match > bestMatch || (match === bestMatch && best !== undefined && replica.inFlight < best.inFlight);
      if (!better) continue;
      best = replica;
      bestMatch = match;
      bestIndex = index;
    }
    if (best === undefined) return undefined;
    turn = (bestIndex + 1) % length;
    if (prefix !== undefined) best.prefixes.add(prefix, best.weightVersion);
    return best;
  };
}
