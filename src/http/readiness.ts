/** Readiness → the body of a 503 of the health routes. */
import type { Readiness } from "../gateway-types.ts";

/** One sentence, and the reason of each replica. */
export function toNotReady(readiness: Readiness): {
  detail: string;
  servers: { id: string; state: string; reason: string | null }[];
} {
  return {
    detail: readiness.reason ?? "No replica can serve.",
    servers: readiness.servers.map(({ id, state, reason }) => ({ id, state, reason })),
  };
}
