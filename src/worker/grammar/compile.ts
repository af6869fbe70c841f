/** What a request asks its answers to be → a grammar. Pure; the work is bounded by what the parts refuse. */
import type { StructuredOutputs } from "../../contract/sampling.ts";
import { GatewayError } from "../../errors.ts";
import { ebnfNode } from "./ebnf.ts";
import { JsonText } from "./json-text.ts";
import { type Grammar, GrammarBuilder, type GrammarNode } from "./nodes.ts";
import { regexPart } from "./regex.ts";
import { schemaNode } from "./schema/compile.ts";
import { structuralTagNode } from "./structural-tag.ts";

/** As vLLM 0.32's MAX_STRUCTURED_OUTPUT_JSON_NESTING. */
const NESTING_LIMIT = 64;
/** Characters of a schema's JSON text. */
const SCHEMA_LIMIT = 1_048_576;
const CHOICES_LIMIT = 10_000;
/** Spaces and tabs after a line break: enough for indented answers, and an end for models that get lost in them. */
const INDENT_LIMIT = 20;

/** Levels of objects and arrays in a JSON text; strings are skipped. */
function nestingOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '"') {
      for (at += 1; at < text.length && text[at] !== '"'; at += 1) if (text[at] === "\\") at += 1;
    } else if (character === "{" || character === "[") {
      depth += 1;
      deepest = Math.max(deepest, depth);
    } else if (character === "}" || character === "]") depth -= 1;
  }
  return deepest;
}

function checkNesting(text: string, limit: number, param: string): void {
  if (text.length > SCHEMA_LIMIT) {
    throw new GatewayError(
      "limit_exceeded",
      `A JSON schema may have at most ${SCHEMA_LIMIT} characters, got ${text.length}.`,
      {
        param,
      },
    );
  }
  if (nestingOf(text) <= limit) return;
  throw new GatewayError(
    "invalid_value",
    `The JSON schema is nested too deeply: objects and arrays may nest at most ${NESTING_LIMIT} levels`,
    { param },
  );
}

function parseSchema(text: string, param: string): unknown {
  checkNesting(text, NESTING_LIMIT, param);
  try {
    return JSON.parse(text);
  } catch {
    throw new GatewayError("invalid_value", "Invalid JSON grammar specification.", { param });
  }
}

/** Nothing, one space, or a line break with an indent. */
function spaceNode(builder: GrammarBuilder, outputs: StructuredOutputs): GrammarNode {
  if (outputs.whitespacePattern !== undefined) {
    return regexPart(builder, outputs.whitespacePattern, { param: `${outputs.param}.whitespace_pattern` }).node;
  }
  if (outputs.disableAnyWhitespace === true) return builder.empty;
  const indent = builder.repeat(builder.oneOf([0x20, 0x09]), 0, INDENT_LIMIT);
  return builder.choice([builder.empty, builder.literal(" "), builder.sequence([builder.literal("\n"), indent])]);
}

function rootNode(builder: GrammarBuilder, outputs: StructuredOutputs): GrammarNode {
  const { constraint, param } = outputs;
  const json = (): JsonText => new JsonText(builder, spaceNode(builder, outputs));
  switch (constraint.kind) {
    case "json":
      return schemaNode(json(), parseSchema(constraint.schema, param));
    case "json_object":
      return json().anyObject();
    case "regex":
      return regexPart(builder, constraint.pattern, { param: `${param}.regex` }).node;
    case "choice":
      if (constraint.choices.length > CHOICES_LIMIT) {
        throw new GatewayError(
          "limit_exceeded",
          `${param}.choice may hold at most ${CHOICES_LIMIT} texts, got ${constraint.choices.length}.`,
          { param },
        );
      }
      return builder.choice(constraint.choices.map((text) => builder.literal(text)));
    case "grammar":
      return ebnfNode(builder, constraint.grammar, `${param}.grammar`);
    case "structural_tag":
      // vLLM lets the tag itself take some levels more.
      checkNesting(constraint.tag, NESTING_LIMIT * 2, param);
      return structuralTagNode(json(), constraint.tag, `${param}.structural_tag`);
  }
}

/** Throws GatewayError `invalid_value`, `unsupported` or `limit_exceeded`, naming what is at fault. */
export function compileGrammar(outputs: StructuredOutputs): Grammar {
  const builder = new GrammarBuilder();
  try {
    const grammar = builder.build(rootNode(builder, outputs));
    if (grammar.productive[grammar.root.id] !== 1) {
      throw new GatewayError(
        "invalid_value",
        "No finite text satisfies the constraint: it contradicts itself, or asks for itself again and again.",
      );
    }
    return grammar;
  } catch (thrown) {
    if (!(thrown instanceof GatewayError)) throw thrown;
    throw new GatewayError(thrown.code, thrown.message, { ...thrown.details, param: outputs.param });
  }
}
