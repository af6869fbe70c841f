/**
 * Scalars as vLLM's and TRL's servers take them: pydantic's lax mode (v2, "conversion table"). A client that fills its
 * fields from environment variables sends `"max_tokens": "16"` or `"stream": 1`, and a vLLM server beside an embedded
 * replica would answer it. Only looked at where validation failed; converts scalars, never builds or flattens anything.
 */
import type { z } from "zod";

type Issue = z.core.$ZodIssue;

const TRUE = new Set(["1", "true", "t", "yes", "y", "on"]);
const FALSE = new Set(["0", "false", "f", "no", "n", "off"]);
const NUMBER = /^\s*[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?\s*$/i;

/** The value as `expected`, or undefined where it is no such thing. */
function toScalar(expected: string, value: unknown): number | boolean | undefined {
  if (expected === "number" || expected === "int") {
    if (typeof value === "boolean") return Number(value);
    if (typeof value === "string" && NUMBER.test(value)) return Number(value);
  }
  if (expected === "boolean") {
    if (value === 0 || value === 1) return value === 1;
    const word = typeof value === "string" ? value.toLowerCase() : "";
    if (TRUE.has(word)) return true;
    if (FALSE.has(word)) return false;
  }
  return undefined;
}

type Container = Record<PropertyKey, unknown>;
const isContainer = (value: unknown): value is Container => typeof value === "object" && value !== null;

/** A copy with one value replaced; what does not lie on the path is shared. */
function replaced(root: unknown, path: readonly PropertyKey[], value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined || !isContainer(root)) return value;
  const copy = (Array.isArray(root) ? [...root] : { ...root }) as Container;
  copy[key] = replaced(copy[key], rest, value);
  return copy;
}

/** Longer lists of wrong values are refused as they are: each costs a copy of its list. */
const MOST = 64;

/**
 * `input` with every scalar that can be read as the type that was expected of it.
 *
 * @returns undefined when there is nothing to convert
 */
export function loosen(input: unknown, issues: readonly Issue[]): unknown {
  if (issues.length > MOST) return undefined;
  let loosened = input;
  for (const issue of issues) {
    if (issue.code !== "invalid_type" || issue.path.length === 0) continue;
    let value = input;
    for (const key of issue.path) value = isContainer(value) ? value[key] : undefined;
    const scalar = toScalar(issue.expected, value);
    if (scalar !== undefined) loosened = replaced(loosened, issue.path, scalar);
  }
  return loosened === input ? undefined : loosened;
}
