/** Turns what zod found wrong into one GatewayError that names field, value and what is accepted. Reads JSON bodies. */
import type { Context } from "hono";
import type { z } from "zod";
import { GatewayError, invalidValue, malformedValue, showValue } from "../errors.ts";
import type { AppEnv } from "./env.ts";
import { loosen } from "./loosen.ts";

type Issue = z.core.$ZodIssue;

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  int: "an integer",
  boolean: "true or false",
  array: "an array",
  object: "an object",
  record: "an object",
  null: "null",
};

const bound = (issue: Issue & { code: "too_small" | "too_big" }): string => {
  const limit = String(issue.code === "too_small" ? issue.minimum : issue.maximum);
  const least = issue.code === "too_small";
  const inclusive = issue.inclusive !== false;
  const amount = inclusive ? `${least ? "at least" : "at most"} ${limit}` : `${least ? "above" : "below"} ${limit}`;
  if (issue.origin === "string") return `a string of ${amount} characters`;
  if (issue.origin === "array") return `an array of ${amount} items`;
  return amount;
};

/** zod's words of a discriminator, turned so that they fit behind "must be"; other messages are our own. */
function toKinds(message: string): string {
  const [, kinds] = /^Invalid discriminator value\. Expected (.+)$/.exec(message) ?? [];
  return kinds === undefined ? message : `one of ${kinds.replaceAll("'", '"').replaceAll(" | ", ", ")}`;
}

/** What would have been accepted, in words that fit behind "must be". */
function accepted(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      return TYPE_WORDS[issue.expected] ?? `of type ${issue.expected}`;
    case "too_small":
    case "too_big":
      return bound(issue);
    case "invalid_value":
      return issue.values.length === 1
        ? showValue(issue.values[0])
        : `one of ${issue.values.map((value) => showValue(value)).join(", ")}`;
    case "not_multiple_of":
      return `a multiple of ${issue.divisor}`;
    case "invalid_format":
      return `in the format ${issue.format}`;
    case "invalid_key":
      return "left out: its name is not one that is accepted here";
    default:
      return issue.message === "Invalid input" ? "of an accepted type" : toKinds(issue.message);
  }
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const key of path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[key];
  return value;
}

/**
 * Is it the form that is wrong? A number of the body that is only out of range is judged by what works with it, not by
 * the schema, in vLLM's words; negative token ids are the schema's affair, too great ones not.
 */
const isForm = (issue: Issue | undefined, where: string): boolean =>
  where !== "body" ||
  issue === undefined ||
  !/^too_/.test(issue.code) ||
  (issue.path.length > 1 && issue.code === "too_small");

/** The first issue as a GatewayError; `input` is what was validated, `where` names it when the issue has no path. */
export function toValidationError(error: z.core.$ZodError, input: unknown, where = "body"): GatewayError {
  const issue = error.issues[0];
  const malformed = isForm(issue, where);
  if (issue === undefined) return new GatewayError("invalid_value", `The ${where} is not valid.`);
  if (issue.code === "unrecognized_keys") {
    const param = [...issue.path, issue.keys[0] ?? ""].join(".");
    return new GatewayError("unknown_field", `${param} is not a field of this request.`, { param, malformed });
  }
  const param = issue.path.length === 0 ? where : issue.path.join(".");
  const value = valueAt(input, issue.path);
  if (value === undefined && issue.path.length > 0 && issue.code !== "custom") {
    return new GatewayError("missing_field", `${param} is required: ${accepted(issue)}.`, { param, malformed });
  }
  return (malformed ? malformedValue : invalidValue)(param, value, accepted(issue));
}

/** Validates, scalars as pydantic's lax mode takes them (`loosen.ts`); throws GatewayError. */
export function validate<T>(schema: z.ZodType<T>, input: unknown, where?: string): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const loosened = loosen(input, parsed.error.issues);
  if (loosened === undefined) throw toValidationError(parsed.error, input, where);
  const again = schema.safeParse(loosened);
  if (again.success) return again.data;
  throw toValidationError(again.error, loosened, where);
}

/** Hook for `app.openapi(route, handler, validationHook)`: what zod-openapi refuses becomes a GatewayError. */
export function validationHook(result: {
  readonly success: boolean;
  readonly target?: string;
  readonly data?: unknown;
  readonly error?: unknown;
}): undefined {
  if (result.success) return undefined;
  throw toValidationError(result.error as z.core.$ZodError, result.data, result.target ?? "request");
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Decodes and parses a JSON object. Throws GatewayError `malformed_json`, `missing_field` or `invalid_value`. */
export function parseJsonObject(bytes: Uint8Array): Record<string, unknown> {
  if (bytes.byteLength === 0)
    throw new GatewayError("missing_field", "body is required: a JSON object.", { malformed: true });
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    const reason = cause instanceof SyntaxError ? cause.message : "it is not UTF-8";
    throw new GatewayError("malformed_json", `The request body is not valid JSON: ${reason}`, {
      cause,
      malformed: true,
    });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw malformedValue("body", value, "a JSON object");
  }
  return value as Record<string, unknown>;
}

/** Reads the body and validates it. `emptyIsObject`: no body counts as `{}`, as vLLM's control routes have it. */
export async function readBody<T>(
  c: Context<AppEnv>,
  schema: z.ZodType<T>,
  options: { readonly emptyIsObject?: boolean } = {},
): Promise<T> {
  const bytes = new Uint8Array(await c.req.raw.arrayBuffer());
  const input = bytes.byteLength === 0 && options.emptyIsObject === true ? {} : parseJsonObject(bytes);
  return validate(schema, input);
}
