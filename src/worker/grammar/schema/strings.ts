/** Strings of a schema: length, pattern and format. */

import type { JsonText } from "../json-text.ts";
import type { GrammarNode } from "../nodes.ts";
import { type RegexPart, regexPart } from "../regex.ts";
import { FORMATS } from "./formats.ts";
import { countOf, NOT_IN, type Schema } from "./keywords.ts";
import { malformed, Unsatisfiable, unsupported } from "./problems.ts";

/** The content of a string by its pattern, as JSON writes it. Patterns match the whole string, as in vLLM. */
export function patternPart(json: JsonText, pattern: string, param: string): RegexPart {
  return regexPart(json.builder, pattern, { param, toNode: (set) => json.charOf(set) });
}

/** Content of a part with its length held between bounds, or null where a grammar cannot hold both. */
export function bounded(json: JsonText, part: RegexPart, least: number, most: number): GrammarNode | "empty" | null {
  if (part.least >= least && part.most <= most) return part.node;
  if (part.most < least || part.least > most) return "empty";
  if (part.repeated === undefined) return null;
  return json.builder.repeat(json.charOf(part.repeated), Math.max(part.least, least), Math.min(part.most, most));
}

/** Strings of a schema; refuses by name what cannot be followed. */
export function stringNode(json: JsonText, schema: Schema, path: string): GrammarNode {
  const least = countOf(schema, "minLength", path, 0);
  const most = countOf(schema, "maxLength", path, Number.POSITIVE_INFINITY);
  if (least > most) throw new Unsatisfiable(path, "minLength is above maxLength");
  const { pattern, format, [NOT_IN]: others } = schema;
  if (Array.isArray(others)) {
    if (pattern === undefined && format === undefined && least === 0 && most === Number.POSITIVE_INFINITY) {
      return json.keyBut(others as string[]);
    }
    throw unsupported(path, "not", "texts cannot be left out of strings with a pattern, a format or a length");
  }
  if (pattern === undefined && format === undefined) return json.string(least, most);
  if (pattern !== undefined && format !== undefined) {
    throw unsupported(path, "pattern", "it cannot be combined with format; keep one of them");
  }
  const word = pattern === undefined ? "format" : "pattern";
  const value = schema[word];
  if (typeof value !== "string") throw malformed(path, word, value, "a string");
  const source = word === "pattern" ? value : Object.hasOwn(FORMATS, value) ? FORMATS[value] : undefined;
  if (source === undefined) {
    throw unsupported(path, "format", `"${value}" is none of ${Object.keys(FORMATS).join(", ")}; leave it out`);
  }
  const content = bounded(json, patternPart(json, source, `${path}/${word}`), least, most);
  if (content === "empty") throw new Unsatisfiable(path, `no text of the ${word} has the length that is asked for`);
  if (content === null) {
    throw unsupported(
      path,
      "minLength" in schema ? "minLength" : "maxLength",
      `it cannot be combined with this ${word}; put the length into the pattern, as in ^[a-z]{1,8}$`,
    );
  }
  return json.quoted(content);
}
