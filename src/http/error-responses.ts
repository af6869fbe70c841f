/** OpenAPI descriptions of the errors of the OpenAI, vLLM and TRL routes: from codes to responses with examples. */
import { OpenAiError } from "../contract/openai/errors.ts";
import { TrlError, TrlValidationError } from "../contract/trl/errors.ts";
import { type ErrorCode, GatewayError } from "../errors.ts";
import { isTrlValidation, toOpenAiError, toTrlDetail } from "./problem.ts";

/** One example: `[code, message, param]`. */
export type ErrorCase = readonly [code: ErrorCode, message: string, param?: string];

type ErrorSchema = typeof OpenAiError | typeof TrlError | typeof TrlValidationError;

export interface ErrorResponse {
  readonly description: string;
  readonly content: {
    readonly "application/json": {
      readonly schema: ErrorSchema;
      readonly examples: Record<string, { summary: string; value: unknown }>;
    };
  };
}

function build(cases: readonly ErrorCase[], trl: boolean): Record<string, ErrorResponse> {
  const responses: Record<string, ErrorResponse> = {};
  for (const [code, message, param] of cases) {
    const error = new GatewayError(code, message, param === undefined ? {} : { param });
    const validation = trl && isTrlValidation(code);
    const status = validation ? 422 : error.status;
    const known = responses[status];
    const value = trl ? { detail: toTrlDetail(error) } : toOpenAiError(error);
    const schema = trl ? (validation ? TrlValidationError : TrlError) : OpenAiError;
    responses[status] = {
      description: known === undefined ? `\`${code}\`` : `${known.description}, \`${code}\``,
      content: {
        "application/json": {
          schema,
          examples: { ...known?.content["application/json"].examples, [code]: { summary: code, value } },
        },
      },
    };
  }
  return responses;
}

/** Responses of OpenAI and vLLM routes. 401, 403 and what every route may answer are added by the document. */
export const openAiErrors = (...cases: readonly ErrorCase[]): Record<string, ErrorResponse> => build(cases, false);

/** Responses of TRL routes: validation is 422 there. */
export const trlErrors = (...cases: readonly ErrorCase[]): Record<string, ErrorResponse> => build(cases, true);

/** What every call that generates may answer besides its own complaints. */
export const GENERATION_ERRORS: readonly ErrorCase[] = [
  ["invalid_value", "temperature must be at most 2, got 3.", "temperature"],
  ["malformed_json", "The request body is not valid JSON: it is not UTF-8"],
  ["missing_field", "prompt is required: a text or token ids.", "prompt"],
  ["limit_exceeded", "n × max_tokens × prompts must be at most 1048576, got 8 × 200000 × 1 = 1600000.", "max_tokens"],
  [
    "context_length_exceeded",
    "This model's maximum context length is 512 tokens. However, your prompt contains 600 input tokens.",
    "prompt",
  ],
  ["unsupported", "structured_outputs is not supported on embedded replicas yet.", "structured_outputs"],
  ["model_not_found", "The model `nope` does not exist. Valid aliases: tide-nano.", "model"],
  ["version_unavailable", "No replica has weight version 9 or newer; the newest is 8.", "x-min-weight-version"],
  ["payload_too_large", "The request body must be at most 67108864 bytes."],
  ["replica_failed", "Replica embedded-0 failed while it made the answer."],
  ["too_many_requests", "4096 sequences wait already. Ask again later."],
  ["internal", "An unexpected error occurred; the log has it under this request id."],
  ["upstream_failed", "http://127.0.0.1:8001 refused the connection."],
  ["no_replica", "No replica is ready."],
  ["deadline_exceeded", "The request took longer than 3600 s."],
];
