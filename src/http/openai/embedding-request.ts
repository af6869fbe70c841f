/** An embedding request's body → the neutral request and what rendering the answer needs. */
import type { GenerateRequest, Prompt } from "../../contract/generation.ts";
import { EmbeddingOptions } from "../../contract/openai/embeddings.ts";
import type { PoolerConfig } from "../../contract/pooler.ts";
import { GatewayError, invalidValue } from "../../errors.ts";
import { validate } from "../validation.ts";
import { toChatPrompt } from "./chat-prompt.ts";
import type { ParseContext } from "./render-options.ts";
import { toCacheSalt } from "./to-cache-salt.ts";
import { toPrompts } from "./to-prompts.ts";
import { toTruncation } from "./to-truncation.ts";

export interface ParsedEmbedding {
  readonly request: GenerateRequest;
  /** `embd-…` */
  readonly id: string;
  readonly created: number;
  readonly format: "float" | "base64";
  readonly bigEndian: boolean;
}

function toInputs(
  body: Record<string, unknown>,
  options: EmbeddingOptions,
  context: ParseContext,
  bytes: Uint8Array | undefined,
): readonly Prompt[] {
  const { messages } = options;
  if (messages === undefined || messages === null) {
    const addSpecialTokens = options.add_special_tokens ?? true;
    return toPrompts(body.input, { addSpecialTokens, param: "input" });
  }
  if (body.input !== undefined) throw invalidValue("input", body.input, "left out when messages are given");
  const flags = { ...options, messages, add_generation_prompt: options.add_generation_prompt ?? false };
  return [toChatPrompt(flags, context, bytes)];
}

/** Throws GatewayError in the order in which vLLM would complain. `bytes`: the body as it was sent. */
export function parseEmbedding(
  body: Record<string, unknown>,
  context: ParseContext & { readonly poolerConfig: PoolerConfig },
  bytes?: Uint8Array,
): ParsedEmbedding {
  if (body.normalize !== undefined) {
    throw new GatewayError(
      "invalid_value",
      "Parameter `normalize` was removed; use `use_activation` instead. (parameter=normalize)",
      { param: "normalize" },
    );
  }
  const { input: _input, ...rest } = body;
  const options = validate(EmbeddingOptions, rest);
  const prompts = toInputs(body, options, context, bytes);
  const truncate = toTruncation(options);
  const type = (options.pooling_type ?? context.poolerConfig.pooling_type) === "MEAN" ? "mean" : "last";
  const pooling = {
    type,
    normalize: options.use_activation ?? context.poolerConfig.use_activation,
    ...(options.dimensions === undefined || options.dimensions === null ? {} : { dimensions: options.dimensions }),
  } as const;
  return {
    request: {
      requestId: context.requestId,
      prompts,
      sampling: {},
      echo: false,
      pooling,
      ...(truncate === undefined ? {} : { truncate }),
      ...toCacheSalt(options),
    },
    id: `embd-${options.request_id ?? context.requestId}`,
    created: context.created,
    format: options.encoding_format ?? "float",
    bigEndian: options.endianness === "big",
  };
}
