/**
 * EBNF grammars as llama.cpp (GBNF) and XGrammar write them: `root ::= "a" item* | [0-9]{2,3}`, `#` comments. Lark, which
 * vLLM also takes, is refused by name.
 */
import { GatewayError } from "../../errors.ts";
import { type CharSet, charNode, charsOf, complement, toCharSet, union } from "./charset.ts";
import { type GrammarBuilder, type GrammarNode, nodesOf, type Rule } from "./nodes.ts";

const TEXT_LIMIT = 1_048_576;
const DEPTH_LIMIT = 200;
const NAME = /[A-Za-z_][A-Za-z0-9_.-]*/y;
const DEFINES = /\s*::=/y;
const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  b: "\b",
  f: "\f",
  v: "\v",
  "0": "\0",
  a: "\x07",
  e: "\x1b",
};
const HEX_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

class EbnfParser {
  readonly #builder: GrammarBuilder;
  readonly #text: string;
  readonly #param: string;
  readonly #rules = new Map<string, Rule>();
  readonly #used = new Map<string, number>();
  #at = 0;
  #depth = 0;

  constructor(builder: GrammarBuilder, text: string, param: string) {
    this.#builder = builder;
    this.#text = text;
    this.#param = param;
  }

  #fail(reason: string, at = this.#at): GatewayError {
    const before = this.#text.slice(0, at).split("\n");
    const where = `line ${before.length}, column ${(before.at(-1) ?? "").length + 1}`;
    return new GatewayError("invalid_value", `Invalid grammar specification (${where}): ${reason}.`, {
      param: this.#param,
    });
  }

  #skip(): void {
    for (;;) {
      const character = this.#text[this.#at];
      if (character === "#") {
        const end = this.#text.indexOf("\n", this.#at);
        this.#at = end < 0 ? this.#text.length : end;
      } else if (character !== undefined && /\s/.test(character)) this.#at += 1;
      else return;
    }
  }

  #name(): string | undefined {
    NAME.lastIndex = this.#at;
    const found = NAME.exec(this.#text);
    if (found === null) return undefined;
    this.#at += found[0].length;
    return found[0];
  }

  #ruleOf(name: string): Rule {
    const known = this.#rules.get(name);
    if (known !== undefined) return known;
    const made = this.#builder.rule(name);
    this.#rules.set(name, made);
    return made;
  }

  parse(root: string): GrammarNode {
    this.#skip();
    while (this.#at < this.#text.length) {
      const start = this.#at;
      const name = this.#name();
      if (name === undefined) throw this.#fail("a rule is expected: name ::= …");
      this.#skip();
      if (!this.#text.startsWith("::=", this.#at)) throw this.#fail(`"::=" is expected after "${name}"`);
      this.#at += 3;
      const rule = this.#ruleOf(name);
      if (rule.body !== null) throw this.#fail(`rule "${name}" is defined twice`, start);
      rule.body = this.#choice();
      this.#skip();
    }
    for (const [name, at] of this.#used) {
      if (this.#rules.get(name)?.body === null) throw this.#fail(`rule "${name}" is not defined`, at);
    }
    const first = this.#rules.get(root);
    if (first === undefined || first.body === null) throw this.#fail(`there is no rule "${root}" to start with`, 0);
    this.#refuseLeftRecursion();
    return this.#builder.use(first);
  }

  #choice(): GrammarNode {
    this.#depth += 1;
    if (this.#depth > DEPTH_LIMIT) throw this.#fail(`groups may nest at most ${DEPTH_LIMIT} levels`);
    const items = [this.#sequence()];
    for (;;) {
      this.#skip();
      if (this.#text[this.#at] !== "|") break;
      this.#at += 1;
      items.push(this.#sequence());
    }
    this.#depth -= 1;
    return this.#builder.choice(items);
  }

  #sequence(): GrammarNode {
    const items: GrammarNode[] = [];
    for (;;) {
      this.#skip();
      const character = this.#text[this.#at];
      if (character === undefined || character === "|" || character === ")") break;
      const item = this.#item();
      if (item === null) break;
      items.push(this.#quantified(item));
    }
    return this.#builder.sequence(items);
  }

  /** null at the head of the next rule. */
  #item(): GrammarNode | null {
    const character = this.#text[this.#at]!;
    const builder = this.#builder;
    if (character === '"') return this.#string();
    if (character === "[") return charNode(builder, this.#class());
    if (character === ".") {
      this.#at += 1;
      return charNode(builder, complement([]));
    }
    if (character === "(") {
      if (this.#text[this.#at + 1] === "=") throw this.#fail('a lookahead "(=" is not supported; leave it out');
      this.#at += 1;
      const inner = this.#choice();
      if (this.#text[this.#at] !== ")") throw this.#fail('")" is missing');
      this.#at += 1;
      return inner;
    }
    const start = this.#at;
    const name = this.#name();
    if (name === undefined) throw this.#fail(`unexpected ${JSON.stringify(character)}`);
    DEFINES.lastIndex = this.#at;
    if (DEFINES.test(this.#text)) {
      this.#at = start;
      return null;
    }
    if (this.#text[this.#at] === "(") throw this.#fail(`"${name}(…)" is not supported here`, start);
    if (!this.#used.has(name)) this.#used.set(name, start);
    return builder.use(this.#ruleOf(name));
  }

  #quantified(item: GrammarNode): GrammarNode {
    let node = item;
    for (;;) {
      this.#skip();
      const character = this.#text[this.#at];
      if (character === "*") node = this.#builder.repeat(node, 0, Number.POSITIVE_INFINITY);
      else if (character === "+") node = this.#builder.repeat(node, 1, Number.POSITIVE_INFINITY);
      else if (character === "?") node = this.#builder.optional(node);
      else if (character === "{") {
        const end = this.#text.indexOf("}", this.#at);
        const match = /^\s*(\d{1,6})?\s*(,)?\s*(\d{1,6})?\s*$/.exec(
          this.#text.slice(this.#at + 1, Math.max(this.#at, end)),
        );
        if (match === null || (match[1] === undefined && match[3] === undefined)) {
          throw this.#fail("a repetition is {n}, {n,}, {,m} or {n,m}");
        }
        const min = Number(match[1] ?? 0);
        const max = match[2] === undefined ? min : match[3] === undefined ? Number.POSITIVE_INFINITY : Number(match[3]);
        if (max < min) throw this.#fail("a repetition has its bounds in the wrong order");
        node = this.#builder.repeat(node, min, max);
        this.#at = end;
      } else return node;
      this.#at += 1;
    }
  }

  /** One character of a string or class, escapes read. */
  #character(): string {
    const code = this.#text.codePointAt(this.#at);
    if (code === undefined || code === 0x0a) throw this.#fail("a string or class does not end on its line");
    if (code !== 0x5c) {
      const character = String.fromCodePoint(code);
      this.#at += character.length;
      return character;
    }
    const letter = this.#text[this.#at + 1] ?? "";
    const digits = HEX_DIGITS[letter];
    if (digits !== undefined) {
      const hex = this.#text.slice(this.#at + 2, this.#at + 2 + digits);
      const value = Number.parseInt(hex, 16);
      if (hex.length !== digits || !/^[0-9a-fA-F]+$/.test(hex) || value > 0x10ffff) {
        throw this.#fail(`\\${letter} wants ${digits} hexadecimal digits of a code point`);
      }
      this.#at += 2 + digits;
      return String.fromCodePoint(value);
    }
    const known = ESCAPES[letter] ?? (/[A-Za-z0-9]/.test(letter) || letter === "" ? undefined : letter);
    if (known === undefined) throw this.#fail(`\\${letter} is not a known escape`);
    this.#at += 2;
    return known;
  }

  #string(): GrammarNode {
    this.#at += 1;
    let text = "";
    while (this.#text[this.#at] !== '"') text += this.#character();
    this.#at += 1;
    return this.#builder.literal(text);
  }

  #class(): CharSet {
    this.#at += 1;
    const negated = this.#text[this.#at] === "^";
    if (negated) this.#at += 1;
    const sets: CharSet[] = [];
    while (this.#text[this.#at] !== "]") {
      const from = this.#character();
      if (this.#text[this.#at] === "-" && this.#text[this.#at + 1] !== "]") {
        this.#at += 1;
        const to = this.#character();
        const [low, high] = [from.codePointAt(0) ?? 0, to.codePointAt(0) ?? 0];
        if (high < low) throw this.#fail("a range has its ends in the wrong order");
        sets.push(toCharSet([[low, high]]));
      } else sets.push(charsOf(from));
    }
    this.#at += 1;
    const set = union(...sets);
    return negated ? complement(set) : set;
  }

  /** `expr ::= expr "+" term`: such a rule would be entered for ever before a character is read. */
  #refuseLeftRecursion(): void {
    const nullable = toNullable([...this.#rules.values()]);
    const edges = new Map<Rule, Set<Rule>>();
    const growing: [Rule, Rule][] = [];
    for (const rule of this.#rules.values()) {
      const reached = new Set<Rule>();
      edges.set(rule, reached);
      const seen = new Set<string>();
      const walk = (node: GrammarNode, grows: boolean): void => {
        const key = `${node.id}${grows}`;
        if (seen.has(key)) return;
        seen.add(key);
        if (node.kind === "rule") {
          reached.add(node.rule);
          if (grows) growing.push([rule, node.rule]);
        } else if (node.kind === "choice") for (const item of node.items) walk(item, grows);
        else if (node.kind === "repeat") walk(node.body, true);
        else if (node.kind === "sequence") {
          for (const [index, item] of node.items.entries()) {
            walk(item, grows || index + 1 < node.items.length);
            if (!nullable.has(item.id)) break;
          }
        }
      };
      if (rule.body !== null) walk(rule.body, false);
    }
    const reaches = (from: Rule, to: Rule): boolean => {
      const seen = new Set<Rule>([from]);
      for (const rule of seen) {
        if (rule === to) return true;
        for (const next of edges.get(rule) ?? []) seen.add(next);
      }
      return false;
    };
    for (const [from, to] of growing) {
      if (!reaches(to, from)) continue;
      throw this.#fail(
        `rule "${from.name}" begins with itself, which is not supported; write item (sep item)* instead of list sep item`,
        0,
      );
    }
  }
}

/** Ids of the nodes that match the empty text. */
function toNullable(rules: readonly Rule[]): ReadonlySet<number> {
  const nullable = new Set<number>();
  const nodes = rules.flatMap(({ body }) => (body === null ? [] : nodesOf(body)));
  const empties = (node: GrammarNode): boolean => {
    if (node.kind === "empty") return true;
    if (node.kind === "sequence") return node.items.every(({ id }) => nullable.has(id));
    if (node.kind === "choice") return node.items.some(({ id }) => nullable.has(id));
    if (node.kind === "repeat") return node.min === 0 || nullable.has(node.body.id);
    return node.kind === "rule" && node.rule.body !== null && nullable.has(node.rule.body.id);
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const node of nodes) {
      if (nullable.has(node.id) || !empties(node)) continue;
      nullable.add(node.id);
      changed = true;
    }
  }
  return nullable;
}

/** vLLM's test: a grammar without any `::=` is taken for Lark. */
const isLikelyLark = (text: string): boolean =>
  !text.split("\n").some((line) => line.replace(/(#|\/\/).*$/, "").includes("::="));

/** Texts of the grammar's rule `root`. Throws GatewayError `invalid_value` with line and column. */
export function ebnfNode(builder: GrammarBuilder, text: string, param: string): GrammarNode {
  if (text.length > TEXT_LIMIT) {
    throw new GatewayError(
      "limit_exceeded",
      `${param} must have at most ${TEXT_LIMIT} characters, got ${text.length}.`,
      {
        param,
      },
    );
  }
  if (isLikelyLark(text)) {
    throw new GatewayError(
      "unsupported",
      'Lark grammars are not supported on embedded replicas: write EBNF, as in root ::= "yes" | "no".',
      { param },
    );
  }
  return new EbnfParser(builder, text, param).parse("root");
}
