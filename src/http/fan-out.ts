/** What a control call over all replicas means to a caller who believes there is one server. */
import { GatewayError } from "../errors.ts";
import type { ControlResult, Gateway } from "../gateway-types.ts";

/**
 * The results of all replicas. Throws `replica_failed` when one of them refused or failed, naming each: a caller that
 * is told "paused" must be able to rely on it. Throws `no_replica` when nobody was asked.
 */
export function allResults<T>(outcome: ControlResult<T>, action: string): readonly T[] {
  const asked = outcome.servers.filter((server) => server.skipped === undefined);
  if (asked.length === 0) {
    const why = outcome.servers.map(({ id, skipped }) => `${id} is ${skipped}`).join(", ");
    const mend =
      why === ""
        ? "The fleet is empty: attach a server with POST /api/servers."
        : `${why}. GET /api/servers says why; start what is down, and POST /api/servers/{id}/refit what is quarantined.`;
    throw new GatewayError("no_replica", `No replica could be asked to ${action}. ${mend}`);
  }
  const failed = outcome.servers.filter((server) => server.error !== undefined);
  const [first] = failed;
  if (first === undefined) return asked.map((server) => server.result as T);
  const reasons = failed.map((server) => `${server.id}: ${server.error}`).join("; ");
  throw new GatewayError(
    "replica_failed",
    `${failed.length} of ${outcome.servers.length} replicas did not ${action}: ${reasons}`,
    { replica: first.id },
  );
}

/**
 * `servers` for the body of an answer: one entry per server, which vLLM's own clients ignore and people want to see.
 * Nothing where no vLLM server is behind the call: then the answer is vLLM's to the letter.
 */
export function toServerResults(gateway: Gateway, outcome: ControlResult<unknown>): ServersField {
  if (!gateway.fleet.snapshot().servers.some(({ kind }) => kind === "vllm")) return {};
  return { servers: outcome.servers.map(({ id, skipped }) => ({ id, ...(skipped === undefined ? {} : { skipped }) })) };
}

interface ServersField {
  readonly servers?: { id: string; skipped?: string }[];
}
