/**
 * Tools of a request as the chat template sees them: the fields that vLLM 0.32 knows, in its order, absent ones as null
 * (`ChatCompletionToolsParam`, `FunctionDefinition`), since templates print them whole.
 */
import { malformedValue } from "../../errors.ts";
import type { ToolFunction } from "./tool-calls/types.ts";

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Present only when set. */
const optional = (source: Readonly<Record<string, unknown>>, ...names: readonly string[]): [string, unknown][] =>
  names.flatMap((name): [string, unknown][] => {
    const value = source[name];
    return value === undefined || value === null ? [] : [[name, value]];
  });

function toFunction(value: unknown, param: string): Record<string, unknown> {
  if (!isObject(value)) throw malformedValue(param, value, "an object with a name");
  const { name, description = null, parameters = null } = value;
  if (typeof name !== "string") throw malformedValue(`${param}.name`, name, "a string");
  if (description !== null && typeof description !== "string") {
    throw malformedValue(`${param}.description`, description, "a string");
  }
  if (parameters !== null && !isObject(parameters))
    throw malformedValue(`${param}.parameters`, parameters, "an object");
  return { name, description, parameters, ...Object.fromEntries(optional(value, "strict", "defer_loading")) };
}

/** What tool calls need of the tools that the template sees. */
export const toFunctions = (tools: readonly unknown[] | null): readonly ToolFunction[] | null =>
  tools?.map((tool) => {
    const own = isObject(tool) && isObject(tool.function) ? tool.function : {};
    const strict = typeof own.strict === "boolean" ? own.strict : null;
    return { name: String(own.name), parameters: own.parameters ?? null, strict };
  }) ?? null;

/** null when there are none. Throws GatewayError `invalid_value` for a tool that is no function. */
export function toToolSchemas(tools: readonly unknown[] | null | undefined): readonly unknown[] | null {
  if (tools === undefined || tools === null) return null;
  return tools.map((tool, index) => {
    if (!isObject(tool)) throw malformedValue(`tools.${index}`, tool, "an object");
    if (tool.type !== undefined && tool.type !== "function") {
      throw malformedValue(`tools.${index}.type`, tool.type, '"function"');
    }
    const own = toFunction(tool.function, `tools.${index}.function`);
    return { type: "function", function: own, ...Object.fromEntries(optional(tool, "defer_loading")) };
  });
}
