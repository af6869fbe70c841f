/** What the request layer needs of the served model besides its weights: words, template, defaults, end tokens. */
import { type Checkpoint, openCheckpoint } from "../../checkpoint/checkpoint.ts";
import { readConfig, readJsonFile, resolveDirectory } from "../../checkpoint/read-files.ts";
import type { SamplingParams } from "../../contract/sampling.ts";
import { GatewayError, showValue } from "../../errors.ts";
import type { Files } from "../../ports.ts";
import { createNoTokenizer } from "../../text/no-tokenizer.ts";
import { createTemplateSet, type TemplateSet } from "../../text/template-set.ts";
import { createTokenizer, type Tokenizer } from "../../text/tokenizer.ts";
import { openGgufCheckpoint, openGgufNumbers } from "../gguf/checkpoint.ts";
import type { Json } from "../json-fields.ts";
import { checkVocabulary } from "./check-vocabulary.ts";
import { type Matryoshka, toMatryoshka } from "./dimensions.ts";

/** Sampling defaults that generation_config.json may set; vLLM 0.32 takes exactly these (`get_diff_sampling_param`). */
export type SamplingDefaults = Pick<
  SamplingParams,
  "repetitionPenalty" | "temperature" | "topK" | "topP" | "minP" | "maxTokens"
>;

export interface ServedModel {
  /** One that refuses text where the worker was started without. */
  readonly tokenizer: Tokenizer;
  /** Token ids in and out, no text. */
  readonly skipTokenizer?: boolean;
  readonly templates: TemplateSet;
  readonly defaults: SamplingDefaults;
  /** The tokenizer's own end token; it ends a sequence without a stop reason. */
  readonly eosTokenId: number | undefined;
  /** Further end tokens of generation_config.json; vLLM treats them as stop tokens. */
  readonly extraEosTokenIds: readonly number[];
  /** Prompt and output tokens of one sequence. */
  readonly maxModelLen: number;
  /** Rows of the model's embedding; ids from 0 to one less are accepted. */
  readonly vocabSize: number;
  /** Candidates per token at most; -1 = all; default: LOGPROBS_LIMIT. */
  readonly maxLogprobs?: number | undefined;
  /** Logprobs of output tokens are the model's own, not of the distribution that they were drawn from. */
  readonly rawLogprobs?: boolean;
  /** Numbers of a hidden state. */
  readonly hiddenSize: number;
  /** Lengths of shorter embeddings; default none. */
  readonly matryoshka?: Matryoshka;
}

const idsOf = (value: unknown): number[] =>
  (Array.isArray(value) ? value : [value]).filter((id): id is number => Number.isInteger(id) && (id as number) >= 0);

function toDefaults(config: Checkpoint["generationConfig"], path: string): SamplingDefaults {
  const number = (field: string): number | undefined => {
    const value = config[field] ?? undefined;
    if (value === undefined || (typeof value === "number" && Number.isFinite(value))) return value;
    throw new GatewayError(
      "invalid_value",
      `${path}: generation_config.json: ${field} must be a number or null, got ${showValue(value)}. Correct it, or leave it out.`,
      { param: field },
    );
  };
  return {
    repetitionPenalty: number("repetition_penalty"),
    temperature: number("temperature"),
    topK: number("top_k"),
    topP: number("top_p"),
    minP: number("min_p"),
    maxTokens: number("max_new_tokens"),
  };
}

const toEndIds = (generationConfig: Json, config: Json): number[] => [
  ...new Set([...idsOf(generationConfig.eos_token_id), ...idsOf(config.eos_token_id)]),
];

/** What there is to know of a model without its vocabulary. */
async function openNumbers(files: Files, path: string): Promise<{ config: Json; generationConfig: Json }> {
  if ((await files.stat(path))?.kind === "file") return await openGgufNumbers(files, path);
  const root = await resolveDirectory(files, path);
  const config = (await readConfig(files, root)).value;
  return {
    config,
    generationConfig: (await readJsonFile(files, files.resolve(root, "generation_config.json")))?.value ?? {},
  };
}

async function openAnyCheckpoint(files: Files, path: string): Promise<Checkpoint> {
  if ((await files.stat(path))?.kind === "file") return await openGgufCheckpoint(files, path);
  try {
    return await openCheckpoint(files, path);
  } catch (error) {
    if (!(error instanceof GatewayError) || !error.message.includes("no tokenizer.json")) throw error;
    throw new GatewayError(error.code, `${error.message} Or serve token ids alone with --skip-tokenizer-init.`);
  }
}

/** The words of a model directory or a GGUF file; the weights are loaded apart. Throws what `openCheckpoint` and `createTokenizer` throw. */
export async function openWords(
  files: Files,
  directory: string,
  skipTokenizer = false,
): Promise<Omit<ServedModel, "maxModelLen" | "vocabSize" | "hiddenSize">> {
  if (skipTokenizer) {
    const { config, generationConfig } = await openNumbers(files, directory);
    const [eosTokenId, ...extraEosTokenIds] = toEndIds(generationConfig, config);
    const defaults = toDefaults(generationConfig, directory);
    const templates = createTemplateSet(null);
    const matryoshka = toMatryoshka(config);
    return {
      tokenizer: createNoTokenizer(),
      skipTokenizer,
      templates,
      defaults,
      eosTokenId,
      extraEosTokenIds,
      matryoshka,
    };
  }
  const checkpoint = await openAnyCheckpoint(files, directory);
  const tokenizer = createTokenizer(checkpoint.tokenizerJson, checkpoint.tokenizerConfig);
  checkVocabulary(tokenizer, checkpoint.config.vocab_size, {
    path: directory,
    tokenizerJson: checkpoint.tokenizerJson,
  });
  const configured = toEndIds(checkpoint.generationConfig, checkpoint.config);
  const named = tokenizer.specialTokens.eos_token;
  const eosTokenId = (named === undefined ? undefined : tokenizer.tokenId(named)) ?? configured[0];
  return {
    tokenizer,
    templates: createTemplateSet(checkpoint.chatTemplate),
    defaults: toDefaults(checkpoint.generationConfig, directory),
    eosTokenId,
    extraEosTokenIds: configured.filter((id) => id !== eosTokenId),
    matryoshka: toMatryoshka(checkpoint.config),
  };
}
