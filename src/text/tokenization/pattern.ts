/**
 * Patterns of a `tokenizer.json` as JavaScript regular expressions. The reference uses Oniguruma with Unicode classes:
 * white space, words and digits are Unicode's, anchors are per line, possessive quantifiers exist.
 */
import { GatewayError } from "../../errors.ts";
import { record } from "./parts.ts";

const CLASSES: Readonly<Record<string, string>> = {
  s: "\\p{White_Space}",
  S: "\\P{White_Space}",
  d: "\\p{Nd}",
  D: "\\P{Nd}",
  h: "0-9A-Fa-f",
};
const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
const POSIX: Readonly<Record<string, string>> = {
  alpha: "\\p{Alphabetic}",
  digit: "\\p{Nd}",
  alnum: "\\p{Alphabetic}\\p{Nd}",
  space: "\\p{White_Space}",
  upper: "\\p{Uppercase}",
  lower: "\\p{Lowercase}",
  punct: "\\p{P}\\p{S}",
  word: WORD,
};
const SYNTAX = /[\^$\\.*+?()[\]{}|/]/;
const SCRIPTS =
  /^(Han|Hiragana|Katakana|Hangul|Thai|Latin|Greek|Cyrillic|Arabic|Hebrew|Devanagari|Bopomofo|Lao|Khmer|Myanmar|Tibetan|Armenian|Georgian|Ethiopic|Common|Inherited)$/;

/** Longest pattern that is compiled; the known ones have some hundred characters. */
const PATTERN_LIMIT = 10_000;

function escapeOf(next: string, inClass: boolean): string {
  if (next === "w") return inClass ? WORD : `[${WORD}]`;
  if (next === "W") return inClass ? "\\W" : `[^${WORD}]`;
  if (next === "h" && !inClass) return "[0-9A-Fa-f]";
  const known = CLASSES[next];
  if (known !== undefined) return known;
  if (!inClass && next === "A") return "(?<![\\s\\S])";
  if (!inClass && next === "z") return "(?![\\s\\S])";
  if (!inClass && next === "Z") return "(?=\\n?(?![\\s\\S]))";
  if (/[a-zA-Z0-9]/.test(next) || SYNTAX.test(next) || (inClass && next === "-")) return `\\${next}`;
  return next;
}

/** Translates Oniguruma's spelling to JavaScript's, for the flags `u` and `m`. */
export function toJavaScriptPattern(source: string): string {
  let out = "";
  let inClass = false;
  for (let at = 0; at < source.length; at += 1) {
    const c = source[at] ?? "";
    if (c === "\\") {
      const rest = source.slice(at);
      const property = /^\\([pP])\{(\^?)([^}]+)\}/.exec(rest);
      const hex = /^\\x\{([0-9A-Fa-f]+)\}/.exec(rest);
      if (property !== null) {
        const [whole, letter = "p", negated, name = ""] = property;
        const flipped = negated === "^" ? (letter === "p" ? "P" : "p") : letter;
        out += `\\${flipped}{${SCRIPTS.test(name) ? `Script=${name}` : name}}`;
        at += whole.length - 1;
      } else if (hex !== null) {
        out += `\\u{${hex[1]}}`;
        at += hex[0].length - 1;
      } else {
        out += escapeOf(source[at + 1] ?? "", inClass);
        at += 1;
      }
    } else if (inClass) {
      const posix = /^\[:(\w+):\]/.exec(source.slice(at));
      if (posix !== null) {
        out += POSIX[posix[1] ?? ""] ?? "";
        at += posix[0].length - 1;
      } else if (c === "[") out += "\\[";
      else {
        out += c;
        if (c === "]") inClass = false;
      }
    } else if (c === "[") {
      inClass = true;
      out += c;
      if (source[at + 1] === "^") {
        out += "^";
        at += 1;
      }
      if (source[at + 1] === "]") {
        out += "\\]";
        at += 1;
      }
    } else if (c === "+" && /[?*+]/.test(source[at - 1] ?? "") && source[at - 2] !== "\\" && /[?*+]$/.test(out)) {
      // A possessive quantifier: greedy finds the same in patterns that split text.
    } else out += c;
  }
  return out;
}

let modifiers: boolean | undefined;
/** Runtimes without `(?i:…)` get each letter spelled both ways. */
function withoutModifiers(source: string): string {
  modifiers ??= (() => {
    try {
      /(?i:a)/u;
      return true;
    } catch {
      return false;
    }
  })();
  if (modifiers) return source;
  return source.replace(/\(\?i:([^()]*)\)/g, (_, body: string) => {
    const both = body.replace(
      /[a-zA-Z]/g,
      (c) => `[${c.toLowerCase()}${c.toUpperCase()}${/s/i.test(c) ? "ſ" : /k/i.test(c) ? "\u212a" : ""}]`,
    );
    return `(?:${both})`;
  });
}

/** `{String}` or `{Regex}` as a global regular expression. Throws GatewayError `unsupported` with the pattern. */
export function toRegExp(pattern: unknown): RegExp {
  const { String: literal, Regex: regex } = record(pattern);
  if (typeof pattern === "string" || typeof literal === "string") {
    const plain = typeof pattern === "string" ? pattern : String(literal);
    return new RegExp(plain.replace(/[\^$\\.*+?()[\]{}|/]/g, "\\$&"), "gu");
  }
  const source = String(regex);
  try {
    if (typeof regex !== "string" || source.length > PATTERN_LIMIT) throw new Error("it is no text, or too long");
    let translated = toJavaScriptPattern(source);
    let flags = "gum";
    if (translated.startsWith("(?i)")) {
      translated = translated.slice(4);
      flags = "gumi";
    }
    return new RegExp(withoutModifiers(translated), flags);
  } catch (cause) {
    throw new GatewayError(
      "unsupported",
      `The tokenizer's pattern ${JSON.stringify(source.slice(0, 200))} cannot be used.`,
      { cause },
    );
  }
}
