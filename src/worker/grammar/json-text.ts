/** The parts of JSON text as grammar nodes: strings, numbers, literals, whitespace, any value. Knows no schema. */
import { type CharSet, charNode, charsOf, complement, hasChar, subtract, toCharSet } from "./charset.ts";
import type { GrammarBuilder, GrammarNode } from "./nodes.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const CONTROLS = toCharSet([[0, 0x1f]]);
/** What a JSON string holds as it is. */
export const PLAIN_CHARS: CharSet = complement(
  toCharSet([
    [0, 0x1f],
    [QUOTE, QUOTE],
    [BACKSLASH, BACKSLASH],
  ]),
);

/** Control characters with an escape of their own. */
const SHORT_ESCAPES: ReadonlyMap<number, string> = new Map([
  [0x08, "b"],
  [0x09, "t"],
  [0x0a, "n"],
  [0x0c, "f"],
  [0x0d, "r"],
]);

const HEX = toCharSet([
  [0x30, 0x39],
  [0x41, 0x46],
  [0x61, 0x66],
]);

/** Digits of a number without bounds: more would not survive being read as a double, and a model could go on for ever. */
const INTEGER_DIGITS = 15;
const FRACTION_DIGITS = 15;

/** JSON of one grammar. `space` is what may stand between its signs. */
export class JsonText {
  readonly builder: GrammarBuilder;
  readonly space: GrammarNode;
  readonly #made = new Map<string, GrammarNode>();
  #any: GrammarNode | undefined;
  #char: GrammarNode | undefined;
  #countedChar: GrammarNode | undefined;
  #keyChar: GrammarNode | undefined;

  constructor(builder: GrammarBuilder, space: GrammarNode) {
    this.builder = builder;
    this.space = space;
  }

  /** Makes a node once for a name. */
  once(name: string, make: () => GrammarNode): GrammarNode {
    const known = this.#made.get(name);
    if (known !== undefined) return known;
    const node = make();
    this.#made.set(name, node);
    return node;
  }

  /** One character of a set as a JSON string writes it. */
  charOf(set: CharSet): GrammarNode {
    const { builder } = this;
    const parts: GrammarNode[] = [];
    const plain = subtract(set, complement(PLAIN_CHARS));
    if (plain.length > 0) parts.push(charNode(builder, plain));
    if (hasChar(set, QUOTE)) parts.push(builder.literal('\\"'));
    if (hasChar(set, BACKSLASH)) parts.push(builder.literal("\\\\"));
    for (const [from, to] of subtract(set, complement(CONTROLS))) {
      for (let code = from; code <= to; code += 1) {
        const short = SHORT_ESCAPES.get(code);
        parts.push(builder.literal(short === undefined ? `\\u${code.toString(16).padStart(4, "0")}` : `\\${short}`));
      }
    }
    return builder.choice(parts);
  }

  /** One character of a string of any kind; half a surrogate pair is none. */
  #stringChar(): GrammarNode {
    const { builder } = this;
    this.#char ??= ((): GrammarNode => {
      const hex = charNode(builder, HEX);
      const notD = charNode(builder, subtract(HEX, charsOf("dD")));
      const code = builder.choice([
        builder.sequence([notD, hex, hex, hex]),
        builder.sequence([charNode(builder, charsOf("dD")), charNode(builder, charsOf("01234567")), hex, hex]),
      ]);
      const escaped = builder.choice([
        charNode(builder, charsOf('"\\/bfnrt')),
        builder.sequence([builder.literal("u"), code]),
      ]);
      return builder.choice([charNode(builder, PLAIN_CHARS), builder.sequence([builder.literal("\\"), escaped])]);
    })();
    return this.#char;
  }

  quoted(content: GrammarNode): GrammarNode {
    const quote = this.builder.literal('"');
    return this.builder.sequence([quote, content, quote]);
  }

  /** A string of so many characters (code points). */
  string(least = 0, most = Number.POSITIVE_INFINITY): GrammarNode {
    const { builder } = this;
    if (least === 0 && most === Number.POSITIVE_INFINITY) {
      return this.quoted(builder.repeat(this.#stringChar(), 0, most));
    }
    this.#countedChar ??= this.#stringChar();
    return this.quoted(builder.repeat(this.#countedChar, least, most));
  }

  /** A key without escapes that is none of `names`. */
  keyBut(names: readonly string[]): GrammarNode {
    const { builder } = this;
    this.#keyChar ??= charNode(builder, PLAIN_CHARS);
    const any = this.#keyChar;
    const rest = builder.repeat(any, 0, Number.POSITIVE_INFINITY);
    const level = (tails: readonly string[]): GrammarNode => {
      const groups = new Map<string, string[]>();
      for (const tail of tails) {
        const [first] = tail;
        if (first === undefined) continue;
        const group = groups.get(first) ?? [];
        group.push(tail.slice(first.length));
        groups.set(first, group);
      }
      const others = subtract(PLAIN_CHARS, charsOf([...groups.keys()].join("")));
      const parts: GrammarNode[] = [builder.sequence([charNode(builder, others), rest])];
      if (!tails.includes("")) parts.push(builder.empty);
      for (const [first, group] of groups) {
        const code = first.codePointAt(0) ?? 0;
        if (hasChar(PLAIN_CHARS, code)) parts.push(builder.sequence([builder.literal(first), level(group)]));
      }
      return builder.choice(parts);
    };
    return this.quoted(names.length === 0 ? rest : level([...new Set(names)]));
  }

  integer(): GrammarNode {
    return this.once("integer", () => this.#integer());
  }

  #integer(): GrammarNode {
    const { builder } = this;
    const digit = builder.range(0x30, 0x39);
    return builder.sequence([
      builder.optional(builder.literal("-")),
      builder.choice([
        builder.literal("0"),
        builder.sequence([builder.range(0x31, 0x39), builder.repeat(digit, 0, INTEGER_DIGITS - 1)]),
      ]),
    ]);
  }

  /** @param fractions what may come behind the point; default: any digits, and an exponent */
  number(fractions?: readonly string[]): GrammarNode {
    const { builder } = this;
    if (fractions !== undefined) {
      const behind = builder.choice(fractions.map((fraction) => builder.literal(`.${fraction}`)));
      return builder.sequence([this.integer(), builder.optional(behind)]);
    }
    const digit = builder.range(0x30, 0x39);
    const sign = builder.optional(builder.oneOf([0x2b, 0x2d]));
    return builder.sequence([
      this.integer(),
      builder.optional(builder.sequence([builder.literal("."), builder.repeat(digit, 1, FRACTION_DIGITS)])),
      // Two digits of exponent: what is read stays finite.
      builder.optional(builder.sequence([builder.oneOf([0x45, 0x65]), sign, builder.repeat(digit, 1, 2)])),
    ]);
  }

  /** One value, written as JSON.stringify writes it, with space between its signs. */
  literal(value: unknown): GrammarNode {
    const { builder } = this;
    if (Array.isArray(value)) {
      return this.list(
        "[",
        value.map((item) => this.literal(item)),
        "]",
      );
    }
    if (typeof value === "object" && value !== null) {
      const entries = Object.entries(value).map(([key, item]) => this.pair(this.literal(key), this.literal(item)));
      return this.list("{", entries, "}");
    }
    return builder.literal(JSON.stringify(value) ?? "null");
  }

  pair(key: GrammarNode, value: GrammarNode): GrammarNode {
    return this.builder.sequence([key, this.space, this.builder.literal(":"), this.space, value]);
  }

  get comma(): GrammarNode {
    return this.builder.sequence([this.space, this.builder.literal(","), this.space]);
  }

  /** All items, in order. */
  list(open: string, items: readonly GrammarNode[], close: string): GrammarNode {
    const { builder, space } = this;
    const inside = items.flatMap((item, index) => (index === 0 ? [item] : [this.comma, item]));
    return builder.sequence([
      builder.literal(open),
      space,
      ...inside,
      ...(items.length > 0 ? [space] : []),
      builder.literal(close),
    ]);
  }

  /** Any number of items of one kind, from `least` to `most`. */
  repeated(open: string, item: GrammarNode, close: string, least: number, most: number): GrammarNode {
    const { builder, space } = this;
    const parts: GrammarNode[] = [];
    if (least === 0) parts.push(builder.empty);
    if (most > 0) {
      const more = builder.repeat(builder.sequence([this.comma, item]), Math.max(0, least - 1), most - 1);
      parts.push(builder.sequence([item, more, space]));
    }
    return builder.sequence([builder.literal(open), space, builder.choice(parts), builder.literal(close)]);
  }

  anyObject(): GrammarNode {
    return this.repeated("{", this.pair(this.string(), this.any()), "}", 0, Number.POSITIVE_INFINITY);
  }

  anyArray(): GrammarNode {
    return this.repeated("[", this.any(), "]", 0, Number.POSITIVE_INFINITY);
  }

  /** Any JSON value. */
  any(): GrammarNode {
    if (this.#any !== undefined) return this.#any;
    const { builder } = this;
    const rule = builder.rule("value");
    this.#any = builder.use(rule);
    rule.body = builder.choice([
      this.string(),
      this.number(),
      this.anyObject(),
      this.anyArray(),
      builder.literal("true"),
      builder.literal("false"),
      builder.literal("null"),
    ]);
    return this.#any;
  }
}
