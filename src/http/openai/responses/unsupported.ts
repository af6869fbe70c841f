/** Fields of `/v1/responses` that ask for a store, for tools or for a background: refused by name, never ignored. */
import { GatewayError, showValue } from "../../../errors.ts";

type Body = Readonly<Record<string, unknown>>;

const LOGPROBS = "message.output_text.logprobs";

/** Whose very presence asks for what is not there. */
const FIELDS: readonly (readonly [field: string, mend: string])[] = [
  ["previous_response_id", "no response is kept: send the whole conversation as input"],
  ["conversation", "no conversation is kept: send it as input"],
  ["prompt", "there are no stored prompts: send instructions and input"],
  ["previous_input_messages", "send the whole conversation as input"],
  ["context_management", "send what is to be read as input"],
  ["moderation", "there is none"],
  ["tools", "use /v1/chat/completions for tool calls"],
  ["max_tool_calls", "there are no tools here"],
  ["enable_response_messages", "ask /v1/chat/completions with return_token_ids"],
];

/** Values that ask for nothing else than what is done anyway. */
const ACCEPTED: readonly (readonly [field: string, values: readonly unknown[], mend: string])[] = [
  ["store", [false], "no response is kept: send store false, or leave it out"],
  ["background", [false], "the answer comes at once or as a stream"],
  ["tool_choice", ["auto", "none"], "there are no tools here"],
  ["service_tier", ["auto", "default"], "there is one tier"],
  ["priority", [0], "requests are served in their order"],
];

const isAbsent = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === false ||
  (typeof value === "object" && Object.keys(value).length === 0);

const refuse = (param: string, value: unknown, mend: string): GatewayError =>
  new GatewayError("unsupported", `${param} ${showValue(value)} is not supported on embedded replicas: ${mend}.`, {
    param,
  });

/** Throws GatewayError `unsupported` with the field and what to do instead. */
export function refuseUnsupportedResponse(body: Body): void {
  for (const [field, mend] of FIELDS) if (!isAbsent(body[field])) throw refuse(field, body[field], mend);
  for (const [field, values, mend] of ACCEPTED) {
    const value = body[field];
    if (value !== undefined && value !== null && !values.includes(value)) throw refuse(field, value, mend);
  }
  if (Array.isArray(body.include)) {
    const other = body.include.find((one) => one !== LOGPROBS);
    if (other !== undefined) throw refuse("include", other, `only "${LOGPROBS}" can be included`);
  }
  const verbosity = (body.text as Body | null | undefined)?.verbosity ?? "medium";
  if (verbosity !== "medium") throw refuse("text.verbosity", verbosity, "say it in the instructions");
  const reasoning = body.reasoning as Body | null | undefined;
  for (const name of ["summary", "generate_summary"]) {
    if (!isAbsent(reasoning?.[name])) throw refuse(`reasoning.${name}`, reasoning?.[name], "there are no summaries");
  }
}

/** Does `include` ask for log probabilities? */
export const includesLogprobs = (include: readonly string[] | null | undefined): boolean =>
  include?.includes(LOGPROBS) === true;
