/**
 * What a refused weight call to a vLLM server means. vLLM answers 500 to nearly everything that fails in a worker, a
 * caller's mistake included; the texts (recorded from 0.32) tell the cases apart. Never yields 500, 502 or 503: a
 * trainer repeats those blindly, while its own end waits in a collective.
 */
import { GatewayError } from "../../errors.ts";
import { tellsDeath } from "./faults.ts";

/** vLLM wraps a worker's own words in these. */
const WORKER = /Worker failed with error '(.*)', please check the stack trace/s;

/** The fields of the call are wrong: another server would say the same. */
const CALLER = [
  "Invalid init_info",
  "Invalid update_info",
  "unexpected keyword argument",
  "required keyword-only argument",
  "required positional argument",
  "nccl_unique_id_b64",
  "should be of the same size as",
  "no draft model is configured",
];

/** The calls came in a wrong order, or somebody else has a session open there: in 0.32's words, and as later builds put it. */
const ORDER =
  /must be called before update_weights|update (is|was) already (active|in progress)|without an? (matching|preceding) start_weight_update|not initialized. Call init_transfer_engine|during a weight update/i;

/** vLLM's loaders about a name that the model does not have (model_executor/models/utils.py). */
const UNKNOWN_TENSOR = /There is no module or parameter named ['"]([^'"]+)['"]/;
/** torch's store client about a master that does not answer. */
const NO_MASTER = /timed out.*trying to connect/i;

/** The server's own words, without what vLLM wraps around them. */
export const toWords = (text: string): string => WORKER.exec(text)?.[1] ?? text;

const has = (text: string, words: readonly string[]): boolean => words.some((word) => text.includes(word));

/** Turns the failure of one weight call into the code that the trainer gets. `path` is the route that was called. */
export function toTransferError(error: GatewayError, url: string, path: string): GatewayError {
  const words = toWords(error.details.upstream ?? error.message);
  const details = { upstream: words, cause: error };
  if (error.code === "deadline_exceeded" || error.code === "client_closed") return error;
  if (error.code === "invalid_value") return new GatewayError("invalid_value", `${path} of ${url}: ${words}`, details);
  if (tellsDeath(words)) {
    return new GatewayError("replica_failed", `The vLLM server at ${url} is shutting down or dead: ${words}`, details);
  }
  const [, unknown] = UNKNOWN_TENSOR.exec(words) ?? [];
  if (unknown !== undefined) {
    return new GatewayError(
      "weights_unexpected_tensor",
      `${path} of ${url}: the model has no tensor ${unknown}. Send the names of the model's checkpoint, as its own save_pretrained writes them. ${words.slice(0, 300)}`,
      { ...details, tensor: unknown },
    );
  }
  if (NO_MASTER.test(words)) {
    return new GatewayError(
      "replica_failed",
      `${path} of ${url}: ${words} Is the trainer listening there, at an address that the servers reach?`,
      details,
    );
  }
  if (has(words, CALLER)) return new GatewayError("invalid_value", `${path} of ${url}: ${words}`, details);
  if (ORDER.test(words)) {
    return new GatewayError("conflict", `${path} of ${url}, which is not where the gateway left it: ${words}`, details);
  }
  return new GatewayError("replica_failed", `${path} of ${url}: ${words}`, details);
}
