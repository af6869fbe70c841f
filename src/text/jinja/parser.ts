/** Tokens → statements. Says what a template means, not what it gives. */
import type { Expression, MacroBody, Statement, Target } from "./ast.ts";
import { checkNames, type KnownNames } from "./check-names.ts";
import { refuseSyntax, tokenizeTemplate } from "./lexer.ts";
import { ExpressionParser } from "./parse-expression.ts";

/** Longest template that is parsed, in UTF-16 units: the largest known ones have some 30,000. */
const LENGTH_LIMIT = 1_000_000;

/** Names a macro's body may use without declaring them. */
const IMPLICIT = ["varargs", "kwargs", "caller"];

/** A template that was parsed. */
export interface Program {
  readonly body: readonly Statement[];
}

class Parser extends ExpressionParser {
  /** Statements up to a tag named in `ends` (left unread after its `{%`) or the end of the template. */
  statements(ends: readonly string[]): Statement[] {
    const out: Statement[] = [];
    while (true) {
      if (this.is("end")) {
        if (ends.length > 0) this.refuse(`Unexpected end of template; expected ${ends.join(" or ")}`);
        return out;
      }
      const token = this.next();
      if (token.type === "data") out.push({ type: "data", text: token.text });
      else if (token.type === "begin-print") {
        out.push({ type: "print", value: this.tuple() });
        this.expect("end-print");
      } else if (token.type === "begin-block") {
        if (this.is("name") && ends.includes(this.current.text)) return out;
        out.push(...this.nested(() => this.#statement()));
      } else this.refuse(`unexpected '${token.text}'`);
    }
  }

  #body(...ends: string[]): Statement[] {
    this.skip("op", ":");
    this.expect("end-block");
    return this.statements(ends);
  }
  /** The body up to `end`, and the end tag. */
  #whole(end: string): Statement[] {
    const body = this.#body(end);
    this.next();
    this.expect("end-block");
    return body;
  }

  #statement(): Statement[] {
    const { text: tag, line } = this.expect("name");
    switch (tag) {
      case "if":
        return [this.#if()];
      case "for":
        return [this.#for()];
      case "set":
        return [this.#set()];
      case "with":
        return [this.#with()];
      case "macro": {
        const name = this.expect("name").text;
        return [{ type: "macro", macro: this.#macro(name, this.is("op", "(") ? "required" : "none", "endmacro") }];
      }
      case "call": {
        const at = this.#parameters();
        const call = this.expression();
        if (call.type !== "call") this.refuse("expected call");
        return [{ type: "call-block", call, macro: this.#macroBody("caller", at, "endcall") }];
      }
      case "filter": {
        const filter = this.filter(null, true);
        return [{ type: "filter-block", filter, body: this.#whole("endfilter") }];
      }
      case "generation":
        return [{ type: "generation", body: this.#whole("endgeneration") }];
      case "block": {
        const name = this.expect("name").text;
        while (this.skip("name", "scoped") || this.skip("name", "required"));
        const body = this.#body("endblock");
        this.next();
        this.skip("name", name);
        this.expect("end-block");
        return [{ type: "block", name, body }];
      }
      case "print": {
        const values = [this.expression()];
        while (this.skip("op", ",")) values.push(this.expression());
        this.expect("end-block");
        return values.map((value) => ({ type: "print", value }));
      }
      case "break":
      case "continue":
        this.expect("end-block");
        return [{ type: tag }];
      default:
        return refuseSyntax(`Encountered unknown tag '${tag}'.`, line);
    }
  }

  #if(): Statement {
    const branches: [Expression, Statement[]][] = [];
    let otherwise: Statement[] = [];
    while (true) {
      const test = this.tuple({ withCondition: false });
      branches.push([test, this.#body("elif", "else", "endif")]);
      const { text } = this.next();
      if (text === "elif") continue;
      if (text === "else") {
        otherwise = this.#body("endif");
        this.next();
      }
      this.expect("end-block");
      return { type: "if", branches, otherwise };
    }
  }
  #for(): Statement {
    const target = this.target({ stop: "in" });
    this.expect("name", "in");
    const iterable = this.tuple({ withCondition: false, stop: "recursive" });
    const test = this.skip("name", "if") ? this.expression() : null;
    const recursive = this.skip("name", "recursive");
    const body = this.#body("endfor", "else");
    const otherwise = this.next().text === "else" ? this.#body("endfor") : [];
    if (this.is("name", "endfor")) this.next();
    this.expect("end-block");
    return { type: "for", target, iterable, test, recursive, body, otherwise };
  }
  #set(): Statement {
    const target = this.target({ fields: true });
    if (this.skip("op", "=")) {
      const value = this.tuple();
      this.expect("end-block");
      return { type: "set", target, value };
    }
    const filter = this.is("op", "|") ? this.filter(null) : null;
    return { type: "set-block", target, filter, body: this.#whole("endset") };
  }
  #with(): Statement {
    const bindings: [Target, Expression][] = [];
    while (!this.is("end-block")) {
      if (bindings.length > 0) this.expect("op", ",");
      const target = this.target({ single: true });
      this.expect("op", "=");
      bindings.push([target, this.expression()]);
    }
    return { type: "with", bindings, body: this.#whole("endwith") };
  }

  #parameters(): { parameters: string[]; standards: Expression[] } {
    const parameters: string[] = [];
    const standards: Expression[] = [];
    if (!this.skip("op", "(")) return { parameters, standards };
    while (!this.is("op", ")")) {
      if (parameters.length > 0) this.expect("op", ",");
      parameters.push(this.expect("name").text);
      if (this.skip("op", "=")) standards.push(this.expression());
      else if (standards.length > 0) this.refuse("non-default argument follows default argument");
    }
    this.expect("op", ")");
    return { parameters, standards };
  }
  #macro(name: string, signature: "required" | "none", end: string): MacroBody {
    if (signature === "none") this.refuse("expected '('");
    return this.#macroBody(name, this.#parameters(), end);
  }
  #macroBody(name: string, signature: { parameters: string[]; standards: Expression[] }, end: string): MacroBody {
    const body = this.#whole(end);
    return { name, ...signature, body, uses: namesUsed(body) };
  }
}

/** Which implicit variables are read somewhere below, nested macros left out. */
function namesUsed(body: readonly Statement[]): Set<string> {
  const found = new Set<string>();
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) for (const item of value) walk(item);
    else if (typeof value === "object" && value !== null) {
      const node = value as { type?: unknown; name?: unknown; uses?: unknown };
      if (node.type === "macro") return;
      if (node.type === "name" && typeof node.name === "string" && IMPLICIT.includes(node.name)) found.add(node.name);
      for (const [key, child] of Object.entries(value)) if (key !== "uses" && typeof child === "object") walk(child);
    }
  };
  walk(body);
  return found;
}

/** Parses a template. Throws TemplateFailure `TemplateSyntaxError`, also for a filter or test that `known` does not have. */
export function parseTemplate(source: string, known: KnownNames): Program {
  if (source.length > LENGTH_LIMIT) refuseSyntax(`a template is limited to ${LENGTH_LIMIT} characters`, 1);
  const body = new Parser(tokenizeTemplate(source)).statements([]);
  checkNames(body, known);
  return { body };
}
