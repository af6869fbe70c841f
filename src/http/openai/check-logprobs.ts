/** How many candidates per output token a request of OpenAI's dialect may ask for. Prompt tokens: the engine's own limit. */
import { OUTPUT_LOGPROBS_LIMIT } from "../../contract/sampling.ts";
import { GatewayError } from "../../errors.ts";

/**
 * The number of candidates to show: Infinity for -1, undefined for none.
 *
 * @param limit the operator's; -1 = all
 * @throws GatewayError `invalid_value` in vLLM 0.32's words (`_validate_logprobs`)
 */
export function checkOutputLogprobs(
  wanted: number | undefined,
  param: "logprobs" | "top_logprobs",
  limit = OUTPUT_LOGPROBS_LIMIT,
): number | undefined {
  if (wanted === undefined) return undefined;
  const shown = wanted === -1 ? Number.POSITIVE_INFINITY : wanted;
  if (limit === -1 || shown <= limit) return shown;
  throw new GatewayError(
    "invalid_value",
    `Requested sample logprobs of ${wanted === -1 ? "the whole vocabulary (-1)" : wanted}, which is greater than max allowed: ` +
      `${limit}. Ask for fewer, or start with --max-logprobs -1. (parameter=${param}, value=${wanted})`,
    { param },
  );
}
