/** How much one request may want to know of its prompts: candidates are held, sent and written as JSON all at once. */
import { GatewayError } from "../../errors.ts";
import type { BatchRequest } from "../batch-types.ts";

/** Candidates of one request; each takes some 60 bytes of the answer, and no runtime makes a text of much over 500 MB. */
const CANDIDATES_LIMIT = 4 * 2 ** 20;

/** Throws GatewayError `limit_exceeded` with the numbers. */
export function checkPromptCandidates(requests: readonly BatchRequest[]): void {
  let candidates = 0;
  for (const { promptIds, sampling } of requests) {
    if (sampling.promptLogprobs > 0) candidates += promptIds.length * sampling.promptLogprobs;
  }
  if (candidates <= CANDIDATES_LIMIT) return;
  throw new GatewayError(
    "limit_exceeded",
    `prompt_logprobs × prompt tokens must be at most ${CANDIDATES_LIMIT} in one request, got ${candidates}. ` +
      "Ask for fewer candidates, or send the prompts in several requests.",
    { param: "prompt_logprobs" },
  );
}
