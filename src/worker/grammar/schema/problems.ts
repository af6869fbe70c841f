/** What is wrong with a schema: refused by the caller, or no value can satisfy it. */
import { GatewayError, showValue } from "../../../errors.ts";

/** A part that no value satisfies; a choice leaves it out. */
export class Unsatisfiable extends Error {
  readonly path: string;

  constructor(path: string, reason: string) {
    super(reason);
    this.path = path;
  }
}

const at = (path: string): string => (path === "" ? "the schema" : path);

/** A keyword that answers could not be held to. */
export function unsupported(path: string, keyword: string, mend: string): GatewayError {
  const where = `${path}/${keyword}`;
  return new GatewayError(
    "unsupported",
    `The JSON schema's keyword "${keyword}" (at ${where}) is not supported for structured outputs: ${mend}.`,
    { param: where },
  );
}

/** A keyword whose value is no schema's. */
export function malformed(path: string, keyword: string, value: unknown, accepted: string): GatewayError {
  const where = `${path}/${keyword}`;
  return new GatewayError(
    "invalid_value",
    `Invalid JSON schema: "${keyword}" (at ${where}) must be ${accepted}, got ${showValue(value)}.`,
    { param: where },
  );
}

/** Nothing at all satisfies the schema. */
export function impossible(problem: Unsatisfiable): GatewayError {
  return new GatewayError(
    "invalid_value",
    `No value can satisfy the JSON schema: ${problem.message} (at ${at(problem.path)}).`,
    { param: problem.path },
  );
}
