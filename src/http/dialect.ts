/** Which dialect a path belongs to: decides the shape of its errors. Pure. */

export type Dialect = "openai" | "vllm" | "trl" | "control";

const CONTROL = /^\/(?:api(?:\/|$)|livez$|readyz$|metrics$|version$|openapi\.json$|docs(?:\/|$)|$)/;
const OPENAI = /^\/(?:v1(?:\/|$)|tokenize$|detokenize$|inference\/)/;

/**
 * `/v1/…`, `/tokenize`, `/detokenize` speak OpenAI; a trailing slash means TRL; `/api/…` and the operational routes
 * are our own; all other paths are vLLM's.
 *
 * @example
 * ```ts
 * import { dialectOf } from "./dialect.ts";
 * if (dialectOf("/health/") !== "trl" || dialectOf("/health") !== "vllm") throw new Error("dialects changed");
 * ```
 */
export function dialectOf(path: string): Dialect {
  if (OPENAI.test(path)) return "openai";
  if (CONTROL.test(path)) return "control";
  return path.endsWith("/") ? "trl" : "vllm";
}

/**
 * Calls that change state on the way: clients repeat a POST on 500, 502 and 503 (TRL's session does), so these calls
 * never answer one of them.
 */
const STATEFUL = new Set([
  "/init_weight_transfer_engine",
  "/shutdown_weight_transfer_engine",
  "/start_weight_update",
  "/start_draft_weight_update",
  "/update_weights",
  "/finish_weight_update",
  "/update_weight_version",
  "/pause",
  "/resume",
  "/sleep",
  "/wake_up",
  "/reset_prefix_cache",
  "/abort_requests",
  "/v1/load_lora_adapter",
  "/v1/unload_lora_adapter",
  "/init_communicator/",
  "/update_named_param/",
  "/batch_update_named_params/",
  "/reset_prefix_cache/",
  "/close_communicator/",
]);

/** True for calls whose repetition could do harm, weight syncs included. */
export function isStateful(method: string, path: string): boolean {
  if (method === "GET" || method === "HEAD" || method === "OPTIONS") return false;
  return STATEFUL.has(path) || path.startsWith("/api/weight-syncs") || /^\/api\/servers\/[^/]+\/refit$/.test(path);
}
