/** What the request layer needs of the served model besides its weights: words, template, defaults, end tokens. */
import { type Checkpoint, openCheckpoint } from "../../checkpoint/checkpoint.ts";
import type { SamplingParams } from "../../contract/sampling.ts";
import type { Files } from "../../ports.ts";
import { type ChatTemplate, createChatTemplate } from "../../text/chat-template.ts";
import { createTokenizer, type Tokenizer } from "../../text/tokenizer.ts";
import { openGgufCheckpoint } from "../gguf/checkpoint.ts";

/** Sampling defaults that generation_config.json may set; vLLM 0.32 takes exactly these (`get_diff_sampling_param`). */
export type SamplingDefaults = Pick<
  SamplingParams,
  "repetitionPenalty" | "temperature" | "topK" | "topP" | "minP" | "maxTokens"
>;

export interface ServedModel {
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate | null;
  readonly defaults: SamplingDefaults;
  /** The tokenizer's own end token; it ends a sequence without a stop reason. */
  readonly eosTokenId: number | undefined;
  /** Further end tokens of generation_config.json; vLLM treats them as stop tokens. */
  readonly extraEosTokenIds: readonly number[];
  /** Prompt and output tokens of one sequence. */
  readonly maxModelLen: number;
  /** Rows of the model's embedding; ids from 0 to one less are accepted. */
  readonly vocabSize: number;
}

const numberOf = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined;

const idsOf = (value: unknown): number[] =>
  (Array.isArray(value) ? value : [value]).filter((id): id is number => Number.isInteger(id) && (id as number) >= 0);

function toDefaults(config: Checkpoint["generationConfig"]): SamplingDefaults {
  return {
    repetitionPenalty: numberOf(config.repetition_penalty),
    temperature: numberOf(config.temperature),
    topK: numberOf(config.top_k),
    topP: numberOf(config.top_p),
    minP: numberOf(config.min_p),
    maxTokens: numberOf(config.max_new_tokens),
  };
}

const openAnyCheckpoint = async (files: Files, path: string): Promise<Checkpoint> =>
  (await files.stat(path))?.kind === "file" ? await openGgufCheckpoint(files, path) : await openCheckpoint(files, path);

/** The words of a model directory or a GGUF file; the weights are loaded apart. Throws what `openCheckpoint` and `createTokenizer` throw. */
export async function openWords(
  files: Files,
  directory: string,
): Promise<Omit<ServedModel, "maxModelLen" | "vocabSize">> {
  const checkpoint = await openAnyCheckpoint(files, directory);
  const tokenizer = createTokenizer(checkpoint.tokenizerJson, checkpoint.tokenizerConfig);
  const configured = [...idsOf(checkpoint.generationConfig.eos_token_id), ...idsOf(checkpoint.config.eos_token_id)];
  const named = tokenizer.specialTokens.eos_token;
  const eosTokenId = (named === undefined ? undefined : tokenizer.tokenId(named)) ?? configured[0];
  return {
    tokenizer,
    template: checkpoint.chatTemplate === null ? null : createChatTemplate(checkpoint.chatTemplate),
    defaults: toDefaults(checkpoint.generationConfig),
    eosTokenId,
    extraEosTokenIds: [...new Set(configured)].filter((id) => id !== eosTokenId),
  };
}
