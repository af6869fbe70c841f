/** Which weight versions a request accepts, and the refusal that says what is there. Pure. */
import { GatewayError } from "../errors.ts";
import type { FleetFacts, LeaseWishes, Replica } from "./types.ts";

/** True when the request says anything about versions. */
export const hasVersionWishes = (wishes: LeaseWishes): boolean =>
  wishes.minVersion !== undefined || wishes.exactVersion !== undefined || wishes.maxLag !== undefined;

/**
 * True when the replica's weights may answer the request. Without wishes these are the published ones only. Weights
 * newer than the published ones are not trusted yet, and weights of that version with another digest never are.
 */
export function isFresh(replica: Replica, published: FleetFacts, wishes: LeaseWishes): boolean {
  const version = replica.weightVersion;
  if (version === null || version > published.version) return false;
  if (version === published.version) {
    const { weightDigest } = replica;
    if (weightDigest !== null && published.digest !== null && weightDigest !== published.digest) return false;
  }
  if (!hasVersionWishes(wishes)) return version === published.version;
  return (
    (wishes.minVersion === undefined || version >= wishes.minVersion) &&
    (wishes.exactVersion === undefined || version === wishes.exactVersion) &&
    (wishes.maxLag === undefined || published.version - version <= wishes.maxLag)
  );
}

/** The 412: what was wanted, what is published, and what every replica has. */
export function versionUnavailable(
  replicas: readonly Replica[],
  published: FleetFacts,
  wishes: LeaseWishes,
): GatewayError {
  const wanted = [
    wishes.exactVersion === undefined ? "" : `exactly ${wishes.exactVersion}`,
    wishes.minVersion === undefined ? "" : `at least ${wishes.minVersion}`,
    wishes.maxLag === undefined ? "" : `at most ${wishes.maxLag} behind`,
  ].filter((text) => text !== "");
  const there = replicas.map((replica) => `${replica.id}: ${replica.weightVersion ?? "unknown"} (${replica.state})`);
  return new GatewayError(
    "version_unavailable",
    `No replica serves the wanted weight version (${wanted.join(", ")}) within ${wishes.waitMilliseconds / 1000} s. ` +
      `Published: ${published.version}. There: ${there.join(", ")}.`,
    {
      param:
        wishes.exactVersion !== undefined
          ? "x-exact-weight-version"
          : wishes.minVersion !== undefined
            ? "x-min-weight-version"
            : "x-max-weight-lag",
    },
  );
}
