/** The limit on what one request may make the fleet compute. Pure. */
import { GatewayError } from "../errors.ts";

/** Refuses n × max_tokens × prompts over `maxTokensPerRequest`: one request must not occupy the fleet for hours. */
export function checkTokenBudget(
  asked: { readonly prompts: number; readonly samples: number; readonly maxTokens: number },
  config: { readonly maxTokensPerRequest: number },
): void {
  const { prompts, samples, maxTokens } = asked;
  const total = prompts * samples * maxTokens;
  if (total <= config.maxTokensPerRequest) return;
  throw new GatewayError(
    "limit_exceeded",
    `n × max_tokens × prompts must be at most ${config.maxTokensPerRequest}, got ${samples} × ${maxTokens} × ${prompts} = ${total}. ` +
      "Ask for less, or start the gateway with a larger --max-tokens-per-request.",
    { param: samples > maxTokens ? "n" : "max_tokens" },
  );
}
