/** /tokenize and /detokenize of a vLLM server. */
import type { Prompt } from "../../contract/generation.ts";
import { GatewayError } from "../../errors.ts";
import type { CallOptions, TokenizeResult } from "../engine.ts";
import type { Client } from "./client.ts";

const isIds = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((id) => Number.isSafeInteger(id) && id >= 0);

function toTokenizeBody(prompt: Exclude<Prompt, { kind: "tokens" }>): Record<string, unknown> {
  if (prompt.kind === "text") {
    return { prompt: prompt.text, add_special_tokens: prompt.addSpecialTokens, return_token_strs: true };
  }
  return {
    messages: prompt.messages,
    add_generation_prompt: prompt.addGenerationPrompt,
    continue_final_message: prompt.continueFinalMessage,
    add_special_tokens: prompt.addSpecialTokens,
    chat_template_kwargs: prompt.templateKwargs,
    return_token_strs: true,
    ...(prompt.tools === null ? {} : { tools: prompt.tools }),
  };
}

/** Token ids of a prompt; ids stay what they are, without strings: vLLM has no route for those. */
export async function tokenize(client: Client, prompt: Prompt, { signal }: CallOptions): Promise<TokenizeResult> {
  if (prompt.kind === "tokens") return { tokenIds: prompt.ids, tokenStrings: [] };
  const answer = (await client.call("/tokenize", { json: toTokenizeBody(prompt), signal })) as {
    tokens?: unknown;
    token_strs?: unknown;
  };
  if (!isIds(answer?.tokens)) {
    throw new GatewayError("upstream_failed", `/tokenize of ${client.url} answered without token ids.`);
  }
  const strings = Array.isArray(answer.token_strs) ? answer.token_strs.map(String) : [];
  return { tokenIds: answer.tokens, tokenStrings: strings };
}

/** The text of token ids, special tokens included. */
export async function detokenize(
  client: Client,
  tokenIds: readonly number[],
  { signal }: CallOptions,
): Promise<string> {
  const answer = (await client.call("/detokenize", { json: { tokens: tokenIds }, signal })) as { prompt?: unknown };
  if (typeof answer?.prompt === "string") return answer.prompt;
  throw new GatewayError("upstream_failed", `/detokenize of ${client.url} answered without a text.`);
}
