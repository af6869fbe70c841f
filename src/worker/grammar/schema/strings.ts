/** Strings of a schema: length, pattern and format. */

import { complement } from "../charset.ts";
import { intersect } from "../intersect.ts";
import type { JsonText } from "../json-text.ts";
import type { GrammarNode } from "../nodes.ts";
import { regexPart } from "../regex.ts";
import type { RegexPart } from "../regex-part.ts";
import { FORMATS, UNFOLLOWED } from "./formats.ts";
import { countOf, KEYWORDS_OF, NOT_IN, PATTERNS, type Schema } from "./keywords.ts";
import { malformed, Unsatisfiable, unsupported } from "./problems.ts";

/** The content of a string by its pattern, as JSON writes it. Patterns match the whole string, as in vLLM. */
export function patternPart(json: JsonText, pattern: string, param: string): RegexPart {
  return regexPart(json.builder, pattern, { param, toNode: (set) => json.charOf(set) });
}

/** Any character, any number of times between bounds. */
const lengthPart = (json: JsonText, least: number, most: number): GrammarNode =>
  json.builder.repeat(json.charOf(complement([])), least, most);

/** Content of a part with its length held between bounds, or null where that would be too large. */
export function bounded(json: JsonText, part: RegexPart, least: number, most: number): GrammarNode | "empty" | null {
  if (part.least >= least && part.most <= most) return part.node;
  if (part.most < least || part.least > most) return "empty";
  if (part.repeated === undefined) {
    const both = intersect(json.builder, [part.node, lengthPart(json, least, most)]);
    return both?.kind === "never" ? "empty" : both;
  }
  return json.builder.repeat(json.charOf(part.repeated), Math.max(part.least, least), Math.min(part.most, most));
}

const textOf = (schema: Schema, word: string, path: string): string | undefined => {
  const value = schema[word];
  if (value !== undefined && typeof value !== "string") throw malformed(path, word, value, "a string");
  return value;
};

/** Patterns that a string has to match, each as a whole. */
function sourcesOf(schema: Schema, path: string): [word: string, source: string][] {
  const sources: [string, string][] = [];
  const pattern = textOf(schema, "pattern", path);
  if (pattern !== undefined) sources.push(["pattern", pattern]);
  const more = schema[PATTERNS];
  if (Array.isArray(more)) for (const source of more) if (typeof source === "string") sources.push(["pattern", source]);
  const format = textOf(schema, "format", path);
  if (format === undefined) return sources;
  const source = Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined;
  if (source !== undefined) sources.push(["format", source]);
  else if (UNFOLLOWED.has(format)) {
    throw unsupported(path, "format", `"${format}" is none of ${Object.keys(FORMATS).join(", ")}; leave it out`);
  }
  return sources;
}

/** Strings of a schema; refuses by name what cannot be followed. The same words make the same node. */
export function stringNode(json: JsonText, schema: Schema, path: string): GrammarNode {
  const words = [...KEYWORDS_OF.string, PATTERNS, NOT_IN].map((word) => schema[word] ?? null);
  return json.once(`string ${JSON.stringify(words)}`, () => makeString(json, schema, path));
}

function makeString(json: JsonText, schema: Schema, path: string): GrammarNode {
  const least = countOf(schema, "minLength", path, 0);
  const most = countOf(schema, "maxLength", path, Number.POSITIVE_INFINITY);
  if (least > most) throw new Unsatisfiable(path, "minLength is above maxLength");
  const others = schema[NOT_IN];
  const sources = sourcesOf(schema, path);
  const free = least === 0 && most === Number.POSITIVE_INFINITY;
  const names = Array.isArray(others) ? others.filter((value) => typeof value === "string") : [];
  if (names.length > 0) {
    if (sources.length === 0 && free) return json.keyBut(names);
    const inner =
      sources.length === 0 ? json.string(least, most) : json.quoted(contentNode(json, schema, path, sources));
    return common(json, [json.keyBut(names), inner], path, "not");
  }
  if (sources.length === 0) return json.string(least, most);
  return json.quoted(contentNode(json, schema, path, sources));
}

function common(json: JsonText, nodes: readonly GrammarNode[], path: string, word: string): GrammarNode {
  const both = intersect(json.builder, nodes);
  if (both === null) throw unsupported(path, word, "together with the other words about this string it is too large");
  if (both.kind === "never") throw new Unsatisfiable(path, "no text satisfies all words about this string");
  return both;
}

/** What stands between the quotes. */
function contentNode(json: JsonText, schema: Schema, path: string, sources: readonly [string, string][]): GrammarNode {
  const least = countOf(schema, "minLength", path, 0);
  const most = countOf(schema, "maxLength", path, Number.POSITIVE_INFINITY);
  const parts = sources.map(([word, source]) => patternPart(json, source, `${path}/${word}`));
  const [first, ...more] = parts;
  if (first === undefined || more.length > 0) {
    const free = least === 0 && most === Number.POSITIVE_INFINITY;
    const lengths = free ? [] : [lengthPart(json, least, most)];
    return common(json, [...parts.map(({ node }) => node), ...lengths], path, "pattern");
  }
  const content = bounded(json, first, least, most);
  const word = sources[0]?.[0] ?? "pattern";
  if (content === "empty") throw new Unsatisfiable(path, `no text of the ${word} has the length that is asked for`);
  if (content === null) {
    throw unsupported(
      path,
      "minLength" in schema ? "minLength" : "maxLength",
      `it cannot be combined with this ${word}; put the length into the pattern, as in ^[a-z]{1,8}$`,
    );
  }
  return content;
}
