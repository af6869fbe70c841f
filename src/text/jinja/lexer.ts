/**
 * Template text → tokens, as jinja2 3.1 does it with `trim_blocks` and `lstrip_blocks` (transformers' settings). Knows
 * white-space control (`-`, `+`), raw blocks, comments and string escapes; knows no grammar.
 */
import { charge } from "./budget.ts";
import { TemplateFailure } from "./values.ts";

export type TokenType =
  | "data"
  | "begin-print"
  | "end-print"
  | "begin-block"
  | "end-block"
  | "name"
  | "string"
  | "int"
  | "float"
  | "op"
  | "end";

export interface Token {
  readonly type: TokenType;
  readonly text: string;
  readonly line: number;
}

/** A template that is no template; the line counts from 1. */
export function refuseSyntax(message: string, line: number): never {
  throw new TemplateFailure("TemplateSyntaxError", `${message} (line ${line})`);
}

const PY_SPACE = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const BEGIN = new RegExp(`\\{%([-+]?)${PY_SPACE}*raw${PY_SPACE}*(?:-%\\}${PY_SPACE}*|%\\})|\\{([%{#])([-+]?)`, "g");
const END_RAW = new RegExp(`\\{%([-+]?)${PY_SPACE}*endraw${PY_SPACE}*(?:\\+%\\}|-%\\}${PY_SPACE}*|%\\}\\n?)`, "g");
const END_COMMENT = new RegExp(`\\+#\\}|-#\\}${PY_SPACE}*|#\\}\\n?`, "g");
const END_BLOCK = new RegExp(`\\+%\\}|-%\\}${PY_SPACE}*|%\\}\\n?`, "y");
const END_PRINT = new RegExp(`-\\}\\}${PY_SPACE}*|\\}\\}`, "y");
const WHITE = new RegExp(`${PY_SPACE}+`, "y");
const FLOAT = /(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy;
const INT = /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy;
const NAME = /[\p{ID_Start}_][\p{ID_Continue}]*/uy;
const STRING = /'(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*"/y;
const OPERATOR = /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}<>=.:|,;]/y;
const TRAILING_SPACE = new RegExp(`${PY_SPACE}$`);

const trimEnd = (text: string): string => {
  let end = text.length;
  while (end > 0 && TRAILING_SPACE.test(text[end - 1] ?? "")) end -= 1;
  return text.slice(0, end);
};

const CLOSERS: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\n": "",
};

/** Python's `unicode-escape`; an unknown escape keeps its backslash. */
function unescapeText(text: string, line: number): string {
  if (!text.includes("\\")) return text;
  return text.replace(
    /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|([\s\S]))/gu,
    (whole: string, x?: string, u?: string, long?: string, octal?: string, other?: string) => {
      const code = x ?? u ?? long;
      if (code !== undefined) {
        const point = Number.parseInt(code, 16);
        return point > 0x10ffff
          ? refuseSyntax("illegal Unicode character in a string", line)
          : String.fromCodePoint(point);
      }
      if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8));
      if (other === "x" || other === "u" || other === "U" || other === "N") {
        return refuseSyntax(`truncated \\${other} escape in a string`, line);
      }
      return SIMPLE_ESCAPES[other ?? ""] ?? (other === "\\" || other === "'" || other === '"' ? other : whole);
    },
  );
}

/** Cuts a template into tokens, ending with one of type `end`. Throws TemplateFailure `TemplateSyntaxError`. */
export function tokenizeTemplate(template: string): Token[] {
  const source = template.replaceAll(/\r\n|\r|\n/g, "\n").replace(/\n$/, "");
  charge(source.length);
  const tokens: Token[] = [];
  let at = 0;
  let line = 1;
  let lineStarting = true;
  const emit = (type: TokenType, text: string): void => {
    tokens.push({ type, text, line });
  };
  const advance = (to: number): void => {
    for (let index = at; index < to; index += 1) if (source[index] === "\n") line += 1;
    lineStarting = to > at ? source[to - 1] === "\n" : lineStarting;
    at = to;
  };
  /** Text before a tag, with the white space taken off that the tag asks for. */
  const data = (text: string, sign: string, isPrint: boolean): void => {
    let kept = text;
    if (sign === "-") kept = trimEnd(text);
    else if (sign !== "+" && !isPrint) {
      const start = text.lastIndexOf("\n") + 1;
      if ((start > 0 || lineStarting) && trimEnd(text.slice(start)) === "") kept = text.slice(0, start);
    }
    if (kept !== "") emit("data", kept);
  };
  const seek = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(source);
  };

  const expression = (end: RegExp, kind: "end-print" | "end-block"): void => {
    const open: string[] = [];
    while (true) {
      if (at >= source.length) refuseSyntax("unexpected end of template", line);
      if (open.length === 0) {
        const closing = seek(end);
        if (closing !== null) {
          emit(kind, closing[0]);
          advance(at + closing[0].length);
          return;
        }
      }
      const white = seek(WHITE);
      if (white !== null) {
        advance(at + white[0].length);
        continue;
      }
      const number = source[at - 1] === "." ? null : seek(FLOAT);
      const [type, match]: [TokenType, RegExpExecArray | null] =
        number !== null
          ? ["float", number]
          : (([
              ["int", seek(INT)],
              ["name", seek(NAME)],
              ["string", seek(STRING)],
              ["op", seek(OPERATOR)],
            ].find(([, found]) => found !== null) as [TokenType, RegExpExecArray] | undefined) ?? ["end", null]);
      if (match === null) refuseSyntax(`unexpected char ${JSON.stringify(source[at])}`, line);
      const text = match?.[0] ?? "";
      if (type === "op") {
        if (text in CLOSERS) open.push(CLOSERS[text] ?? "");
        else if (")]}".includes(text) && open.pop() !== text) refuseSyntax(`unexpected '${text}'`, line);
      }
      emit(type, type === "string" ? unescapeText(text.slice(1, -1), line) : text);
      advance(at + text.length);
    }
  };

  while (at < source.length) {
    const begin = seek(BEGIN);
    if (begin === null) {
      emit("data", source.slice(at));
      break;
    }
    const [whole, rawSign, kind, sign = ""] = begin;
    data(source.slice(at, begin.index), rawSign ?? sign, kind === "{");
    advance(begin.index + whole.length);
    if (kind === undefined) {
      const end = seek(END_RAW);
      if (end === null) return refuseSyntax("Missing end of raw directive", line);
      data(source.slice(at, end.index), end[1] ?? "", false);
      advance(end.index + end[0].length);
    } else if (kind === "#") {
      const end = seek(END_COMMENT);
      if (end === null) return refuseSyntax("Missing end of comment tag", line);
      advance(end.index + end[0].length);
    } else if (kind === "{") {
      emit("begin-print", whole);
      expression(END_PRINT, "end-print");
    } else {
      emit("begin-block", whole);
      expression(END_BLOCK, "end-block");
    }
  }
  emit("end", "");
  return tokens;
}
