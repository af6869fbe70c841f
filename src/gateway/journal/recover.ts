/** A sync whose gateway has ended in the middle: it is shown as failed, and the servers that it touched are fenced. Pure. */
import type { WeightSync } from "../../contract/control/weight-syncs.ts";
import type { ActiveSync, Head, ServerNote } from "../../contract/journal.ts";
import { GatewayError } from "../../errors.ts";

const listed = (urls: readonly string[]): string => urls.join(", ");

/** What refuses a sync while another gateway (not `owner`) has the right; null when it seems to be free. */
export function toRefusal(running: ActiveSync | null, owner: string): GatewayError | null {
  if (running === null || running.owner === owner) return null;
  const where = running.at === null ? "another gateway" : `the gateway at ${running.at}`;
  return new GatewayError(
    "sync_in_progress",
    running.kind === "refit"
      ? `Weights are being loaded into ${running.touched.join(", ") || "a server"} by ${where} (${running.id}). Wait for it.`
      : `Sync ${running.id} is running on ${where}. Wait for it: GET /api/weight-syncs/${running.id}.`,
    { retryAfter: 1 },
  );
}

/** Why it ended, for people. */
export function toReason(active: ActiveSync, phase: string): string {
  const what =
    active.kind === "refit"
      ? "The gateway ended while it loaded the published weights into a server."
      : `The gateway that ran it ended in phase ${phase}.`;
  return active.touched.length === 0
    ? `${what} No server had been touched.`
    : `${what} What ${listed(active.touched)} now hold is unknown: fenced until POST /api/servers/{id}/refit or a complete weight sync.`;
}

/** The head without the dead one's sync. */
export function withoutDead(head: Head, active: ActiveSync, reason: string): Head {
  const fence: ServerNote = {
    version: null,
    digest: null,
    fence: reason,
    open: active.kind === "trainer",
    paused: false,
    identity: null,
  };
  // The process that was touched, so that a later one behind the URL is told from it.
  const fenced = active.touched.map((url): [string, ServerNote] => [
    url,
    { ...fence, identity: head.servers[url]?.identity ?? null },
  ]);
  return { ...head, active: null, servers: { ...head.servers, ...Object.fromEntries(fenced) } };
}

/** The record of the dead one's sync as it is shown from now on. `now`: milliseconds since the epoch. */
export function toInterrupted(sync: WeightSync, active: ActiveSync, reason: string, now: number): WeightSync {
  const touched = active.touched.length > 0;
  return {
    ...sync,
    state: "failed",
    finished_at: new Date(now).toISOString(),
    servers: sync.servers.map((server) =>
      server.phase === "left_out"
        ? server
        : { ...server, phase: touched ? "fenced" : "discarded", ...(touched ? { error: reason } : {}) },
    ),
    error: { code: "sync_failed", phase: sync.phase, message: reason },
  };
}
