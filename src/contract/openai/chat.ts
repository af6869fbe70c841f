/** `POST /v1/chat/completions` as vLLM 0.32 has it, plus the weight stamp. */
import { z } from "zod";
import {
  FinishReason,
  PromptLogprobs,
  SamplingFields,
  TruncationFields,
  Usage,
  WeightDigestField,
  WeightVersionField,
} from "./sampling.ts";

const ContentPart = z
  .looseObject({ type: z.string(), text: z.string().optional() })
  .meta({ id: "ChatContentPart", description: "`text` parts; other types need a multimodal upstream." });

export const ChatRequestMessage = z
  .looseObject({
    role: z.string().meta({ example: "user" }),
    content: z.union([z.string(), z.array(ContentPart)], { error: "a string or a list of content parts" }).nullish(),
    tool_calls: z.array(z.looseObject({})).nullish(),
  })
  .meta({ id: "ChatRequestMessage" });
export type ChatRequestMessage = z.infer<typeof ChatRequestMessage>;

const ChatTool = z.looseObject({ type: z.string().optional() }).meta({
  id: "ChatTool",
  description: "A function: its name, description, JSON schema of its parameters, and `strict`.",
  example: { type: "function", function: { name: "add", parameters: { type: "object" } } },
});

/** vLLM 0.32's levels. */
export const EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh", "max"] as const;

/** What a chat template is given besides the messages; shared with `/tokenize`. */
export const TemplateFields = {
  chat_template: z
    .string()
    .nullish()
    .meta({ description: "A Jinja template, or a name in the model's set; needs --trust-request-chat-template." }),
  chat_template_kwargs: z
    .record(z.string(), z.unknown())
    .nullish()
    .meta({ description: "Further variables of the chat template." }),
};

/** Everything of a chat request that an embedded replica understands. */
export const ChatOptions = z.object({
  ...SamplingFields,
  messages: z.array(ChatRequestMessage),
  max_tokens: z.number().int().min(1).nullish().meta({ description: "Default: up to the context end." }),
  max_completion_tokens: z.number().int().min(1).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z
    .number()
    .int()
    .min(-1)
    .nullish()
    .meta({ description: "Candidates per token, up to --max-logprobs (default 20); -1 = all." }),
  tools: z.array(ChatTool).nullish(),
  tool_choice: z
    .union([z.string(), z.looseObject({})], { error: "a string or an object" })
    .nullish()
    .meta({ description: "none, auto, required or a function; default auto where there are tools." }),
  parallel_tool_calls: z.boolean().nullish().meta({ description: "false: one call at most. Default true." }),
  add_generation_prompt: z.boolean().nullish().meta({ description: "Default true." }),
  continue_final_message: z.boolean().nullish(),
  add_special_tokens: z.boolean().nullish().meta({ description: "Default false: the template writes them." }),
  ...TemplateFields,
  documents: z.array(z.record(z.string(), z.string())).nullish().meta({ description: "For retrieval templates." }),
  ...TruncationFields,
  include_reasoning: z.boolean().nullish().meta({ description: "Taken and not used: no reasoning is parsed." }),
  echo: z.boolean().nullish().meta({ description: "Not supported." }),
  mm_processor_kwargs: z
    .record(z.string(), z.unknown())
    .nullish()
    .meta({ description: "Taken and not used: models are text models." }),
  reasoning_effort: z.enum(EFFORTS).nullish().meta({ description: "A variable of the chat template." }),
});
export type ChatOptions = z.infer<typeof ChatOptions>;

export const ChatCompletionRequest = z.looseObject(ChatOptions.shape).meta({
  id: "ChatCompletionRequest",
  example: {
    model: "tide-nano",
    messages: [{ role: "user", content: "What is 17 + 25?" }],
    max_tokens: 32,
    temperature: 0,
  },
});

const ChatTokenLogprob = z.object({
  token: z.string(),
  logprob: z.number(),
  bytes: z.array(z.number().int()).nullable(),
});

export const ChatLogprobs = z
  .object({ content: z.array(ChatTokenLogprob.extend({ top_logprobs: z.array(ChatTokenLogprob) })).nullable() })
  .meta({ id: "ChatLogprobs" });

export const ChatToolCall = z
  .object({
    id: z.string(),
    type: z.literal("function"),
    function: z.object({ name: z.string(), arguments: z.string().meta({ description: "JSON text." }) }),
  })
  .meta({
    id: "ChatToolCall",
    example: { id: "chatcmpl-tool-8f14e45fceea167a", type: "function", function: { name: "add", arguments: "{}" } },
  });

export const ChatMessageOut = z
  .object({
    role: z.string(),
    content: z.string().nullable(),
    refusal: z.null(),
    annotations: z.null(),
    audio: z.null(),
    function_call: z.null(),
    tool_calls: z.array(ChatToolCall).optional(),
    reasoning: z.null(),
  })
  .meta({ id: "ChatMessageOut" });

const ChatFinishReason = z.enum([...FinishReason.options, "tool_calls"]).meta({ id: "ChatFinishReason" });

export const ChatChoice = z
  .object({
    index: z.number().int(),
    message: ChatMessageOut,
    logprobs: ChatLogprobs.nullable(),
    finish_reason: ChatFinishReason.nullable(),
    stop_reason: z.union([z.string(), z.number().int()]).nullable(),
    token_ids: z.array(z.number().int()).nullable(),
    routed_experts: z.null(),
  })
  .meta({ id: "ChatChoice" });

export const ChatCompletionResponse = z
  .looseObject({
    id: z.string(),
    object: z.literal("chat.completion"),
    created: z.number().int(),
    model: z.string(),
    choices: z.array(ChatChoice),
    service_tier: z.null(),
    system_fingerprint: z.string().nullable(),
    usage: Usage,
    prompt_logprobs: PromptLogprobs.nullable(),
    prompt_token_ids: z.array(z.number().int()).nullable(),
    weight_version: WeightVersionField.optional(),
    weight_digest: WeightDigestField.optional(),
  })
  .meta({
    id: "ChatCompletionResponse",
    example: {
      id: "chatcmpl-6f1c",
      object: "chat.completion",
      created: 1_795_401_568,
      model: "tide-nano",
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            content: "17 + 25 = 42",
            refusal: null,
            annotations: null,
            audio: null,
            function_call: null,
            reasoning: null,
          },
          logprobs: null,
          finish_reason: "stop",
          stop_reason: null,
          token_ids: null,
          routed_experts: null,
        },
      ],
      service_tier: null,
      system_fingerprint: "tidegate-0f0f0f0f",
      usage: {
        prompt_tokens: 16,
        total_tokens: 24,
        completion_tokens: 8,
        prompt_tokens_details: null,
        completion_tokens_details: null,
      },
      prompt_logprobs: null,
      prompt_token_ids: null,
      weight_version: 1,
      weight_digest: `sha256:${"0f".repeat(32)}`,
    },
  });
