/** Sampling parameters as users write them: TRL's and vLLM's snake_case or camelCase, one spelling on the wire. */

/**
 * Values for one `generate` or `chat`. Both spellings of a name are accepted. The defaults are those of TRL's Python
 * client, and they are sent: a server would otherwise take them from the model's `generation_config.json`.
 */
export interface ClientSamplingParams {
  /** Samples per prompt; default 1. */
  readonly n?: number;
  /** 0 = greedy; default 1. */
  readonly temperature?: number;
  /** Default 1: no truncation. */
  readonly topP?: number;
  /** Default 0; 0, -1 and null: no truncation. */
  readonly topK?: number | null;
  /** Default 0; null is 0. */
  readonly minP?: number | null;
  /** Default 1: none. */
  readonly repetitionPenalty?: number;
  readonly presencePenalty?: number;
  readonly frequencyPenalty?: number;
  /** New tokens per sample; default 16. */
  readonly maxTokens?: number;
  readonly minTokens?: number;
  readonly seed?: number;
  readonly stop?: string | readonly string[];
  readonly stopTokenIds?: readonly number[];
  readonly ignoreEos?: boolean;
  /** Candidates per output token: 0 (default) = the sampled one only, null = no logprobs. */
  readonly logprobs?: number | null;
  /** The answer must match this regular expression. */
  readonly structuredOutputsRegex?: string | null;
  /** Further fields in vLLM's spelling; they override the others, as in TRL. */
  readonly generationKwargs?: Readonly<Record<string, unknown>> | null;
  /** Any other field of vLLM's, in its own spelling. */
  readonly [snakeCase: string]: unknown;
}

/** What TRL 1.16's client sends when nothing is said (`trl/generation/vllm_client.py`). */
const DEFAULTS = {
  n: 1,
  repetition_penalty: 1,
  temperature: 1,
  top_p: 1,
  top_k: 0,
  min_p: 0,
  max_tokens: 16,
} as const;

/** Where pixels would go. Nothing here reads images, and leaving one out silently would answer another question. */
const IMAGES: ReadonlySet<string> = new Set(["images", "image", "features", "multi_modal_data"]);

/** Names of the regular expression: TRL since 0.27, TRL before, vLLM before 0.12. */
const REGEX = ["structured_outputs_regex", "guided_decoding_regex", "guided_regex"];

/** `topP` → `top_p`; a name that is snake_case already stays. */
export const toSnakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** The fields of one call, sorted out once for every dialect. */
export interface WireSampling {
  /** Sampling fields in vLLM's names, the defaults included. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** null = none wanted. */
  readonly logprobs: number | null;
  readonly regex: string | null;
  /** Sent last: they override. */
  readonly overrides: Readonly<Record<string, unknown>>;
  /** Samples per prompt as the server will see it. */
  readonly n: number;
}

/**
 * Sorts out what a caller wrote. When both spellings of a name are given the later one counts; null is as if left out.
 *
 * @throws TypeError naming the field, for image inputs and for `stream`.
 */
export function toWireSampling(sampling: ClientSamplingParams): WireSampling {
  const fields: Record<string, unknown> = { ...DEFAULTS };
  let logprobs: number | null = 0;
  let regex: string | null = null;
  let overrides: Readonly<Record<string, unknown>> = {};
  for (const [given, value] of Object.entries(sampling)) {
    const name = toSnakeCase(given);
    if (value === undefined) continue;
    if (name === "logprobs") logprobs = value as number | null;
    else if (value === null) {
      if (name in DEFAULTS) fields[name] = DEFAULTS[name as keyof typeof DEFAULTS];
    } else if (IMAGES.has(name)) throw refuseImages(given);
    else if (name === "stream") refuseStream(value);
    else if (REGEX.includes(name)) regex = String(value);
    else if (name === "generation_kwargs") overrides = value as Record<string, unknown>;
    else fields[name] = value;
  }
  for (const [name, value] of Object.entries(overrides)) {
    if (IMAGES.has(name)) throw refuseImages(`generation_kwargs.${name}`);
    if (name === "stream") refuseStream(value);
  }
  const n = overrides.n ?? fields.n;
  return { fields, logprobs, regex, overrides, n: typeof n === "number" ? n : 1 };
}

function refuseStream(value: unknown): void {
  if (value === false) return;
  throw new TypeError(`stream must be left out: this client gives whole answers, got ${JSON.stringify(value)}.`);
}

/** The refusal of pixels by the name they came under. */
export function refuseImages(name: string): TypeError {
  return new TypeError(
    `${name} is not supported: this client sends text and token ids. For a vision model behind vLLM put image_url parts with a URL or a data URL into the messages of chat().`,
  );
}

/** `structured_outputs` as vLLM takes it since 0.12. */
export const toStructuredOutputs = (regex: string | null): Record<string, unknown> =>
  regex === null ? {} : { structured_outputs: { regex } };
