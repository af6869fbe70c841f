/** TRL's sampling fields → the neutral request. `generation_kwargs` come last and override, as in TRL's server. */

import { z } from "zod";
import type { GenerateRequest, Prompt } from "../../contract/generation.ts";
import { SamplingFields } from "../../contract/openai/sampling.ts";
import { TrlChatOptions, TrlGenerateOptions } from "../../contract/trl/generate.ts";
import { invalidValue } from "../../errors.ts";
import { parseExactJson } from "../exact-json.ts";
import { checkTokenBudget } from "../limits.ts";
import { chooseRequestTemplate } from "../openai/chat-prompt.ts";
import { toCacheSalt } from "../openai/to-cache-salt.ts";
import { toMessages } from "../openai/to-messages.ts";
import { toPrompts } from "../openai/to-prompts.ts";
import { toSampling } from "../openai/to-sampling.ts";
import { toStructuredOutputs } from "../openai/to-structured.ts";
import { toTruncation } from "../openai/to-truncation.ts";
import { refuseUnsupported } from "../openai/unsupported.ts";
import { validate } from "../validation.ts";

/** `generation_kwargs`: vLLM's SamplingParams by name. */
const GenerationKwargs = z.object({
  ...SamplingFields,
  max_tokens: z.number().int().min(1).nullish(),
  logprobs: TrlGenerateOptions.shape.logprobs,
  truncate_prompt_tokens: TrlGenerateOptions.shape.truncate_prompt_tokens,
});

export interface ParsedTrl {
  readonly request: GenerateRequest;
  readonly prompts: number;
  readonly samples: number;
  /** Candidates per token; undefined = the caller wants none. */
  readonly logprobs: number | undefined;
  /** As TRL 0.23 to 0.28 reads it: one logprob per position. */
  readonly flatLogprobs: boolean;
}

interface Surroundings {
  readonly requestId: string;
  readonly maxTokensPerRequest: number;
  readonly trustRequestChatTemplate?: boolean;
}

type Body = Readonly<Record<string, unknown>>;

/**
 * Clients before 0.29 do not know the field `logprobs`, and read one number per position; they are told by a field
 * that only they send (`guided_decoding_regex` until 0.26, `truncate_prompt_tokens` in 0.24 to 0.29).
 */
const isBeforeThreeDimensions = (body: Body): boolean =>
  !("logprobs" in body) && ("guided_decoding_regex" in body || "truncate_prompt_tokens" in body);

function toParsed(
  options: TrlGenerateOptions,
  body: Body,
  around: Surroundings,
  toPromptList: () => readonly Prompt[],
): ParsedTrl {
  refuseUnsupported(body);
  const kwargs = options.generation_kwargs ?? {};
  const overrides = validate(GenerationKwargs, kwargs, "generation_kwargs");
  refuseUnsupported(kwargs);
  if (overrides.stream === true) throw invalidValue("generation_kwargs.stream", true, "left out");
  const { generation_kwargs: _kwargs, logprobs: ownLogprobs, ...explicit } = options;
  const given = Object.fromEntries(Object.entries(overrides).filter(([key]) => key in kwargs));
  const fields: z.infer<typeof GenerationKwargs> = { ...explicit, ...given };
  const logprobs =
    "logprobs" in kwargs ? (overrides.logprobs ?? undefined) : (ownLogprobs ?? ("logprobs" in body ? undefined : 0));
  const prompts = toPromptList();
  const truncate = toTruncation(fields);
  const samples = fields.n ?? 1;
  const maxTokens = fields.max_tokens ?? undefined;
  checkTokenBudget({ prompts: prompts.length, samples, maxTokens: maxTokens ?? 1 }, around);
  const regex = options.structured_outputs_regex ?? options.guided_decoding_regex ?? undefined;
  const structuredOutputs =
    toStructuredOutputs(overrides, "completion") ??
    (regex === undefined
      ? undefined
      : ({ constraint: { kind: "regex", pattern: regex }, param: "structured_outputs_regex" } as const));
  const sampling = toSampling(fields, { maxTokens, logprobs, structuredOutputs });
  return {
    request: {
      requestId: around.requestId,
      prompts,
      sampling,
      echo: false,
      ...(truncate === undefined ? {} : { truncate }),
      ...toCacheSalt(fields),
    },
    prompts: prompts.length,
    samples,
    logprobs,
    flatLogprobs: isBeforeThreeDimensions(body),
  };
}

/** `POST /generate/`. Throws GatewayError. The list of prompts must not be empty (the route answers that by itself). */
export function parseTrlGenerate(body: Record<string, unknown>, around: Surroundings): ParsedTrl {
  const { prompts, ...rest } = body;
  const options = validate(TrlGenerateOptions, rest);
  const images = body.images;
  if (Array.isArray(images) && images.some((image) => image !== null)) {
    throw invalidValue("images", "(images)", "left out: embedded replicas serve text models");
  }
  if (!Array.isArray(prompts)) throw invalidValue("prompts", prompts, "a list of texts or of token id lists");
  if (typeof prompts[0] === "number") throw invalidValue("prompts.0", prompts[0], "a text or a list of token ids");
  return toParsed(options, body, around, () => toPrompts(prompts, { addSpecialTokens: true, param: "prompts" }));
}

/** The template is an argument of its own. */
const withoutTemplate = (kwargs: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(kwargs).filter(([name]) => name !== "chat_template"));

/** `POST /chat/`; `bytes` is the body as it was sent, for the numbers in it. Throws GatewayError. */
export function parseTrlChat(body: Record<string, unknown>, around: Surroundings, bytes?: Uint8Array): ParsedTrl {
  const options = validate(TrlChatOptions, body);
  const { messages, tools: _tools, chat_template, chat_template_kwargs, ...rest } = options;
  return toParsed(rest, body, around, () => {
    // As vLLM's LLM.chat, which TRL's server calls without saying otherwise; it shows tools as they were sent.
    const exactBody = bytes === undefined ? undefined : parseExactJson(bytes);
    const shownIn = (source: TrlChatOptions, index: number) => ({
      messages: toMessages(source.messages[index] ?? [], `messages.${index}`),
      tools: (source.tools ?? []).length === 0 ? null : (source.tools ?? null),
      templateKwargs: withoutTemplate(source.chat_template_kwargs ?? {}),
    });
    const template = chooseRequestTemplate(chat_template, chat_template_kwargs, around);
    return messages.map((_conversation, index) => {
      const shown = shownIn(options, index);
      const exact =
        exactBody === undefined ? undefined : JSON.stringify(shownIn(exactBody as unknown as TrlChatOptions, index));
      return {
        kind: "chat",
        ...shown,
        addGenerationPrompt: true,
        continueFinalMessage: false,
        ...(template === undefined ? {} : { chatTemplate: template }),
        ...(exact === undefined || exact === JSON.stringify(shown) ? {} : { exact }),
        addSpecialTokens: false,
      };
    });
  });
}
