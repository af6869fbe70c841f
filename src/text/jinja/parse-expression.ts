/** Tokens → expressions, with jinja2 3.1's precedence (`parser.py`). The statements' parser builds on this one. */
import type { Arguments, Expression, Target } from "./ast.ts";
import { refuseSyntax, type Token, type TokenType } from "./lexer.ts";
import { PyFloat, toInt } from "./values.ts";

/** Deepest nesting of brackets and operators: far beyond any template, well within every runtime's stack. */
const DEPTH_LIMIT = 150;

const COMPARISONS = new Set(["==", "!=", "<", "<=", ">", ">="]);
const CONSTANTS: Readonly<Record<string, boolean | null>> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
};
const RESERVED = new Set(Object.keys(CONSTANTS));

/** Words that begin no argument of a test without brackets. */
const NO_ARGUMENT = new Set(["else", "or", "and"]);

const NO_ARGUMENTS: Arguments = { positional: [], named: [] };

/** A cursor over tokens that reads expressions. */
export class ExpressionParser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get current(): Token {
    return this.#tokens[this.#at] ?? { type: "end", text: "", line: 0 };
  }
  get ahead(): Token | undefined {
    return this.#tokens[this.#at + 1];
  }
  next(): Token {
    const token = this.current;
    this.#at += 1;
    return token;
  }
  is(type: TokenType, text?: string): boolean {
    const { current } = this;
    return current.type === type && (text === undefined || current.text === text);
  }
  skip(type: TokenType, text?: string): boolean {
    if (!this.is(type, text)) return false;
    this.#at += 1;
    return true;
  }
  expect(type: TokenType, text?: string): Token {
    if (!this.is(type, text)) this.refuse(`expected ${text ?? type}, got ${this.current.text || this.current.type}`);
    return this.next();
  }
  refuse(message: string): never {
    return refuseSyntax(message, this.current.line);
  }

  /** Guards a recursion of the parser. */
  nested<T>(read: () => T): T {
    this.#depth += 1;
    if (this.#depth > DEPTH_LIMIT) this.refuse("the template is nested too deeply");
    try {
      return read();
    } finally {
      this.#depth -= 1;
    }
  }

  expression(withCondition = true): Expression {
    return this.nested(() => (withCondition ? this.#condition() : this.#or()));
  }

  #condition(): Expression {
    let then = this.#or();
    while (this.skip("name", "if")) {
      const test = this.#or();
      const otherwise = this.skip("name", "else") ? this.nested(() => this.#condition()) : null;
      then = { type: "if", test, then, otherwise };
    }
    return then;
  }
  #or(): Expression {
    let left = this.#and();
    while (this.skip("name", "or")) left = { type: "logic", sign: "or", left, right: this.#and() };
    return left;
  }
  #and(): Expression {
    let left = this.#not();
    while (this.skip("name", "and")) left = { type: "logic", sign: "and", left, right: this.#not() };
    return left;
  }
  #not(): Expression {
    if (this.skip("name", "not")) return { type: "unary", sign: "not", operand: this.nested(() => this.#not()) };
    return this.#compare();
  }
  #compare(): Expression {
    const first = this.#sum();
    const rest: [string, Expression][] = [];
    while (true) {
      if (this.is("op") && COMPARISONS.has(this.current.text)) rest.push([this.next().text, this.#sum()]);
      else if (this.skip("name", "in")) rest.push(["in", this.#sum()]);
      else if (this.is("name", "not") && this.ahead?.type === "name" && this.ahead.text === "in") {
        this.#at += 2;
        rest.push(["not in", this.#sum()]);
      } else return rest.length === 0 ? first : { type: "compare", first, rest };
    }
  }
  #binary(signs: readonly string[], operand: () => Expression): Expression {
    let left = operand();
    let chain = 0;
    while (this.is("op") && signs.includes(this.current.text)) {
      const sign = this.next().text;
      left = { type: "binary", sign, left, right: operand() };
      chain += 1;
      // The tree leans left: its depth is what the evaluator recurses into.
      if (chain > DEPTH_LIMIT * 4) this.refuse("an expression has too many operators");
    }
    return left;
  }
  #sum(): Expression {
    return this.#binary(["+", "-"], () => this.#concat());
  }
  #concat(): Expression {
    const items = [this.#product()];
    while (this.skip("op", "~")) items.push(this.#product());
    return items.length === 1 ? (items[0] as Expression) : { type: "concat", items };
  }
  #product(): Expression {
    return this.#binary(["*", "/", "//", "%"], () => this.#binary(["**"], () => this.#unary(true)));
  }
  #unary(withFilter: boolean): Expression {
    let node: Expression;
    if (this.is("op", "-") || this.is("op", "+")) {
      const sign = this.next().text as "-" | "+";
      node = { type: "unary", sign, operand: this.nested(() => this.#unary(false)) };
    } else node = this.primary();
    node = this.postfix(node);
    return withFilter ? this.#filters(node) : node;
  }

  /** A name, a literal or something in brackets. */
  primary(): Expression {
    const { type, text, line } = this.current;
    if (type === "name") {
      this.next();
      return RESERVED.has(text) ? { type: "const", value: CONSTANTS[text] ?? null } : { type: "name", name: text };
    }
    if (type === "string") {
      let value = "";
      while (this.is("string")) value += this.next().text;
      return { type: "const", value };
    }
    if (type === "int") {
      this.next();
      const digits = text.replaceAll("_", "");
      if (digits.length > 4300) return refuseSyntax("a number has too many digits", line);
      return { type: "const", value: toInt(BigInt(digits)) };
    }
    if (type === "float") {
      this.next();
      return { type: "const", value: new PyFloat(Number(text.replaceAll("_", ""))) };
    }
    if (this.skip("op", "(")) {
      const inner = this.tuple({ parentheses: true });
      this.expect("op", ")");
      return inner;
    }
    if (this.skip("op", "[")) return { type: "list", items: this.#items("]") };
    if (this.skip("op", "{")) return { type: "dict", entries: this.#entries() };
    return this.refuse(`unexpected '${text || type}'`);
  }

  #items(close: string): Expression[] {
    const items: Expression[] = [];
    while (!this.is("op", close)) {
      if (items.length > 0) this.expect("op", ",");
      if (this.is("op", close)) break;
      items.push(this.expression());
    }
    this.expect("op", close);
    return items;
  }
  #entries(): [Expression, Expression][] {
    const entries: [Expression, Expression][] = [];
    while (!this.is("op", "}")) {
      if (entries.length > 0) this.expect("op", ",");
      if (this.is("op", "}")) break;
      const key = this.expression();
      this.expect("op", ":");
      entries.push([key, this.expression()]);
    }
    this.expect("op", "}");
    return entries;
  }

  /** One expression, or several with commas between: a tuple. */
  tuple(options: { parentheses?: boolean; withCondition?: boolean; stop?: string } = {}): Expression {
    const items: Expression[] = [];
    let isTuple = false;
    const ended = (): boolean =>
      this.is("end-print") ||
      this.is("end-block") ||
      this.is("op", ")") ||
      (options.stop !== undefined && this.is("name", options.stop));
    while (true) {
      if (items.length > 0) this.expect("op", ",");
      if (ended()) break;
      items.push(this.expression(options.withCondition ?? true));
      if (!this.is("op", ",")) break;
      isTuple = true;
    }
    if (!isTuple) {
      if (items[0] !== undefined) return items[0];
      if (options.parentheses !== true) this.refuse(`Expected an expression, got '${this.current.text}'`);
    }
    return { type: "tuple", items };
  }

  /** `.name`, `[…]`, `(…)` after a value. */
  postfix(start: Expression): Expression {
    let node = start;
    let chain = 0;
    while (true) {
      chain += 1;
      if (chain > DEPTH_LIMIT * 4) this.refuse("an expression is too long");
      if (this.skip("op", ".")) {
        const token = this.next();
        if (token.type === "name") node = { type: "attribute", target: node, name: token.text };
        else if (token.type === "int")
          node = { type: "item", target: node, key: { type: "const", value: Number(token.text) } };
        else this.refuse("expected name or number");
      } else if (this.skip("op", "[")) node = { type: "item", target: node, key: this.#subscript() };
      else if (this.is("op", "(")) node = { type: "call", target: node, args: this.args() };
      else return node;
    }
  }
  #subscript(): Expression {
    const parts: Expression[] = [];
    while (!this.is("op", "]")) {
      if (parts.length > 0) this.expect("op", ",");
      parts.push(this.#subscribed());
    }
    this.expect("op", "]");
    if (parts.length === 0) this.refuse("expected a subscript");
    return parts.length === 1 ? (parts[0] as Expression) : { type: "tuple", items: parts };
  }
  #subscribed(): Expression {
    const part = (): Expression | null =>
      this.is("op", ":") || this.is("op", "]") || this.is("op", ",") ? null : this.expression();
    const start = part();
    if (!this.skip("op", ":")) return start ?? this.refuse("expected a subscript");
    const stop = part();
    const step = this.skip("op", ":") ? part() : null;
    return { type: "slice", start, stop, step };
  }

  #filters(start: Expression): Expression {
    let node = start;
    let chain = 0;
    while (true) {
      chain += 1;
      if (chain > DEPTH_LIMIT * 4) this.refuse("an expression is too long");
      if (this.is("op", "|")) node = this.filter(node);
      else if (this.is("name", "is")) node = this.#test(node);
      else if (this.is("op", "(")) node = { type: "call", target: node, args: this.args() };
      else return node;
    }
  }

  /** `|name(args)|…`; with `inline` the first name has no bar before it (filter blocks). */
  filter(target: Expression | null, inline = false): Expression {
    let node = target;
    let first = inline;
    while (first || this.is("op", "|")) {
      if (!first) this.next();
      first = false;
      const name = this.#dotted();
      const args = this.is("op", "(") ? this.args() : NO_ARGUMENTS;
      node = { type: "filter", target: node, name, args };
    }
    return node ?? this.refuse("expected a filter");
  }
  #dotted(): string {
    let name = this.expect("name").text;
    while (this.skip("op", ".")) name += `.${this.expect("name").text}`;
    return name;
  }
  #test(target: Expression): Expression {
    this.next();
    const negated = this.skip("name", "not");
    const name = this.#dotted();
    let args = NO_ARGUMENTS;
    const { type, text } = this.current;
    if (this.is("op", "(")) args = this.args();
    else if (
      ["name", "string", "int", "float"].includes(type)
        ? !(type === "name" && NO_ARGUMENT.has(text))
        : type === "op" && (text === "[" || text === "{")
    ) {
      if (this.is("name", "is")) this.refuse("You cannot chain multiple tests with is");
      args = { positional: [this.postfix(this.primary())], named: [] };
    }
    const node: Expression = { type: "test", target, name, args };
    return negated ? { type: "unary", sign: "not", operand: node } : node;
  }

  /** `(a, b, name=c, *d, **e)`. */
  args(): Arguments {
    this.expect("op", "(");
    const positional: Expression[] = [];
    const named: [string, Expression][] = [];
    let star: Expression | undefined;
    let stars: Expression | undefined;
    let any = false;
    while (!this.is("op", ")")) {
      if (any) {
        this.expect("op", ",");
        if (this.is("op", ")")) break;
      }
      any = true;
      if (this.skip("op", "*")) {
        if (star !== undefined || stars !== undefined) this.refuse("invalid syntax for function call expression");
        star = this.expression();
      } else if (this.skip("op", "**")) {
        if (stars !== undefined) this.refuse("invalid syntax for function call expression");
        stars = this.expression();
      } else if (this.is("name") && this.ahead?.type === "op" && this.ahead.text === "=") {
        if (stars !== undefined) this.refuse("invalid syntax for function call expression");
        const name = this.next().text;
        this.next();
        named.push([name, this.expression()]);
      } else {
        if (star !== undefined || stars !== undefined || named.length > 0) {
          this.refuse("invalid syntax for function call expression");
        }
        positional.push(this.expression());
      }
    }
    this.expect("op", ")");
    return { positional, named, ...(star && { star }), ...(stars && { stars }) };
  }

  /** What may stand left of `=` or of `in`. */
  target(options: { fields?: boolean; stop?: string; single?: boolean } = {}): Target {
    const one = (): Target => {
      if (this.skip("op", "(")) {
        const inner = this.target({ ...options, single: false });
        this.expect("op", ")");
        return inner;
      }
      const { text } = this.expect("name");
      if (RESERVED.has(text)) this.refuse(`can't assign to '${text}'`);
      if (options.fields === true && this.skip("op", "."))
        return { type: "field", name: text, field: this.expect("name").text };
      return { type: "name", name: text };
    };
    const items = [one()];
    let isTuple = false;
    while (options.single !== true && this.skip("op", ",")) {
      isTuple = true;
      if (!this.is("name") && !this.is("op", "(")) break;
      if (options.stop !== undefined && this.is("name", options.stop)) break;
      items.push(one());
    }
    return isTuple ? { type: "tuple", items } : (items[0] as Target);
  }
}
