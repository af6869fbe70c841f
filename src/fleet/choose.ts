/**
 * Which of the replicas that can take a request gets it. On the hot path of every request: one loop, nothing allocated
 * (but for the policies in `policies/`, which need more than a loop).
 * Replicas whose breaker is open are passed over, unless that leaves nobody.
 */
import type { Random } from "../ports.ts";
import { hashText, mixHashes } from "./hash.ts";
import { createPowerOfTwo } from "./policies/power-of-two.ts";
import { createPrefix } from "./policies/prefix.ts";
import type { Pick as PickReplica } from "./policies/types.ts";
import { createWeighted } from "./policies/weighted.ts";
import type { ReplicaRecord } from "./replica.ts";

/** The values of `--policy`. */
export type PolicyName = "least-in-flight" | "round-robin" | "power-of-two" | "prefix" | "session" | "weighted";

/** Chooses among `replicas` those that `fits` accepts; `now` is monotonic milliseconds. */
export type Choose = (
  replicas: readonly ReplicaRecord[],
  fits: (replica: ReplicaRecord) => boolean,
  wishes: { readonly sessionId?: string; readonly prefix?: readonly number[] },
  now: number,
) => ReplicaRecord | undefined;

/** Policies with a function of their own; the others are the loop below. */
const toPick = (policy: PolicyName, random: Pick<Random, "float">): PickReplica | undefined => {
  if (policy === "power-of-two") return createPowerOfTwo(random);
  if (policy === "prefix") return createPrefix();
  return policy === "weighted" ? createWeighted() : undefined;
};

/**
 * Creates a chooser. With a session id the policy does not matter: rendezvous hashing (Thaler and Ravishankar 1998)
 * keeps a session on its replica while that is there, and moves only the sessions of a replica that left. The policy
 * `session` is that and, for requests without one, least-in-flight.
 */
export function createChoose(policy: PolicyName, random: Pick<Random, "float">): Choose {
  const pick = toPick(policy, random);
  /** Where the next search begins: ties go round. */
  let turn = 0;
  return (replicas, fits, { sessionId, prefix }, now) => {
    const { length } = replicas;
    if (length === 0) return undefined;
    if (pick !== undefined && sessionId === undefined) {
      const admitted = (replica: ReplicaRecord): boolean => fits(replica) && replica.breaker.admits(now);
      return pick(replicas, admitted, prefix) ?? pick(replicas, fits, prefix);
    }
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
