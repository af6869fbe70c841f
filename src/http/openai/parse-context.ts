/** What parsing an OpenAI request takes from its surroundings. */
import type { Context } from "hono";
import type { AppEnv } from "../env.ts";
import type { ParseContext } from "./render-options.ts";

export function parseContextOf(c: Context<AppEnv>): ParseContext {
  const { gateway, requestId } = c.var;
  return {
    requestId,
    created: Math.floor(gateway.ports.clock.now() / 1000),
    maxTokensPerRequest: gateway.config.maxTokensPerRequest,
    maxLogprobs: gateway.config.maxLogprobs,
    tokenIds: gateway.config.skipTokenizerInit,
    trustRequestChatTemplate: gateway.config.trustRequestChatTemplate,
    tools: { parser: gateway.config.toolCallParser, auto: gateway.config.enableAutoToolChoice },
  };
}
