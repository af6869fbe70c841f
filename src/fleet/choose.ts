/**
 * Which of the replicas that can take a request gets it. On the hot path of every request: one loop, nothing allocated.
 * Replicas whose breaker is open are passed over, unless that leaves nobody.
 */
import { hashText, mixHashes } from "./hash.ts";
import type { ReplicaRecord } from "./replica.ts";

/** The values of `--policy`. */
export type PolicyName = "least-in-flight" | "round-robin";

/** Chooses among `replicas` those that `fits` accepts; `now` is monotonic milliseconds. */
export type Choose = (
  replicas: readonly ReplicaRecord[],
  fits: (replica: ReplicaRecord) => boolean,
  sessionId: string | undefined,
  now: number,
) => ReplicaRecord | undefined;

/**
 * Creates a chooser. With a session id the policy does not matter: rendezvous hashing (Thaler and Ravishankar 1998)
 * keeps a session on its replica while that is there, and moves only the sessions of a replica that left.
 */
export function createChoose(policy: PolicyName): Choose {
  /** Where the next search begins: ties go round. */
  let turn = 0;
  return (replicas, fits, sessionId, now) => {
    const { length } = replicas;
    if (length === 0) return undefined;
    const session = sessionId === undefined ? null : hashText(sessionId);
    let best: ReplicaRecord | undefined;
    let bestScore = Number.POSITIVE_INFINITY;
    let bestAdmits = false;
    let bestIndex = 0;
    for (let step = 0; step < length; step += 1) {
      const index = (turn + step) % length;
      const replica = replicas[index];
      if (replica === undefined || !fits(replica)) continue;
      const admits = replica.breaker.admits(now);
      if (bestAdmits && !admits) continue;
      let score = policy === "round-robin" ? step : replica.inFlight;
      if (session !== null) score = -mixHashes(session, replica.hash);
      if (best === undefined || (admits && !bestAdmits) || score < bestScore) {
        best = replica;
        bestScore = score;
        bestAdmits = admits;
        bestIndex = index;
      }
    }
    // Behind the chosen one, not one further each time: otherwise a fleet with an unfit replica favours its neighbour.
    if (best !== undefined && session === null) turn = (bestIndex + 1) % length;
    return best;
  };
}
