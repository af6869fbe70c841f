/**
 * Regular expressions → grammar nodes: what ECMAScript, Python and Rust agree on. A whole text has to match, as in vLLM's
 * `structured_outputs.regex`. Where the three read a class differently (`\w` beyond ASCII, what `.` leaves out), only what
 * all of them take is produced. What is not regular, or not known here, is refused by name.
 */
import { GatewayError } from "../../errors.ts";
import { type CharSet, charNode, charsOf, hasChar, toCharSet, union } from "./charset.ts";
import { intersect } from "./intersect.ts";
import type { GrammarBuilder, GrammarNode } from "./nodes.ts";
import { ANY, allBut, dot, namedClass } from "./regex-classes.ts";
import { anchorsOf, type RegexPart } from "./regex-part.ts";

/** Characters of a pattern: longer ones are programs, not patterns. */
const PATTERN_LIMIT = 16_384;
/** Groups inside groups. */
const DEPTH_LIMIT = 100;

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", f: "\f", v: "\v", "0": "\0" };

export interface RegexOptions {
  /** Names the field in errors. */
  readonly param: string;
  /** How one character of a set is written; default: as it is. A JSON string escapes some. */
  readonly toNode?: (set: CharSet) => GrammarNode;
}

class RegexParser {
  readonly #builder: GrammarBuilder;
  readonly #pattern: readonly string[];
  readonly #param: string;
  readonly #toNode: (set: CharSet) => GrammarNode;
  readonly #nodes = new Map<string, GrammarNode>();
  #at = 0;
  #depth = 0;
  /** Texts that must not be are read now: rather too many than too few. */
  #wide = false;
  /** A class by name was read. */
  #named = false;

  constructor(builder: GrammarBuilder, pattern: string, options: RegexOptions) {
    this.#builder = builder;
    this.#pattern = Array.from(pattern);
    this.#param = options.param;
    this.#toNode = options.toNode ?? ((set) => charNode(builder, set));
  }

  #fail(reason: string): GatewayError {
    const pattern = this.#pattern.join("");
    const shown = pattern.length > 80 ? `${pattern.slice(0, 80)}…` : pattern;
    return new GatewayError("invalid_value", `${this.#param}: ${reason} at character ${this.#at + 1} of "${shown}".`, {
      param: this.#param,
    });
  }

  #unsupported(what: string): GatewayError {
    return this.#fail(
      `${what} is not supported (a grammar can follow characters, classes, groups, | and the quantifiers * + ? {m,n})`,
    );
  }

  #chars(set: CharSet): RegexPart {
    if (set.length === 0) throw this.#fail("an empty class matches nothing");
    const key = set.join(";");
    const node = this.#nodes.get(key) ?? this.#toNode(set);
    this.#nodes.set(key, node);
    return { node, least: 1, most: 1, repeated: set };
  }

  parse(): RegexPart {
    const [wanted, unwanted] = [this.#lookaheads(), this.#unwanted];
    const looks = wanted.length + unwanted.length > 0;
    const start = this.#at;
    const part = this.#alternatives(looks ? "a lookahead in front of alternatives" : undefined);
    if (this.#at < this.#pattern.length) throw this.#fail('there is no group to close with ")"');
    if (!looks) return part;
    const node = intersect(this.#builder, [part.node, ...wanted], unwanted);
    this.#at = start;
    if (node === null) throw this.#fail("lookaheads need too many states");
    return { node, least: part.least, most: part.most };
  }

  readonly #unwanted: GrammarNode[] = [];

  /** Lookaheads at the beginning of the pattern: what the whole text must, or must not, begin with. */
  #lookaheads(): GrammarNode[] {
    const wanted: GrammarNode[] = [];
    for (;;) {
      const start = this.#at;
      while (this.#pattern[this.#at] === "^") this.#at += 1;
      const sign = this.#pattern.slice(this.#at, this.#at + 3).join("");
      if (sign !== "(?=" && sign !== "(?!") {
        this.#at = start;
        return wanted;
      }
      this.#at += 3;
      this.#wide = sign === "(?!";
      const from = this.#at;
      const body = this.#alternatives();
      if (this.#pattern[this.#at] !== ")") throw this.#fail("a group is not closed");
      const source = this.#pattern.slice(from, this.#at).join("");
      const node = this.#builder.sequence([body.node, this.#afterBody(source, body)]);
      this.#wide = false;
      this.#at += 1;
      if (this.#quantifier(true) !== null) throw this.#unsupported("a lookahead with a quantifier");
      (sign === "(?!" ? this.#unwanted : wanted).push(node);
    }
  }

  /** What may follow the text of a lookahead: anything, or nothing where it ends in `$`. */
  #afterBody(source: string, body: RegexPart): GrammarNode {
    if (body.closes !== true) return this.#builder.repeat(this.#chars(ANY).node, 0, Number.POSITIVE_INFINITY);
    if (!/[|\\]/.test(source) && source.indexOf("$") === source.length - 1) return this.#builder.empty;
    if (/^[^|$]*[^|$\\]\$$/.test(source)) return this.#builder.empty;
    throw this.#unsupported("$ within a lookahead, but at its end,");
  }

  /** @param single names what cannot stand in front of several */
  #alternatives(single?: string): RegexPart {
    const parts = [this.#sequence()];
    if (single !== undefined && this.#pattern[this.#at] === "|") throw this.#unsupported(single);
    while (this.#pattern[this.#at] === "|") {
      this.#at += 1;
      parts.push(this.#sequence());
    }
    if (parts.length === 1) return parts[0]!;
    return {
      node: this.#builder.choice(parts.map(({ node }) => node)),
      least: Math.min(...parts.map(({ least }) => least)),
      most: Math.max(...parts.map(({ most }) => most)),
      ...anchorsOf(parts),
    };
  }

  #sequence(): RegexPart {
    const parts: RegexPart[] = [];
    for (;;) {
      const character = this.#pattern[this.#at];
      if (character === undefined || character === "|" || character === ")") break;
      const part = character === "^" || character === "$" ? this.#anchor(character) : this.#quantified(this.#atom());
      const before = parts.some(({ most }) => most > 0);
      const closed = parts.some(({ closes }) => closes === true);
      if ((part.opens === true && before) || (closed && part.most > 0)) {
        throw this.#unsupported("an anchor inside the pattern");
      }
      parts.push(part);
    }
    const filled = parts.filter(({ node }) => node.kind !== "empty");
    if (filled.length === 1) return { ...filled[0]!, ...anchorsOf(parts) };
    return {
      node: this.#builder.sequence(parts.map(({ node }) => node)),
      least: parts.reduce((sum, { least }) => sum + least, 0),
      most: parts.reduce((sum, { most }) => sum + most, 0),
      ...anchorsOf(parts),
    };
  }

  #anchor(character: "^" | "$"): RegexPart {
    this.#at += 1;
    return {
      node: this.#builder.empty,
      least: 0,
      most: 0,
      ...(character === "^" ? { opens: true } : { closes: true }),
    };
  }

  #quantified(atom: RegexPart): RegexPart {
    const bounds = this.#quantifier();
    if (bounds === null) return atom;
    const [min, max] = bounds;
    // Lazy or not: the texts are the same.
    if (this.#pattern[this.#at] === "?") this.#at += 1;
    else if (this.#pattern[this.#at] === "+") throw this.#unsupported("a possessive quantifier");
    if (this.#quantifier(true) !== null) throw this.#fail("a quantifier follows a quantifier");
    if (max > 1 && atom.most > 0 && (atom.opens === true || atom.closes === true)) {
      throw this.#unsupported("an anchor inside the pattern");
    }
    const times = (length: number, count: number): number => (length === 0 || count === 0 ? 0 : length * count);
    return {
      node: this.#builder.repeat(atom.node, min, max),
      least: times(atom.least, min),
      most: times(atom.most, max),
      ...anchorsOf([atom]),
      ...(atom.repeated !== undefined && atom.least === 1 && atom.most === 1 ? { repeated: atom.repeated } : {}),
    };
  }

  /** The quantifier here, or null. `peek` leaves it where it is. */
  #quantifier(peek = false): readonly [number, number] | null {
    const character = this.#pattern[this.#at];
    const simple: Readonly<Record<string, readonly [number, number]>> = {
      "*": [0, Number.POSITIVE_INFINITY],
      "+": [1, Number.POSITIVE_INFINITY],
      "?": [0, 1],
    };
    const bounds = character === undefined ? undefined : simple[character];
    if (bounds !== undefined) {
      if (!peek) this.#at += 1;
      return bounds;
    }
    if (character !== "{") return null;
    const end = this.#pattern.indexOf("}", this.#at);
    const inside = end < 0 ? "" : this.#pattern.slice(this.#at + 1, end).join("");
    const match = /^(\d{1,6})(,(\d{1,6})?)?$/.exec(inside);
    if (match === null && /^\d+(,\d*)?$/.test(inside)) throw this.#fail(`the quantifier {${inside}} is too large`);
    if (/^,\d+$/.test(inside)) throw this.#unsupported(`the quantifier {${inside}} (write {0${inside}})`);
    // As ECMAScript without the u flag and Python do: what is no quantifier is a brace.
    if (match === null) return null;
    const min = Number(match[1]);
    const max = match[2] === undefined ? min : match[3] === undefined ? Number.POSITIVE_INFINITY : Number(match[3]);
    if (max < min) throw this.#fail(`the quantifier {${inside}} has its bounds in the wrong order`);
    if (!peek) this.#at = end + 1;
    return [min, max];
  }

  #atom(): RegexPart {
    const character = this.#pattern[this.#at]!;
    if (character === "(") return this.#group();
    if (character === "*" || character === "+" || character === "?") {
      throw this.#fail(`there is nothing to repeat before "${character}"`);
    }
    this.#at += 1;
    if (character === "[") return this.#chars(this.#class());
    if (character === ".") return this.#chars(dot(this.#wide));
    if (character === "\\") return this.#chars(this.#escape(false));
    return this.#chars(charsOf(character));
  }

  #group(): RegexPart {
    const rest = this.#pattern.slice(this.#at, this.#at + 4).join("");
    if (rest.startsWith("(?=") || rest.startsWith("(?!")) throw this.#unsupported("a lookahead");
    if (rest.startsWith("(?<=") || rest.startsWith("(?<!")) throw this.#unsupported("a lookbehind");
    if (rest.startsWith("(?>")) throw this.#unsupported("an atomic group");
    if (rest.startsWith("(?(")) throw this.#unsupported("a conditional");
    if (rest.startsWith("(?P=")) throw this.#unsupported("a backreference");
    this.#at += 1;
    if (rest.startsWith("(?:")) this.#at += 2;
    else if (rest.startsWith("(?<") || rest.startsWith("(?P<")) {
      const end = this.#pattern.indexOf(">", this.#at);
      if (end < 0) throw this.#fail("the name of a group does not end");
      this.#at = end + 1;
    } else if (rest.startsWith("(?")) throw this.#unsupported("an inline flag");
    this.#depth += 1;
    if (this.#depth > DEPTH_LIMIT) throw this.#fail(`groups may nest at most ${DEPTH_LIMIT} levels`);
    const { repeated: _, ...part } = this.#alternatives();
    this.#depth -= 1;
    if (this.#pattern[this.#at] !== ")") throw this.#fail("a group is not closed");
    this.#at += 1;
    return part;
  }

  #hex(digits: number): number {
    const text = this.#pattern.slice(this.#at, this.#at + digits).join("");
    if (text.length !== digits || !/^[0-9a-fA-F]+$/.test(text))
      throw this.#fail(`${digits} hexadecimal digits are missing`);
    this.#at += digits;
    return Number.parseInt(text, 16);
  }

  #codePoint(letter: "x" | "u"): number {
    if (this.#pattern[this.#at] === "{") {
      const end = this.#pattern.indexOf("}", this.#at);
      const text = end < 0 ? "" : this.#pattern.slice(this.#at + 1, end).join("");
      if (!/^[0-9a-fA-F]{1,6}$/.test(text)) throw this.#fail("the code point is not hexadecimal");
      this.#at = end + 1;
      const code = Number.parseInt(text, 16);
      if (code > 0x10ffff) throw this.#fail("there is no such code point");
      return code;
    }
    const code = this.#hex(letter === "x" ? 2 : 4);
    if (code < 0xd800 || code > 0xdbff || this.#pattern[this.#at] !== "\\" || this.#pattern[this.#at + 1] !== "u") {
      return code;
    }
    this.#at += 2;
    const low = this.#hex(4);
    if (low < 0xdc00 || low > 0xdfff) throw this.#fail("half of a surrogate pair is no character");
    return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  }

  /** After a backslash. */
  #escape(inClass: boolean): CharSet {
    const character = this.#pattern[this.#at];
    if (character === undefined) throw this.#fail("the pattern ends in a backslash");
    this.#at += 1;
    const named = namedClass(character, this.#wide);
    if (named !== undefined) {
      this.#named = true;
      return named;
    }
    switch (character) {
      case "x":
        return charsOf(String.fromCodePoint(this.#codePoint("x")));
      case "u": {
        const code = this.#codePoint("u");
        return toCharSet([[code, code]]);
      }
      case "c": {
        const letter = this.#pattern[this.#at] ?? "";
        if (!/^[a-zA-Z]$/.test(letter)) throw this.#fail("\\c wants a letter");
        this.#at += 1;
        return charsOf(String.fromCodePoint((letter.codePointAt(0) ?? 0) % 32));
      }
      case "b":
        if (inClass) return charsOf("\b");
        throw this.#unsupported("a word boundary");
      case "B":
        throw this.#unsupported("a word boundary");
      case "p":
      case "P":
        throw this.#unsupported("a Unicode property");
      case "A":
      case "Z":
      case "z":
      case "G":
        throw this.#unsupported(`the anchor \\${character}`);
      case "k":
        throw this.#unsupported("a backreference");
      default:
    }
    if (/^[1-9]$/.test(character)) throw this.#unsupported("a backreference");
    const control = ESCAPES[character];
    if (control !== undefined) return charsOf(control);
    if (/^[a-zA-Z]$/.test(character)) throw this.#fail(`\\${character} is not a known escape`);
    return charsOf(character);
  }

  /** After `[`. */
  #class(): CharSet {
    const start = this.#at;
    const negated = this.#pattern[this.#at] === "^";
    if (negated) this.#at += 1;
    const sets: CharSet[] = [];
    const { wide, before } = { wide: this.#wide, before: this.#named };
    // What a negated class leaves out must be left out in every reading, and the other way round.
    if (negated) this.#wide = false;
    this.#named = false;
    let first = true;
    for (;;) {
      const character = this.#pattern[this.#at];
      if (character === undefined) {
        this.#at = start - 1;
        throw this.#fail("unclosed character class");
      }
      // Python and Rust take a first "]" as itself, ECMAScript ends the class with it: refused, since it must mean one thing.
      if (character === "]") {
        this.#at += 1;
        if (first) throw this.#fail('an empty class, or a "]" that wants a backslash');
        break;
      }
      if (character === "[" && [":", ".", "="].includes(this.#pattern[this.#at + 1] ?? "")) {
        throw this.#unsupported("a POSIX class");
      }
      first = false;
      this.#at += 1;
      const from = character === "\\" ? this.#escape(true) : charsOf(character);
      if (this.#pattern[this.#at] === "-" && (this.#pattern[this.#at + 1] ?? "]") !== "]") {
        this.#at += 1;
        const next = this.#pattern[this.#at]!;
        this.#at += 1;
        const to = next === "\\" ? this.#escape(true) : charsOf(next);
        const [low, high] = [from[0], to[0]];
        const single = (set: CharSet): boolean => set.length === 1 && set[0]![0] === set[0]![1];
        if (low === undefined || high === undefined || !single(from) || !single(to)) {
          throw this.#fail("a class such as \\d cannot be the end of a range");
        }
        if (high[0] < low[0]) throw this.#fail("a range has its ends in the wrong order");
        sets.push(toCharSet([[low[0], high[0]]]));
      } else sets.push(from);
    }
    const set = union(...sets);
    const named = this.#named;
    this.#wide = wide;
    this.#named = before;
    return negated ? allBut(set, named, wide) : set;
  }
}

/**
 * Texts that match a pattern as a whole. Throws GatewayError `invalid_value` naming what is not understood and where.
 */
export function regexPart(builder: GrammarBuilder, pattern: string, options: RegexOptions): RegexPart {
  if (pattern.includes("\0")) {
    throw new GatewayError("invalid_value", `${options.param} must not contain a NUL character ('\\x00')`, {
      param: options.param,
    });
  }
  if (pattern.length > PATTERN_LIMIT) {
    throw new GatewayError(
      "limit_exceeded",
      `${options.param} must have at most ${PATTERN_LIMIT} characters, got ${pattern.length}.`,
      { param: options.param },
    );
  }
  return new RegexParser(builder, pattern, options).parse();
}

/** Does the class hold this character? */
export const classHas = (set: CharSet, character: string): boolean => hasChar(set, character.codePointAt(0) ?? -1);
