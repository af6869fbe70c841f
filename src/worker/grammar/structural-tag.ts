/**
 * Structural tags: text with parts in between that follow a schema, as XGrammar 0.2 describes them (its JSON form; the
 * older `structures` and `triggers` too). What needs single tokens or another language than JSON is refused by name.
 */
import { GatewayError, invalidValue, showValue } from "../../errors.ts";
import { ebnfNode } from "./ebnf.ts";
import { freeText } from "./free-text.ts";
import type { JsonText } from "./json-text.ts";
import type { GrammarNode } from "./nodes.ts";
import { regexPart } from "./regex.ts";
import { schemaNode } from "./schema/compile.ts";
import { isObject, type Schema } from "./schema/keywords.ts";

/** Levels that vLLM 0.32 lets a structural tag wrap around its schemas. */
const DEPTH_LIMIT = 64;

const KINDS =
  "const_string, json_schema, regex, grammar, any_text, sequence, or, optional, plus, star, repeat, tag, triggered_tags, tags_with_separator";

class TagCompiler {
  readonly #json: JsonText;
  readonly #param: string;

  constructor(json: JsonText, param: string) {
    this.#json = json;
    this.#param = param;
  }

  #refuse(path: string, reason: string): GatewayError {
    return new GatewayError("invalid_value", `Invalid structural tag specification: ${path} ${reason}.`, {
      param: this.#param,
    });
  }

  #text(format: Schema, name: string, path: string): string {
    const value = format[name];
    if (typeof value === "string") return value;
    throw this.#refuse(`${path}.${name}`, `must be a string, got ${showValue(value)}`);
  }

  #texts(format: Schema, name: string, path: string): readonly string[] {
    const value = format[name] ?? [];
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
    throw this.#refuse(`${path}.${name}`, `must be a list of strings, got ${showValue(value)}`);
  }

  #list(format: Schema, name: string, path: string): readonly unknown[] {
    const value = format[name];
    if (Array.isArray(value) && value.length > 0) return value;
    throw this.#refuse(`${path}.${name}`, `must be a list of at least one format, got ${showValue(value)}`);
  }

  #flag(format: Schema, name: string): boolean {
    return format[name] === true;
  }

  /** @param ends strings that come right after: free text must not hold them */
  format(value: unknown, path: string, ends: readonly string[], depth = 0): GrammarNode {
    const { builder } = this.#json;
    if (!isObject(value)) throw this.#refuse(path, `must be an object with a type, got ${showValue(value)}`);
    if (depth > DEPTH_LIMIT) throw this.#refuse(path, `nests more than ${DEPTH_LIMIT} levels`);
    const inner = (name: string): GrammarNode => this.format(value[name], `${path}.${name}`, ends, depth + 1);
    switch (value.type) {
      case "const_string":
        return builder.literal(this.#text(value, "value", path));
      case "json_schema":
        if (value.style !== undefined && value.style !== "json") {
          throw this.#refuse(`${path}.style`, `${showValue(value.style)} is not supported; send "json"`);
        }
        return schemaNode(this.#json, value.json_schema ?? true);
      case "regex":
        return regexPart(builder, this.#text(value, "pattern", path), { param: `${path}.pattern` }).node;
      case "grammar":
        return ebnfNode(builder, this.#text(value, "grammar", path), this.#param);
      case "any_text":
        for (const name of ["max_tokens", "max_chars"]) {
          if (value[name] !== undefined && value[name] !== null) {
            throw this.#refuse(`${path}.${name}`, "is not supported; leave it out");
          }
        }
        return freeText(builder, [...ends, ...this.#texts(value, "excludes", path)]);
      case "sequence": {
        const elements = this.#list(value, "elements", path);
        return builder.sequence(
          elements.map((element, index) => {
            const after = elements[index + 1];
            const next = isObject(after) ? this.#begins(after) : index + 1 === elements.length ? ends : [];
            return this.format(element, `${path}.elements.${index}`, next, depth + 1);
          }),
        );
      }
      case "or":
        return builder.choice(
          this.#list(value, "elements", path).map((element, index) =>
            this.format(element, `${path}.elements.${index}`, ends, depth + 1),
          ),
        );
      case "optional":
        return builder.optional(inner("content"));
      case "star":
        return builder.repeat(inner("content"), 0, Number.POSITIVE_INFINITY);
      case "plus":
        return builder.repeat(inner("content"), 1, Number.POSITIVE_INFINITY);
      case "repeat": {
        const { min, max } = value;
        if (!Number.isInteger(min) || !Number.isInteger(max))
          throw this.#refuse(path, "must have integers min and max");
        const most = (max as number) < 0 ? Number.POSITIVE_INFINITY : (max as number);
        return builder.repeat(inner("content"), Math.max(0, min as number), most);
      }
      case "tag":
        return this.#tag(value, path, depth);
      case "triggered_tags":
        return this.#triggered(value, path, ends, depth);
      case "tags_with_separator":
        return this.#separated(value, path, depth);
      default:
        throw this.#refuse(`${path}.type`, `must be one of ${KINDS}, got ${showValue(value.type)}`);
    }
  }

  /** What a format certainly begins with, where that is known. */
  #begins(format: Schema): readonly string[] {
    if (format.type === "const_string" && typeof format.value === "string") return [format.value];
    if (format.type === "tag" && typeof format.begin === "string") return [format.begin];
    return [];
  }

  #tag(tag: unknown, path: string, depth: number): GrammarNode {
    if (!isObject(tag)) throw this.#refuse(path, `must be a tag, got ${showValue(tag)}`);
    const { builder } = this.#json;
    const begin = this.#text(tag, "begin", path);
    const ends = typeof tag.end === "string" ? [tag.end] : this.#texts(tag, "end", path);
    if (ends.length === 0) throw this.#refuse(`${path}.end`, "must be a string or a list of at least one");
    const content = this.#content(tag.content, begin, `${path}.content`, ends, depth);
    return builder.sequence([builder.literal(begin), content, builder.choice(ends.map((end) => builder.literal(end)))]);
  }

  /** Errors say in which tag: a request's tools have one each. */
  #content(content: unknown, begin: string, path: string, ends: readonly string[], depth: number): GrammarNode {
    try {
      return this.format(content, path, ends, depth + 1);
    } catch (thrown) {
      if (!(thrown instanceof GatewayError)) throw thrown;
      const message = `${thrown.message} This is in the tag that begins with ${JSON.stringify(begin)}.`;
      throw new GatewayError(thrown.code, message, thrown.details);
    }
  }

  #tags(format: Schema, path: string, depth: number): GrammarNode {
    const tags = this.#list(format, "tags", path);
    return this.#json.builder.choice(tags.map((tag, index) => this.#tag(tag, `${path}.tags.${index}`, depth + 1)));
  }

  #triggered(format: Schema, path: string, ends: readonly string[], depth: number): GrammarNode {
    const { builder } = this.#json;
    const triggers = this.#texts(format, "triggers", path);
    if (triggers.length === 0 || triggers.includes("")) {
      throw this.#refuse(`${path}.triggers`, "must be a list of at least one string that is not empty");
    }
    for (const [index, tag] of this.#list(format, "tags", path).entries()) {
      const begin = isObject(tag) && typeof tag.begin === "string" ? tag.begin : "";
      if (!triggers.some((trigger) => begin.startsWith(trigger))) {
        throw this.#refuse(`${path}.tags.${index}.begin`, `must begin with a trigger, got ${showValue(begin)}`);
      }
    }
    const tag = this.#tags(format, path, depth);
    const text = freeText(builder, [...triggers, ...ends, ...this.#texts(format, "excludes", path)]);
    const first = this.#flag(format, "at_least_one");
    if (this.#flag(format, "stop_after_first")) {
      return first ? tag : builder.choice([builder.sequence([text, tag]), text]);
    }
    const more = builder.sequence([builder.repeat(builder.sequence([text, tag]), 0, Number.POSITIVE_INFINITY), text]);
    return first ? builder.sequence([tag, more]) : more;
  }

  #separated(format: Schema, path: string, depth: number): GrammarNode {
    const { builder } = this.#json;
    const tag = this.#tags(format, path, depth);
    const separator = builder.literal(this.#text({ separator: "", ...format }, "separator", path));
    const more = builder.repeat(builder.sequence([separator, tag]), 0, Number.POSITIVE_INFINITY);
    const some = this.#flag(format, "stop_after_first") ? tag : builder.sequence([tag, more]);
    return this.#flag(format, "at_least_one") ? some : builder.optional(some);
  }

  /** The older form: structures with triggers. */
  legacy(tag: Schema): GrammarNode {
    const structures = this.#list(tag, "structures", "structural_tag");
    const tags = structures.map((structure) => {
      if (!isObject(structure)) throw this.#refuse("structural_tag.structures", "must hold objects");
      const { begin, end, schema } = structure;
      return { begin, end, content: { type: "json_schema", json_schema: schema ?? {} } };
    });
    return this.format({ type: "triggered_tags", triggers: tag.triggers, tags }, "structural_tag", []);
  }
}

/** Texts of a structural tag, given as JSON text. Throws GatewayError that names the part at fault. */
export function structuralTagNode(json: JsonText, text: string, param: string): GrammarNode {
  let tag: unknown;
  try {
    tag = JSON.parse(text);
  } catch {
    throw invalidValue(param, text, "the JSON text of a structural tag");
  }
  if (!isObject(tag)) throw invalidValue(param, tag, "a structural tag: an object with a format");
  const compiler = new TagCompiler(json, param);
  if ("structures" in tag) return compiler.legacy(tag);
  if (tag.type !== undefined && tag.type !== "structural_tag") {
    throw invalidValue(`${param}.type`, tag.type, '"structural_tag"');
  }
  return compiler.format(tag.format, "format", []);
}
