import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { OutputConstraint } from "../../src/contract/sampling.ts";
import { GatewayError } from "../../src/errors.ts";
import { createTokenizer } from "../../src/text/tokenizer.ts";
import { Automaton, type GrammarState } from "../../src/worker/grammar/automaton.ts";
import { compileGrammar } from "../../src/worker/grammar/compile.ts";
import { createConstraints } from "../../src/worker/grammar/constraint.ts";
import { createVocabulary, maskOf } from "../../src/worker/grammar/vocabulary.ts";

const PARAM = "structured_outputs";

/** Runs whole texts through the grammar of a constraint. */
function matcher(constraint: OutputConstraint): (text: string) => boolean {
  const automaton = new Automaton(compileGrammar({ constraint, param: PARAM }));
  return (text) => {
    let state: GrammarState | null = automaton.start();
    for (const byte of new TextEncoder().encode(text)) {
      if (state === null) return false;
      state = automaton.advance(state, byte);
    }
    return state?.complete === true;
  };
}

const regex = (pattern: string): ((text: string) => boolean) => matcher({ kind: "regex", pattern });
const json = (schema: unknown): ((text: string) => boolean) =>
  matcher({ kind: "json", schema: JSON.stringify(schema) });
const ebnf = (grammar: string): ((text: string) => boolean) => matcher({ kind: "grammar", grammar });
const tag = (format: unknown): ((text: string) => boolean) =>
  matcher({ kind: "structural_tag", tag: JSON.stringify({ type: "structural_tag", format }) });

function refusal(constraint: OutputConstraint): string {
  try {
    compileGrammar({ constraint, param: PARAM });
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error));
    assert.equal(error.status, 400);
    assert.equal(error.details.param, PARAM);
    return error.message;
  }
  return "accepted";
}
const schemaRefusal = (schema: unknown): string => refusal({ kind: "json", schema: JSON.stringify(schema) });

/** 256 tokens of one byte each, then some longer ones, then an end token. */
const words = ["ab", "abc", '{"', '":', "true", "é", "€", "  "];
const spell = (text: string): string => {
  const printable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let extra = 256;
  const table = Array.from({ length: 256 }, (_, byte) => {
    if (printable(byte)) return String.fromCharCode(byte);
    extra += 1;
    return String.fromCharCode(extra - 1);
  });
  return [...new TextEncoder().encode(text)].map((byte) => table[byte]).join("");
};
const END = 256 + words.length;
const tokenizer = createTokenizer(
  {
    model: {
      type: "BPE",
      vocab: Object.fromEntries([
        ...Array.from({ length: 256 }, (_, byte) => {
          const bytes = new Uint8Array([byte]);
          const latin = spell(String.fromCharCode(0));
          return [byteName(bytes[0] ?? 0) || latin, byte] as const;
        }),
        ...words.map((word, index) => [spell(word), 256 + index] as const),
      ]),
      merges: [],
    },
    decoder: { type: "ByteLevel" },
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: false },
    added_tokens: [{ id: END, content: "<end>", special: true }],
  },
  {},
);

function byteName(byte: number): string {
  const printable = (value: number): boolean =>
    (value >= 0x21 && value <= 0x7e) || (value >= 0xa1 && value <= 0xac) || value >= 0xae;
  if (printable(byte)) return String.fromCharCode(byte);
  let code = 256;
  for (let other = 0; other < byte; other += 1) if (!printable(other)) code += 1;
  return String.fromCharCode(code);
}

describe("regular expressions", () => {
  test("a whole text has to match", () => {
    const year = regex("[0-9]{3}");
    assert.ok(year("263"));
    for (const text of ["26", "2634", "a263", ""]) assert.ok(!year(text), text);
  });

  test("agree with the runtime's own on random texts", () => {
    const patterns = [
      "(a|b)*c?",
      "a{2,4}b{0,1}",
      "^(?:ab|a)+$",
      "[^a-c]+",
      "\\d+(\\.\\d{1,2})?",
      "(?<word>\\w+)-\\w+",
      "[\\w.-]+@[a-z]+",
      "(a+)+b",
      "(|a)b",
      "x{0}y",
      "[a\\-\\]]+",
      "é?ü+",
      "a.c",
    ];
    const letters = fc.constantFrom(..."abc-.@19 _]éüxy\n");
    for (const pattern of patterns) {
      const ours = regex(pattern);
      const theirs = new RegExp(`^(?:${pattern})$`, "u");
      fc.assert(
        fc.property(fc.array(letters, { maxLength: 8 }), (parts) => {
          const text = parts.join("");
          // A dot leaves more out here, and a negated class may.
          if (ours(text)) assert.ok(theirs.test(text), `${pattern} on ${JSON.stringify(text)}`);
          else if (!text.includes("\n")) assert.ok(!theirs.test(text), `${pattern} on ${JSON.stringify(text)}`);
        }),
        { numRuns: 300 },
      );
    }
  });

  test("what is not regular is refused by name", () => {
    const cases: [string, RegExp][] = [
      ["b(?=a)", /a lookahead is not supported/],
      ["(?<!a)b", /a lookbehind is not supported/],
      ["(a)\\1", /a backreference is not supported/],
      ["\\bword\\b", /a word boundary is not supported/],
      ["(?i)a", /an inline flag is not supported/],
      ["\\p{L}", /a Unicode property is not supported/],
      ["a++", /a possessive quantifier is not supported/],
      ["a^b", /an anchor inside the pattern is not supported/],
      ["[0-9", /unclosed character class at character 1 of "\[0-9"/],
      ["(a", /a group is not closed/],
      ["a)", /no group to close/],
      ["*a", /nothing to repeat/],
      ["a{3,1}", /bounds in the wrong order/],
      ["[z-a]", /ends in the wrong order/],
      ["a\0", /NUL/],
    ];
    for (const [pattern, expected] of cases) assert.match(refusal({ kind: "regex", pattern }), expected, pattern);
  });

  test("repetitions that multiply are bounded in time and states", () => {
    const words = createVocabulary(tokenizer, END + 1);
    for (const pattern of ["(a{0,1000}){0,1000}", "(.*)*(.*)*x", "(a?){500}a{500}", "((a|b|ab|ba)*)*c"]) {
      const automaton = new Automaton(compileGrammar({ constraint: { kind: "regex", pattern }, param: PARAM }));
      try {
        let state = automaton.start();
        for (let step = 0; step < 50; step += 1) {
          maskOf(words, automaton, state);
          const next = automaton.advance(state, 0x61);
          if (next === null) break;
          state = next;
        }
      } catch (error) {
        assert.ok(error instanceof GatewayError && error.code === "limit_exceeded", String(error));
      }
      assert.ok(automaton.steps < 10_000_000);
    }
  });
});

describe("EBNF", () => {
  test("rules, groups, classes, repetitions and comments", () => {
    const sum = ebnf(`# arithmetic
root ::= term (("+" | "-") term)*
term ::= number | "(" root ")"
number ::= "0" | [1-9] [0-9]{0,2}`);
    for (const text of ["1", "0+12", "(1-2)+3", "((7))"]) assert.ok(sum(text), text);
    for (const text of ["", "01", "1+", "1234", "(1"]) assert.ok(!sum(text), text);
  });

  test("errors say line and column", () => {
    assert.match(
      refusal({ kind: "grammar", grammar: 'root ::= "a" | b' }),
      /line 1, column 16\): rule "b" is not defined/,
    );
    assert.match(refusal({ kind: "grammar", grammar: 'start ::= "a"' }), /no rule "root"/);
    assert.match(refusal({ kind: "grammar", grammar: 'root ::= root "a" | "a"' }), /begins with itself/);
    assert.match(refusal({ kind: "grammar", grammar: 'root ::= "a' }), /does not end on its line/);
    assert.match(refusal({ kind: "grammar", grammar: "start: /a/" }), /Lark/);
    assert.match(refusal({ kind: "grammar", grammar: 'root ::= "a" root' }), /No finite text/);
  });
});

describe("JSON schemas", () => {
  test("objects: order, optional properties, further keys", () => {
    const person = json({
      type: "object",
      properties: { name: { type: "string" }, age: { type: "integer", minimum: 0, maximum: 150 } },
      required: ["name"],
    });
    for (const text of ['{"name":"A"}', '{ "name": "é\\n", "age": 150 }', '{"name":"","age":0}'])
      assert.ok(person(text), text);
    for (const text of ['{"age":1}', '{"name":1}', '{"name":"A","age":151}', '{"name":"A","x":1}', '{"name":"A",}']) {
      assert.ok(!person(text), text);
    }
    const open = json({ properties: { a: { type: "integer" } }, additionalProperties: { type: "boolean" } });
    assert.ok(open('{"a":1,"b":true}') && open('{"aa":false}') && open("{}"));
    assert.ok(!open('{"a":true}') && !open('{"b":1}') && !open('{"\\u0061":true}'));
  });

  test("numbers keep to their bounds, digit by digit", () => {
    const bounds = fc
      .tuple(fc.integer({ min: -2000, max: 2000 }), fc.integer({ min: 0, max: 3000 }), fc.boolean())
      .map(([low, width, fraction]): [number, number] =>
        fraction ? [low / 10, (low + width) / 10] : [low, low + width],
      );
    fc.assert(
      fc.property(
        bounds,
        fc.array(fc.double({ min: -400, max: 400, noNaN: true }), { maxLength: 20 }),
        ([low, high], values) => {
          const whole = json({ type: "integer", minimum: Math.ceil(low), maximum: Math.ceil(high) });
          const part = json({ type: "number", minimum: low, exclusiveMaximum: high + 1 });
          for (const value of values) {
            const integer = Math.round(value);
            const shown = Object.is(integer, -0) ? "0" : String(integer);
            assert.equal(
              whole(shown),
              integer >= Math.ceil(low) && integer <= Math.ceil(high),
              `${shown} in ${low}..${high}`,
            );
            const text = value.toFixed(2);
            if (text.startsWith("-0.00")) continue;
            assert.equal(part(text), Number(text) >= low && Number(text) < high + 1, `${text} in ${low}..${high + 1}`);
          }
        },
      ),
      { numRuns: 60 },
    );
    assert.ok(json({ type: "integer", multipleOf: 7 })("91") && !json({ type: "integer", multipleOf: 7 })("92"));
  });

  test("arrays, enums, references, combinations", () => {
    const tree = json({
      $ref: "#/$defs/node",
      $defs: {
        node: {
          type: "object",
          properties: {
            v: { enum: [1, "x", null] },
            kids: { type: "array", items: { $ref: "#/$defs/node" }, maxItems: 2 },
          },
          required: ["v", "kids"],
          additionalProperties: false,
        },
      },
    });
    assert.ok(tree('{"v":"x","kids":[{"v":null,"kids":[]}]}'));
    assert.ok(!tree('{"v":2,"kids":[]}') && !tree('{"v":1,"kids":[1]}'));
    const both = json({
      allOf: [
        { properties: { a: { minimum: 3 } }, required: ["a"] },
        { properties: { a: { maximum: 5, type: "integer" } } },
      ],
    });
    assert.ok(both('{"a":4}') && !both('{"a":6}') && !both("{}"));
    const kinds = json({
      oneOf: [
        { properties: { kind: { const: "a" } }, required: ["kind"] },
        { properties: { kind: { const: "b" }, n: { type: "integer" } }, required: ["kind", "n"] },
      ],
    });
    assert.ok(kinds('{"kind":"a"}') && kinds('{"kind":"b","n":1}') && !kinds('{"kind":"b"}'));
    const pair = json({ prefixItems: [{ type: "integer" }, { type: "string" }], items: false });
    assert.ok(pair('[1,"a"]') && !pair('[1,"a",2]') && !pair('["a",1]'));
  });

  test("strings: length in characters, patterns and formats as JSON writes them", () => {
    const short = json({ type: "string", minLength: 2, maxLength: 3 });
    assert.ok(short('"ab"') && short('"€é\\n"') && short('"\\u00e9a"'));
    assert.ok(!short('"a"') && !short('"abcd"') && !short('"\\ud800\\ud800"'));
    const quoted = json({ type: "string", pattern: "^[^a]{1,2}$" });
    assert.ok(quoted('"\\""') && quoted('"\\\\b"') && !quoted('"""') && !quoted('"a"'));
    assert.ok(
      json({ type: "string", format: "date" })('"2024-02-28"') &&
        !json({ type: "string", format: "date" })('"2024-02-31"'),
    );
    assert.ok(json({ type: "string", pattern: "^[a-z]*$", maxLength: 2 })('"ab"'));
    assert.ok(!json({ type: "string", pattern: "^[a-z]*$", maxLength: 2 })('"abc"'));
  });

  test("what answers could not be held to is refused with keyword and place", () => {
    const cases: [unknown, RegExp][] = [
      [{ type: "array", items: { type: "array", uniqueItems: true } }, /"uniqueItems" \(at \/items\/uniqueItems\)/],
      [{ type: "array", contains: { pattern: "a" }, maxContains: 2 }, /"maxContains" \(at \/maxContains\)/],
      [{ properties: { a: { not: { pattern: "x" } } } }, /"not" \(at \/properties\/a\/not\)/],
      [{ if: { format: "date" }, else: { minLength: 3 } }, /"if" \(at \/if\)/],
      [{ type: "number", multipleOf: 0.01 }, /"multipleOf"/],
      [{ type: "string", format: "idn-email" }, /"format" .*none of date/],
      [{ type: "string", pattern: "(ab){1000}c*", maxLength: 4000 }, /"maxLength" .*cannot be combined/],
      [{ type: "string", pattern: "a(?!x)y" }, /\/pattern: a lookahead/],
      [{ oneOf: [{ type: "string" }, { pattern: "a" }] }, /"oneOf" .*two of its branches/],
      [{ $ref: "https://example.com/other.json" }, /outside of this document/],
      [{ $ref: "#/$defs/none" }, /there is nothing at/],
      [{ type: "text" }, /"type" \(at \/type\) must be one of/],
      [{ minLength: -1 }, /"minLength" \(at \/minLength\) must be an integer/],
      [{ allOf: [{ type: "string" }, { type: "integer" }] }, /No value can satisfy/],
      [{ type: "object", properties: { a: { $ref: "#" } }, required: ["a"] }, /No finite text/],
      [{ dependentRequired: { a: { b: 1 } } }, /"dependentRequired" \(at \/dependentRequired\) must be/],
    ];
    for (const [schema, expected] of cases) assert.match(schemaRefusal(schema), expected, JSON.stringify(schema));
    const deep = `${'{"items":'.repeat(70)}{}${"}".repeat(70)}`;
    assert.match(refusal({ kind: "json", schema: deep }), /nested too deeply/);
    assert.match(refusal({ kind: "json", schema: "{" }), /Invalid JSON grammar specification/);
  });
});

describe("structural tags", () => {
  test("free text until a trigger, then its tag", () => {
    const call = tag({
      type: "triggered_tags",
      triggers: ["<f="],
      tags: [
        {
          type: "tag",
          begin: "<f=a>",
          content: { type: "json_schema", json_schema: { type: "integer" } },
          end: "</f>",
        },
      ],
    });
    for (const text of ["", "hello <b>", "<f=a>12</f>", "x <f=a>1</f> y <f=a>2</f>"]) assert.ok(call(text), text);
    for (const text of ["<f=b>1</f>", "<f=a>x</f>", "a <f=a>1"]) assert.ok(!call(text), text);
  });

  test("the older form, sequences and repetitions", () => {
    const legacy = matcher({
      kind: "structural_tag",
      tag: JSON.stringify({
        structures: [{ begin: "<a>", schema: { type: "boolean" }, end: "</a>" }],
        triggers: ["<a"],
      }),
    });
    assert.ok(legacy("ok <a>true</a>") && !legacy("<a>1</a>"));
    const list = tag({
      type: "tags_with_separator",
      separator: ";",
      at_least_one: true,
      tags: [{ begin: "[", content: { type: "regex", pattern: "\\d" }, end: "]" }],
    });
    assert.ok(list("[1];[2]") && !list("") && !list("[1][2]"));
    const seq = tag({ type: "sequence", elements: [{ type: "any_text" }, { type: "const_string", value: "END" }] });
    assert.ok(seq("some text END") && !seq("some text"));
  });

  test("unknown parts are refused by name", () => {
    const refuse = (format: unknown): string =>
      refusal({ kind: "structural_tag", tag: JSON.stringify({ type: "structural_tag", format }) });
    assert.match(refuse({ type: "token", token: 3 }), /format.type must be one of/);
    assert.match(refuse({ type: "tag", begin: "<a>", end: "</a>" }), /format.content must be an object/);
  });
});

describe("masks", () => {
  const constraints = createConstraints(tokenizer, END + 1);
  const allowed = (constraint: OutputConstraint, taken: readonly number[]): string[] => {
    const state = constraints.compile({ constraint, param: PARAM }).open();
    for (const id of taken) state.accept(id);
    const logits = new Float32Array(END + 1);
    state.mask(logits, [END]);
    return [...logits.keys()]
      .filter((id) => logits[id] === 0)
      .map((id) => (id === END ? "<end>" : tokenizer.decode([id], false)));
  };

  test("hold exactly the tokens with which some text goes on", () => {
    assert.deepEqual(allowed({ kind: "choice", choices: ["abc", "ab", "b"] }, []).sort(), ["a", "ab", "abc", "b"]);
    assert.deepEqual(allowed({ kind: "choice", choices: ["abc", "ab", "b"] }, [256]).sort(), ["<end>", "c"]);
    assert.deepEqual(allowed({ kind: "choice", choices: ["abc", "ab", "b"] }, [257]), ["<end>"]);
  });

  test("a character may be made of several tokens, a token of several characters", () => {
    const first = allowed({ kind: "regex", pattern: "€é" }, []);
    assert.ok(first.includes("€") && !first.includes("é"));
    assert.equal(first.length, 2, "the whole character, or its first byte");
  });

  test("equal constraints share their tables, and sequences do not disturb each other", () => {
    const compiled = constraints.compile({ constraint: { kind: "regex", pattern: "(ab)*c" }, param: PARAM });
    const [one, two] = [compiled.open(), compiled.open()];
    one.accept(256);
    one.accept(0x63);
    assert.ok(one.complete && !two.complete);
  });
});
