/** "Would this sync work?" without changing anything: the fleet, the version and, where it can be read, the source's headers. */
import type { DryRunResult, StartSync } from "../contract/control/weight-syncs.ts";
import { GatewayError } from "../errors.ts";
import type { FleetRegistry } from "../fleet/types.ts";
import type { Ports } from "../ports.ts";
import { checkSource } from "./ingest.ts";
import { cannotSync, chooseParticipants, notUp } from "./participants.ts";
import { openSource } from "./source.ts";

export interface DryRunTools {
  readonly fleet: FleetRegistry;
  readonly ports: Ports;
  readonly signal: AbortSignal;
  /** Throws what would refuse the sync whatever its source: another one running, the version. */
  readonly refuse: () => void;
}

/**
 * Collects every reason against a sync, not only the first. An upload's body is not there to be looked at: then only the
 * fleet is judged. `digest` is null: it needs all the data.
 */
export async function dryRun(request: StartSync, { fleet, ports, signal, refuse }: DryRunTools): Promise<DryRunResult> {
  const reasons: string[] = [];
  let bytes: number | null = null;
  const attempt = async (check: () => void | Promise<void>): Promise<void> => {
    try {
      await check();
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      reasons.push(error.message);
    }
  };
  const { source } = request;
  await attempt(refuse);
  await attempt(async () => {
    const { manifest } = chooseParticipants(fleet, request);
    if (source.kind === "upload" || ports.files === undefined) return;
    const opened = await openSource(source, { files: ports.files, fetch: ports.fetch, clock: ports.clock });
    bytes = await checkSource(opened, { manifest, partial: request.partial, signal });
  });
  const servers = fleet.replicas().map((replica) => {
    const reason = cannotSync(replica, request) ?? notUp(replica);
    return { id: replica.id, possible: reason === null, reason };
  });
  return { possible: reasons.length === 0, servers, reasons, bytes_total: bytes, digest: null };
}
