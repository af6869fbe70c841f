/**
 * Looks a DeepSpeed configuration over: a value of the wrong type is refused by its path, a key that DeepSpeed does not
 * know is kept and listed. Changes nothing.
 */
import { type GatewayError, invalidValue } from "../errors.ts";
import { type Field, type FieldType, SECTIONS } from "./deepspeed-fields.ts";

/** Any JSON object; a DeepSpeed configuration is one. */
export type DeepspeedConfig = { [key: string]: unknown };

/** What launchers fill in later. */
export const AUTO = "auto";

/** True for `{…}`. */
export const isSection = (value: unknown): value is DeepspeedConfig =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** `a`, `b` → `a.b`; the top level has no name. */
export const joinPath = (section: string, key: string): string => (section === "" ? key : `${section}.${key}`);

const show = (value: unknown): string => JSON.stringify(value);

/** What is accepted, in words that fit behind "must be". */
function wordsOf(type: FieldType): string {
  switch (type.kind) {
    case "boolean":
      return "true or false";
    case "count":
      return "an integer of at least 0";
    case "number": {
      const { least, most } = type;
      if (least === undefined) return "a number";
      return most === undefined ? `a number of at least ${least}` : `a number from ${least} to ${most}`;
    }
    case "text":
      return "a string";
    case "choice":
      return `one of ${type.of.map(show).join(", ")}`;
    case "object":
      return "an object";
    case "any":
      return "a value";
  }
}

function matches(type: FieldType, value: unknown): boolean {
  switch (type.kind) {
    case "boolean":
      return typeof value === "boolean";
    case "count":
      return typeof value === "number" && Number.isInteger(value) && value >= 0;
    case "number":
      return typeof value === "number" && value >= (type.least ?? -Infinity) && value <= (type.most ?? Infinity);
    case "text":
      return typeof value === "string";
    case "choice":
      return type.of.some((one) => one === value);
    case "object":
      return isSection(value);
    case "any":
      return true;
  }
}

function refusal(path: string, { type, nullable }: Field, value: unknown): GatewayError {
  const words = wordsOf(type);
  const auto = type.kind === "object" ? "" : `${type.kind === "choice" ? "," : ""} or "auto"`;
  return invalidValue(path, value, `${words}${auto}${nullable === true ? " or null" : ""}`);
}

/** The deprecated form `"zero_optimization": true`. */
const isOldZero = (path: string, value: unknown): boolean => path === "zero_optimization" && typeof value === "boolean";

/**
 * Paths of the keys that DeepSpeed does not know, in document order.
 *
 * @throws GatewayError `invalid_value` whose `param` is the path, such as `zero_optimization.offload_param.device`.
 */
export function checkDeepspeedConfig(config: DeepspeedConfig): string[] {
  const unknown: string[] = [];
  const look = (section: string, values: DeepspeedConfig): void => {
    const fields = SECTIONS[section] ?? {};
    for (const [key, value] of Object.entries(values)) {
      const path = joinPath(section, key);
      const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
      if (field === undefined) {
        unknown.push(path);
        continue;
      }
      const accepted =
        matches(field.type, value) ||
        (value === AUTO && field.type.kind !== "object") ||
        (value === null && field.nullable === true) ||
        isOldZero(path, value);
      if (!accepted) throw refusal(path, field, value);
      if (isSection(value) && Object.hasOwn(SECTIONS, path)) look(path, value);
    }
  };
  look("", config);
  return unknown;
}
