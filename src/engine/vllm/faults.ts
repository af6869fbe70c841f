/**
 * What a failed call to a vLLM server means. Two questions matter: can the request be given to another replica (then
 * the code is `upstream_failed`), and is the whole server gone (then its owner must be told)?
 */
import { GatewayError } from "../../errors.ts";

/** Longest piece of an upstream's own words that an error repeats. */
const SHOWN_LIMIT = 500;

/**
 * Texts of a 500 after which the server never recovers by itself, whatever /health says (observed on vLLM 0.32:
 * a killed engine process, and a shutdown that drains).
 */
const DEATH = [
  "EngineCore encountered an issue",
  "EngineDeadError",
  "cannot schedule new futures after shutdown",
  "Engine is shutting down",
];

/** True when the text of a 500, or of an error event, says that the engine behind the server is dead. */
export const tellsDeath = (text: string): boolean => DEATH.some((words) => text.includes(words));

/** `refused`: nobody listens. `reset`: closed before an answer. `other`: anything else, such as a name that does not resolve. */
export type ConnectionFault = "refused" | "reset" | "other";

/** Codes and messages as Bun, Node (undici), Deno (hyper) and workerd put them. */
const REFUSED = /ECONNREFUSED|ConnectionRefused|Connection refused/i;
const RESET =
  /ECONNRESET|EPIPE|UND_ERR_SOCKET|other side closed|socket hang up|connection was closed|connection closed before|connection reset|Connection reset|broken pipe|Network connection lost/i;

/** All that a thrown value says about itself and its causes. */
function describe(thrown: unknown): string {
  const parts: string[] = [];
  let current: unknown = thrown;
  for (let depth = 0; depth < 4 && current instanceof Error; depth += 1) {
    const { code } = current as { code?: unknown };
    parts.push(current.message, typeof code === "string" ? code : "");
    current = current.cause;
  }
  return parts.filter((part) => part !== "").join(": ") || String(thrown);
}

/** Which kind of connection failure a rejected fetch tells of. */
export function connectionFault(thrown: unknown): ConnectionFault {
  const text = describe(thrown);
  if (REFUSED.test(text)) return "refused";
  return RESET.test(text) ? "reset" : "other";
}

/** A rejected fetch as an error that names the upstream and lets the request move on. */
export function connectionError(url: string, thrown: unknown): GatewayError {
  const fault = connectionFault(thrown);
  const reason =
    fault === "refused"
      ? "nobody listens there (connection refused)"
      : fault === "reset"
        ? "it closed the connection before it answered"
        : describe(thrown).slice(0, SHOWN_LIMIT);
  return new GatewayError("upstream_failed", `The vLLM server at ${url} cannot be used: ${reason}.`, { cause: thrown });
}

/** vLLM's error shapes: `{error: {message, param}}`, `{error: "text"}`, `{detail}`; else the text itself. */
export function readUpstreamError(text: string): { readonly message: string; readonly param: string | null } {
  try {
    const body = JSON.parse(text) as { error?: unknown; detail?: unknown };
    const { error } = body;
    if (typeof error === "object" && error !== null) {
      const { message, param } = error as { message?: unknown; param?: unknown };
      return {
        message: typeof message === "string" ? message : JSON.stringify(error),
        param: typeof param === "string" ? param : null,
      };
    }
    const other = error ?? body.detail;
    if (typeof other === "string") return { message: other, param: null };
    if (other !== undefined) return { message: JSON.stringify(other), param: null };
  } catch {
    // Not JSON: a proxy in between, or a plain text.
  }
  return { message: text.trim() === "" ? "no text" : text, param: null };
}

/** An answer that is not a success, for callers that need the answer itself. A client's mistake stays a client's mistake. */
export function statusError(url: string, path: string, status: number, text: string): GatewayError {
  const { message, param } = readUpstreamError(text);
  const shown = message.slice(0, SHOWN_LIMIT);
  const details = { upstream: shown, ...(param === null ? {} : { param }) };
  if (status === 400 || status === 422) return new GatewayError("invalid_value", shown, details);
  if (status === 404 && param === "model") return new GatewayError("model_not_found", shown, details);
  if (status === 413) return new GatewayError("payload_too_large", shown, details);
  if (status === 429) return new GatewayError("too_many_requests", shown, { ...details, retryAfter: 1 });
  if (status === 401 || status === 403) {
    return new GatewayError(
      "upstream_failed",
      `The vLLM server at ${url} refuses the gateway's key (${status}); set --upstream-api-key.`,
      details,
    );
  }
  return new GatewayError("upstream_failed", `${path} of ${url} answered ${status}: ${shown}`, details);
}
