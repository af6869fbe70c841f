/**
 * `POST /v1/responses` as vLLM 0.32 has it, plus the weight stamp: text in, text out. Nothing is kept between two
 * requests. What only a store, tools or other media could do is refused by name.
 */
import { z } from "zod";
import { EFFORTS, TemplateFields } from "./chat.ts";
import { SamplingFields, WeightDigestField, WeightVersionField } from "./sampling.ts";

const InputPart = z.looseObject({ type: z.string(), text: z.string().optional() }).meta({
  id: "ResponseInputPart",
  description: "`input_text` or `output_text`.",
  example: { type: "input_text", text: "What is 17 + 25?" },
});

export const ResponseInputItem = z
  .looseObject({
    type: z.string().nullish().meta({ description: "`message`, or left out." }),
    role: z.string().optional().meta({ description: "user, assistant, system or developer." }),
    content: z.union([z.string(), z.array(InputPart)], { error: "a string or a list of content parts" }).optional(),
    status: z.string().nullish().meta({ description: "`incomplete` on the last one: it is continued." }),
  })
  .meta({ id: "ResponseInputItem", example: { role: "user", content: "What is 17 + 25?" } });
export type ResponseInputItem = z.infer<typeof ResponseInputItem>;

const TextFormat = z
  .looseObject({
    type: z.enum(["text", "json_object", "json_schema"]),
    name: z.string().nullish(),
    description: z.string().nullish(),
    schema: z.record(z.string(), z.unknown()).nullish().meta({ description: "The JSON schema." }),
    strict: z.boolean().nullish(),
  })
  .meta({ id: "ResponseTextFormat", example: { type: "json_object" } });

const {
  model,
  temperature,
  top_p,
  top_k,
  min_p,
  repetition_penalty,
  presence_penalty,
  frequency_penalty,
  seed,
  stop,
  stop_token_ids,
  include_stop_str_in_output,
  ignore_eos,
  skip_special_tokens,
  logit_bias,
  structured_outputs,
  stream,
  cache_salt,
  request_id,
  user,
} = SamplingFields;

/** Everything of a request that an embedded replica understands. */
export const ResponseOptions = z.object({
  model,
  input: z.union([z.string(), z.array(ResponseInputItem)], { error: "a text or a list of messages" }),
  instructions: z.string().nullish().meta({ description: "A system message before the input." }),
  max_output_tokens: z.number().int().min(1).nullish().meta({ description: "Default: up to the context end." }),
  text: z
    .looseObject({ format: TextFormat.nullish() })
    .nullish()
    .meta({ description: "`format` json_schema or json_object: the text is held to it." }),
  include: z.array(z.string()).nullish().meta({ description: "`message.output_text.logprobs`." }),
  top_logprobs: z
    .number()
    .int()
    .min(-1)
    .nullish()
    .meta({ description: "Candidates per token, where `include` asks for log probabilities." }),
  reasoning: z
    .looseObject({ effort: z.enum(EFFORTS).nullish() })
    .nullish()
    .meta({ description: "`effort` is a variable of the chat template." }),
  truncation: z
    .enum(["auto", "disabled"])
    .nullish()
    .meta({ description: "auto: a prompt over the context loses its beginning. Default disabled." }),
  metadata: z.record(z.string(), z.string()).nullish().meta({ description: "Given back as it came." }),
  chat_template_kwargs: TemplateFields.chat_template_kwargs,
  ...{ temperature, top_p, top_k, min_p, repetition_penalty, presence_penalty, frequency_penalty, seed, stop },
  ...{ stop_token_ids, include_stop_str_in_output, ignore_eos, skip_special_tokens, logit_bias, structured_outputs },
  ...{ stream, cache_salt, request_id, user },
});
export type ResponseOptions = z.infer<typeof ResponseOptions>;

export const ResponseRequest = z.looseObject(ResponseOptions.shape).meta({
  id: "ResponseRequest",
  example: { model: "tide-nano", input: "What is 17 + 25?", max_output_tokens: 32, temperature: 0 },
});

const TokenLogprob = z.object({ token: z.string(), logprob: z.number(), bytes: z.array(z.number().int()) });

const OutputText = z
  .object({
    type: z.literal("output_text"),
    text: z.string(),
    annotations: z.array(z.unknown()),
    logprobs: z.array(TokenLogprob.extend({ top_logprobs: z.array(TokenLogprob) })),
  })
  .meta({ id: "ResponseOutputText" });

const OutputMessage = z
  .object({
    id: z.string(),
    type: z.literal("message"),
    role: z.literal("assistant"),
    status: z.enum(["in_progress", "completed", "incomplete"]),
    content: z.array(OutputText),
  })
  .meta({ id: "ResponseOutputMessage" });

const ResponseUsage = z
  .object({
    input_tokens: z.number().int(),
    input_tokens_details: z.object({ cached_tokens: z.number().int(), cache_write_tokens: z.number().int() }),
    output_tokens: z.number().int(),
    output_tokens_details: z.object({ reasoning_tokens: z.number().int() }),
    total_tokens: z.number().int(),
  })
  .meta({ id: "ResponseUsage" });

export const ResponseAnswer = z
  .looseObject({
    id: z.string(),
    object: z.literal("response"),
    created_at: z.number().int(),
    status: z.enum(["in_progress", "completed", "incomplete", "cancelled"]),
    model: z.string(),
    output: z.array(OutputMessage),
    incomplete_details: z.object({ reason: z.literal("max_output_tokens") }).nullable(),
    usage: ResponseUsage.nullable(),
    temperature: z.number().nullable().meta({ description: "As asked for; null = the model's own." }),
    top_p: z.number().nullable(),
    max_output_tokens: z.number().int().nullable(),
    store: z.literal(false),
    weight_version: WeightVersionField.optional(),
    weight_digest: WeightDigestField.optional(),
  })
  .meta({
    id: "Response",
    example: {
      id: "resp_6f1c",
      object: "response",
      created_at: 1_795_401_568,
      status: "completed",
      model: "tide-nano",
      output: [
        {
          id: "msg_0f0f",
          type: "message",
          role: "assistant",
          status: "completed",
          content: [{ type: "output_text", text: "17 + 25 = 42", annotations: [], logprobs: [] }],
        },
      ],
      incomplete_details: null,
      usage: {
        input_tokens: 16,
        input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
        output_tokens: 8,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: 24,
      },
      temperature: 0,
      top_p: null,
      max_output_tokens: 32,
      store: false,
      weight_version: 1,
      weight_digest: `sha256:${"0f".repeat(32)}`,
    },
  });
