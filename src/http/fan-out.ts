/** What a control call over all replicas means to a caller who believes there is one server. */
import { GatewayError } from "../errors.ts";
import type { ControlResult } from "../gateway-types.ts";

/**
 * The results of all replicas. Throws `replica_failed` when one of them refused or failed, naming each: a caller that
 * is told "paused" must be able to rely on it. Throws `no_replica` when nobody was asked.
 */
export function allResults<T>(outcome: ControlResult<T>, action: string): readonly T[] {
  if (outcome.servers.length === 0) {
    throw new GatewayError("no_replica", `No replica could be asked to ${action}.`);
  }
  const failed = outcome.servers.filter((server) => server.error !== undefined);
  const [first] = failed;
  if (first === undefined) return outcome.servers.map((server) => server.result as T);
  const reasons = failed.map((server) => `${server.id}: ${server.error}`).join("; ");
  throw new GatewayError(
    "replica_failed",
    `${failed.length} of ${outcome.servers.length} replicas did not ${action}: ${reasons}`,
    { replica: first.id },
  );
}
