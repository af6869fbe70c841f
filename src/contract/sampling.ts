/** Sampling parameters, neutral form: types and bounds only. */

/**
 * Candidates per position that one request may ask for unless the operator says otherwise. vLLM allows 20 by default,
 * but TRL starts it without a limit and asks teachers for 100. Bounds the size of an answer.
 */
export const LOGPROBS_LIMIT = 200;

/** Candidates per output token in OpenAI's dialect unless the operator says otherwise: vLLM's `--max-logprobs`. */
export const OUTPUT_LOGPROBS_LIMIT = 20;

/** What every text of an answer is to be. */
export type OutputConstraint =
  /** A value of a JSON schema, given as JSON text. */
  | { readonly kind: "json"; readonly schema: string }
  /** Any JSON object. */
  | { readonly kind: "json_object" }
  /** A match of the whole text. */
  | { readonly kind: "regex"; readonly pattern: string }
  | { readonly kind: "choice"; readonly choices: readonly string[] }
  /** EBNF with a rule `root`. */
  | { readonly kind: "grammar"; readonly grammar: string }
  /** Free text with constrained parts, as JSON text (XGrammar's structural tag). */
  | { readonly kind: "structural_tag"; readonly tag: string };

/** vLLM 0.32's `StructuredOutputsParams`, neutral form. */
export interface StructuredOutputs {
  readonly constraint: OutputConstraint;
  /** No whitespace between the signs of JSON; default false. */
  readonly disableAnyWhitespace?: boolean;
  /** A regular expression of the whitespace between the signs of JSON. */
  readonly whitespacePattern?: string;
  /** The request's field, for messages: `structured_outputs`, `response_format`. */
  readonly param: string;
}

/**
 * Sampling parameters, neutral form. `undefined` means "the caller said nothing": the engine then takes the model's
 * generation_config.json, then vLLM's default. Order of operations and definitions: vLLM 0.32 `SamplingParams`.
 */
export interface SamplingParams {
  /** Samples per prompt; default 1. */
  readonly n?: number | undefined;
  /** New tokens at most; undefined = up to the context end. */
  readonly maxTokens?: number | undefined;
  /**
   * The caller's name of `maxTokens`. With it more than the model's context is refused, as in vLLM's OpenAI routes;
   * without it the output is cut where the context ends, as in `LLM.generate`.
   */
  readonly maxTokensField?: string;
  /** eos and stop tokens are masked before so many tokens exist; default 0. */
  readonly minTokens?: number | undefined;
  /** 0 = greedy; default 1. */
  readonly temperature?: number | undefined;
  /** (0, 1]; default 1. */
  readonly topP?: number | undefined;
  /** 0 or -1 = off; default off. */
  readonly topK?: number | undefined;
  /** [0, 1]; default 0 = off. */
  readonly minP?: number | undefined;
  /** > 0; default 1 = off. Over prompt and output tokens. */
  readonly repetitionPenalty?: number | undefined;
  /** [-2, 2]; default 0. Over output tokens. */
  readonly presencePenalty?: number | undefined;
  /** [-2, 2]; default 0. Over output tokens. */
  readonly frequencyPenalty?: number | undefined;
  /** Same seed, prompt and parameters: same tokens, whatever else is in the batch. undefined = random. */
  readonly seed?: number | undefined;
  readonly stop?: readonly string[] | undefined;
  readonly stopTokenIds?: readonly number[] | undefined;
  readonly includeStopStrInOutput?: boolean | undefined;
  readonly ignoreEos?: boolean | undefined;
  /** Special tokens leave no text; default true. */
  readonly skipSpecialTokens?: boolean | undefined;
  /** Candidates per output token; 0 = the sampled token only; -1 = all; undefined = none. */
  readonly logprobs?: number | undefined;
  /** Candidates per prompt token; -1 = all; undefined = none. */
  readonly promptLogprobs?: number | undefined;
  /** token id → added to its logit, [-100, 100]. */
  readonly logitBias?: Readonly<Record<string, number>> | undefined;
  readonly allowedTokenIds?: readonly number[] | undefined;
  readonly badWords?: readonly string[] | undefined;
  readonly structuredOutputs?: StructuredOutputs | undefined;
}
