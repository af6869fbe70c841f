/**
 * What a chat request asks of tool calls → how its answer is constrained and read. Checks and their words are those of
 * vLLM 0.32 (`check_tool_usage`, `OnlineRenderer.render_chat`), structural tags those of `_apply_structural_tag`. Unlike there,
 * arguments of a forced call are held to the function's schema unless it says `strict: false`.
 */
import type { ToolParserName } from "../../../contract/openai/tool-parsers.ts";
import type { StructuredOutputs } from "../../../contract/sampling.ts";
import { GatewayError } from "../../../errors.ts";
import { TOOL_FORMATS } from "./formats.ts";
import type { ToolFormat, ToolFunction } from "./types.ts";

/** How tool calls of an answer are read. */
export interface ToolPlan {
  readonly format: ToolFormat;
  /** "named": the request names the function; such an answer ends with `stop` and has an empty text instead of none. */
  readonly choice: "auto" | "required" | "named";
  /** Further calls are not shown (`parallel_tool_calls: false`). */
  readonly single: boolean;
}

/** What the operator set. */
export interface ToolSettings {
  readonly parser?: ToolParserName | undefined;
  readonly auto?: boolean | undefined;
}

/** Fields of the request. */
export interface ToolFields {
  /** As the template sees them. */
  readonly tools: readonly ToolFunction[] | null;
  readonly tool_choice?: unknown;
  readonly parallel_tool_calls?: boolean | null | undefined;
}

const refuse = (message: string, param?: string): GatewayError =>
  param === undefined
    ? new GatewayError("invalid_value", message)
    : new GatewayError("invalid_value", `${message} (parameter=${param})`, { param });

const USAGE = 'Correct usage: `{"type": "function", "function": {"name": "my_function"}}`';
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const shown = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? "None"));

type Choice = { readonly kind: "none" | "auto" | "required" } | { readonly kind: "named"; readonly name: string };

function toNamed(choice: Readonly<Record<string, unknown>>, tools: readonly ToolFunction[]): Choice {
  const { function: asked } = choice;
  if (!isObject(asked)) {
    throw refuse(
      `Invalid value for \`function\`: \`${shown(asked)}\` in \`tool_choice\`! ${USAGE}`,
      "tool_choice.function",
    );
  }
  if (!("name" in asked)) {
    throw refuse(`Expected field \`name\` in \`function\` in \`tool_choice\`! ${USAGE}`, "tool_choice.function.name");
  }
  const { name } = asked;
  if (typeof name !== "string" || name === "") {
    throw refuse(
      `Invalid \`name\` in \`function\`: \`${shown(name)}\` in \`tool_choice\`! ${USAGE}`,
      "tool_choice.function.name",
    );
  }
  if (!tools.some((tool) => tool.name === name)) {
    throw refuse("The tool specified in `tool_choice` does not match any of the specified `tools`", "tool_choice");
  }
  return { kind: "named", name };
}

function toChoice({ tools, tool_choice: choice }: ToolFields): Choice {
  if (choice === "none") return { kind: "none" };
  if (choice === undefined) return { kind: tools === null ? "none" : "auto" };
  if (choice === null) return { kind: "none" };
  if (tools === null) throw refuse("When using `tool_choice`, `tools` must be set.", "tool_choice");
  if (choice === "auto" || choice === "required") return { kind: choice };
  if (isObject(choice)) return toNamed(choice, tools);
  throw refuse(
    `Invalid value for \`tool_choice\`: ${shown(choice)}! Only named tools, "none", "auto" or "required" are supported.`,
    "tool_choice",
  );
}

function formatOf(choice: Exclude<Choice, { kind: "none" }>, { parser, auto = false }: ToolSettings): ToolFormat {
  if (parser !== undefined && (auto || choice.kind !== "auto")) return TOOL_FORMATS[parser];
  if (choice.kind === "auto") {
    throw refuse('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set');
  }
  const named = choice.kind === "named" ? `function "${choice.name}"` : '"required"';
  throw refuse(`tool_choice=${named} requires --tool-call-parser to be set`);
}

function parseText(text: string, param: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new GatewayError("invalid_value", "Invalid JSON grammar specification.", { param });
  }
}

/** A structural tag's format; the older form has its own. */
function toTagFormat(tag: unknown): Record<string, unknown> {
  if (!isObject(tag)) return {};
  if (!Array.isArray(tag.structures)) return { ...(isObject(tag.format) ? tag.format : {}) };
  const tags = tag.structures.filter(isObject).map(({ begin, end, schema }) => ({
    ...{ type: "tag", begin, end },
    content: { type: "json_schema", json_schema: schema ?? {} },
  }));
  return { type: "triggered_tags", triggers: tag.triggers, tags };
}

/** The constraint that the request brought, as a part of a structural tag. */
function toElement({ constraint, param }: StructuredOutputs): Record<string, unknown> {
  switch (constraint.kind) {
    case "json":
      return { type: "json_schema", json_schema: parseText(constraint.schema, param) };
    case "json_object":
      return { type: "json_schema", json_schema: { type: "object" } };
    case "regex":
      return { type: "regex", pattern: constraint.pattern };
    case "choice":
      return { type: "or", elements: constraint.choices.map((value) => ({ type: "const_string", value })) };
    case "grammar":
      return { type: "grammar", grammar: constraint.grammar };
    case "structural_tag":
      return toTagFormat(parseText(constraint.tag, param));
  }
}

/** Arguments are an object; what it holds is the schema's matter where that is to be kept. */
const schemaOf = ({ parameters, strict }: ToolFunction, byDefault: boolean): unknown =>
  (strict ?? byDefault) && isObject(parameters) && Object.keys(parameters).length > 0
    ? { type: "object", ...parameters }
    : { type: "object" };

/**
 * How the answer is read, and its constraint in place of the request's own. undefined plan: nothing is read.
 *
 * @throws GatewayError `invalid_value`, in vLLM's words
 */
export function toToolPlan(
  fields: ToolFields,
  settings: ToolSettings,
  own: StructuredOutputs | undefined,
): { readonly plan?: ToolPlan; readonly structuredOutputs: StructuredOutputs | undefined } {
  const choice = toChoice(fields);
  if (choice.kind === "none" || fields.tools === null) return { structuredOutputs: own };
  const { tools } = fields;
  const format = formatOf(choice, settings);
  const single = fields.parallel_tool_calls === false;
  const plan: ToolPlan = { format, choice: choice.kind, single };
  if (choice.kind !== "auto") {
    if (choice.kind === "named" && own !== undefined && own.param === "structured_outputs") {
      if (["json", "regex", "choice"].includes(own.constraint.kind)) {
        throw refuse("You can only either use constraints for structured outputs or tools, not both.");
      }
    }
    const callable = choice.kind === "named" ? tools.filter(({ name }) => name === choice.name).slice(0, 1) : tools;
    const functions = callable.map((tool) => ({ name: tool.name, schema: schemaOf(tool, true) }));
    const tag = format.toTag(functions, { least: 1, single: single || choice.kind === "named" });
    return { plan, structuredOutputs: toOutputs(tag) };
  }
  const strict = tools.some((tool) => tool.strict === true);
  if (!strict && (!single || own !== undefined)) return { plan, structuredOutputs: own };
  const functions = tools.map((tool) => ({ name: tool.name, schema: schemaOf(tool, false) }));
  const tag = format.toTag(functions, { least: own === undefined ? 0 : 1, single });
  const whole = own === undefined ? tag : { type: "or", elements: [tag, toElement(own)] };
  return { plan, structuredOutputs: toOutputs(whole) };
}

const toOutputs = (format: Record<string, unknown>): StructuredOutputs => ({
  constraint: { kind: "structural_tag", tag: JSON.stringify({ type: "structural_tag", format }) },
  param: "tools",
});
