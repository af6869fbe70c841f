/**
 * Fields that vLLM honors and embedded replicas cannot: refused by name. Ignoring a constraint silently would give
 * answers that look right and are not.
 */
import { GatewayError, showValue } from "../../errors.ts";

type Body = Readonly<Record<string, unknown>>;

/** Older spellings of `structured_outputs`: vLLM 0.32 ignores them, and an answer that ignores them looks right and is not. */
const CONSTRAINTS = [
  "guided_json",
  "guided_regex",
  "guided_choice",
  "guided_grammar",
  "guided_decoding_backend",
  "guided_whitespace_pattern",
];

/** Known fields whose very presence (other than null, false or empty) asks for what is not there. */
const FIELDS = [
  "prompt_embeds",
  "repetition_detection",
  "logits_processors",
  "watermarking",
  "kv_transfer_params",
  "ec_transfer_params",
  "vllm_xargs",
  "functions",
  "audio",
  "return_token_offsets",
];

/** Any value of these asks for it, an empty one too. */
const ASKING = ["suffix", "logprob_token_ids"];

/** vLLM: a budget of -1 is none. */
const UNLIMITED = -1;

const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === false ||
  value === "" ||
  (typeof value === "object" && Object.keys(value).length === 0);

function refuse(param: string, value: unknown): GatewayError {
  return new GatewayError(
    "unsupported",
    `${param} is not supported on embedded replicas yet, got ${showValue(value)}. Leave it out, or attach a vLLM server that supports it.`,
    { param },
  );
}

/** Throws GatewayError `unsupported` for the first field that asks for a feature that is not there. */
export function refuseUnsupported(body: Body): void {
  for (const field of FIELDS) if (!isEmpty(body[field])) throw refuse(field, body[field]);
  for (const field of CONSTRAINTS) {
    if (isEmpty(body[field])) continue;
    throw new GatewayError(
      "unsupported",
      `${field} is not supported (vLLM removed it, too): send structured_outputs.`,
      {
        param: field,
      },
    );
  }
  for (const field of ASKING) if (body[field] !== undefined && body[field] !== null) throw refuse(field, body[field]);
  if (body.thinking_token_budget !== UNLIMITED && !isEmpty(body.thinking_token_budget)) {
    throw refuse("thinking_token_budget", body.thinking_token_budget);
  }
  if (body.use_beam_search === true) throw refuse("use_beam_search", true);
  if (body.best_of !== undefined && body.best_of !== null && body.best_of !== (body.n ?? 1)) {
    throw refuse("best_of", body.best_of);
  }
  // Where special tokens leave no text there is nothing between them.
  if (body.spaces_between_special_tokens === false && body.skip_special_tokens === false)
    throw refuse("spaces_between_special_tokens", false);
  const modalities = body.modalities;
  if (Array.isArray(modalities) && modalities.some((one) => one !== "text")) throw refuse("modalities", modalities);
}
