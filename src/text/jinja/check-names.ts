/**
 * Are all filters and tests of a template known? jinja2 asks while it compiles (`compiler.py`, `visit_Filter`), except
 * directly inside a branch (`{% if %}`, `a if b`), where an unknown one fails only when it is reached.
 */
import type { Statement } from "./ast.ts";
import { fail } from "./values.ts";

/** The filters and tests there are. */
export interface KnownNames {
  readonly filters: ReadonlySet<string>;
  readonly tests: ReadonlySet<string>;
}

/** Statements whose body is a frame of its own, in which a branch around them no longer counts. */
const FRAMES = new Set(["for", "set-block", "with", "macro", "call-block", "filter-block", "generation", "block"]);

/** Throws TemplateFailure `TemplateAssertionError` for the first unknown name that is in no branch. */
export function checkNames(body: readonly Statement[], known: KnownNames): void {
  const walk = (value: unknown, soft: boolean): void => {
    if (Array.isArray(value)) {
      for (const item of value) walk(item, soft);
      return;
    }
    if (typeof value !== "object" || value === null) return;
    const { type, name } = value as { type?: unknown; name?: unknown };
    if (typeof name === "string" && !soft) {
      if (type === "filter" && !known.filters.has(name)) fail("TemplateAssertionError", `No filter named '${name}'.`);
      if (type === "test" && !known.tests.has(name)) fail("TemplateAssertionError", `No test named '${name}'.`);
    }
    const inside = type === "if" ? true : FRAMES.has(String(type)) ? false : soft;
    for (const child of Object.values(value)) walk(child, inside);
  };
  walk(body, false);
}
