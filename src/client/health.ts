/** Is the server ready? One look at `/health`, or at TRL's `/health/`. */
import { type Connection, send } from "./http.ts";

/** A server that cannot say "ok" in this time is not ready. */
const HEALTH_SECONDS = 5;

/** null when healthy, else why not. Rejects only with the reason of `signal`. */
export async function healthFailure(connection: Connection, signal: AbortSignal | undefined): Promise<string | null> {
  const single = { ...connection, retries: 0 };
  let failure = "";
  for (const path of ["/health", "/health/"]) {
    try {
      const { status, text } = await send(single, path, { method: "GET", seconds: HEALTH_SECONDS, signal });
      if (status === 200) return null;
      failure = `${path} answered ${status} ${text.slice(0, 300)}`.trim();
      // TRL's server knows only the second spelling, and some proxies redirect the one to the other.
      if (status !== 404 && status !== 307) return failure;
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      return error instanceof Error ? error.message : String(error);
    }
  }
  return failure;
}
