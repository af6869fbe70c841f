/**
 * `structured_outputs` and `response_format` of a request → the neutral constraint, with the refusals of vLLM 0.32
 * (`StructuredOutputsParams`, `structured_outputs_from_response_format`). What a schema holds is judged by the engine.
 */
import type { ResponseFormat, StructuredOutputsFields } from "../../contract/openai/structured.ts";
import type { OutputConstraint, StructuredOutputs } from "../../contract/sampling.ts";
import { GatewayError, invalidValue } from "../../errors.ts";

const FIELD = "structured_outputs";

const refuse = (message: string, param: string | undefined): GatewayError =>
  new GatewayError("invalid_value", message, param === undefined ? {} : { param });

const given = <T>(value: T | null | undefined): value is T => value !== null && value !== undefined;

function toText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function notBlank(value: string, name: string): string {
  if (value.trim() === "") throw refuse(`${FIELD}.${name} cannot be an empty string`, FIELD);
  return value;
}

/** Every constraint that the object names. */
function constraintsOf(fields: StructuredOutputsFields): OutputConstraint[] {
  const { json, regex, choice, grammar, json_object: object, structural_tag: tag } = fields;
  const out: OutputConstraint[] = [];
  if (given(json)) out.push({ kind: "json", schema: notBlank(toText(json), "json") });
  if (given(regex)) out.push({ kind: "regex", pattern: regex });
  if (given(choice)) {
    if (choice.length === 0) throw refuse("Choice '[]' cannot be an empty list", undefined);
    out.push({ kind: "choice", choices: choice });
  }
  if (given(grammar)) out.push({ kind: "grammar", grammar: notBlank(grammar, "grammar") });
  if (given(object)) {
    if (!object) {
      throw refuse(
        "structured_outputs.json_object must be True if set; omit structured_outputs to disable structured outputs",
        FIELD,
      );
    }
    out.push({ kind: "json_object" });
  }
  if (given(tag)) out.push({ kind: "structural_tag", tag: notBlank(toText(tag), "structural_tag") });
  return out;
}

/** The constraint of a response format; undefined = any text. */
function formatConstraint(format: ResponseFormat | null | undefined): OutputConstraint | undefined {
  if (!given(format) || format.type === "text") return undefined;
  if (format.type === "json_object") return { kind: "json_object" };
  if (format.type === "structural_tag") {
    const { type: _, ...tag } = format;
    return { kind: "structural_tag", tag: JSON.stringify({ type: "structural_tag", ...tag }) };
  }
  if (!given(format.json_schema)) {
    throw refuse(
      "When response_format type is 'json_schema', the 'json_schema' field must be provided.",
      "response_format",
    );
  }
  const { schema } = format.json_schema;
  if (!given(schema)) throw invalidValue("response_format.json_schema.schema", schema, "a JSON schema");
  return { kind: "json", schema: JSON.stringify(schema) };
}

/**
 * The one constraint of a request, or undefined.
 *
 * @param dialect vLLM words one refusal differently for chat and completions
 * @throws GatewayError `invalid_value`
 */
export function toStructuredOutputs(
  fields: {
    readonly structured_outputs?: StructuredOutputsFields | null | undefined;
    readonly response_format?: ResponseFormat | null | undefined;
  },
  dialect: "chat" | "completion",
): StructuredOutputs | undefined {
  const { structured_outputs: own, response_format: format } = fields;
  const counted = [own?.json, own?.regex, own?.choice].filter(given).length;
  if (counted > 1) {
    const message = "You can only use one kind of constraints for structured outputs ('json', 'regex' or 'choice').";
    throw dialect === "chat" ? refuse(message, undefined) : refuse(`${message} (parameter=${FIELD})`, FIELD);
  }
  const formatted = formatConstraint(format);
  const constraints = given(own) ? constraintsOf(own) : [];
  // A response format takes the place of a constraint of the same kind.
  const others = constraints.filter(({ kind }) => kind !== formatted?.kind);
  const all = formatted === undefined ? constraints : [...others, formatted];
  const [constraint, second] = all;
  if (second !== undefined) {
    const names = all.map(({ kind }) => `'${kind}'`).join(", ");
    throw refuse(
      `You can only use one kind of structured outputs constraint but multiple are specified: ${names}`,
      FIELD,
    );
  }
  if (constraint === undefined) {
    if (!given(own)) return undefined;
    throw refuse(
      "You must use one kind of structured outputs constraint but none are specified: send one of json, regex, choice, grammar, json_object, structural_tag",
      FIELD,
    );
  }
  return {
    constraint,
    param: formatted === undefined ? FIELD : "response_format",
    ...(own?.disable_any_whitespace === true ? { disableAnyWhitespace: true } : {}),
    ...(given(own?.whitespace_pattern) ? { whitespacePattern: own.whitespace_pattern } : {}),
  };
}
