/**
 * Two replicas at random, of these the one with fewer requests in flight (Mitzenmacher 2001): nearly as even as looking
 * at all, and several gateways in front of one fleet do not all run to the same idle server.
 */
import type { Pick } from "./types.ts";

/** Creates it. */
export function createPowerOfTwo(random: { float(): number }): Pick {
  return (replicas, takes) => {
    let count = 0;
    for (const replica of replicas) if (takes(replica)) count += 1;
    if (count === 0) return undefined;
    const first = Math.floor(random.float() * count);
    // One of the others, each as likely.
    const second = count === 1 ? first : (first + 1 + Math.floor(random.float() * (count - 1))) % count;
    let one: (typeof replicas)[number] | undefined;
    let other: (typeof replicas)[number] | undefined;
    let place = 0;
    for (const replica of replicas) {
      if (!takes(replica)) continue;
      if (place === first) one = replica;
      if (place === second) other = replica;
      place += 1;
    }
    if (one === undefined || other === undefined) return one ?? other;
    return other.inFlight < one.inFlight ? other : one;
  };
}
