/** Words of schemas and patterns that are followed by rewriting: not, if, contains, uniqueItems, dependencies, overlapping oneOf. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { json, refusal, regex } from "../support/grammar-match.ts";

type Row = readonly [schema: unknown, taken: readonly unknown[], refused: readonly unknown[]];

/** What is taken, and what must not be. */
const ROWS: Readonly<Record<string, readonly Row[]>> = {
  not: [
    [{ not: { type: "string" } }, [1, null, [], { a: 1 }], ["a"]],
    [{ type: "string", not: { const: "no" } }, ["n", "nope", ""], ["no"]],
    [{ type: "string", not: { enum: ["a", "b"] } }, ["c", "ab"], ["a", "b"]],
    [{ type: "string", enum: ["a", "b", "c"], not: { const: "b" } }, ["a", "c"], ["b"]],
    [{ type: "integer", not: { enum: [0, 5] } }, [-1, 1, 4, 6], [0, 5]],
    [{ type: "number", not: { minimum: 3 } }, [2.5, -1], [3, 4]],
    [{ type: "boolean", not: { const: true } }, [false], [true]],
    [{ type: ["string", "null"], not: { type: "null" } }, ["a"], [null]],
    [
      { type: "object", properties: { a: { type: "integer" }, b: { type: "integer" } }, not: { required: ["a", "b"] } },
      [{}, { a: 1 }, { b: 1 }],
      [{ a: 1, b: 1 }],
    ],
    [{ type: "string", not: { maxLength: 2 } }, ["abc"], ["ab", ""]],
    [{ not: { not: { type: "integer" } } }, [1], ["a", 1.5]],
    [{ type: "array", items: { type: "integer" }, not: { items: { minimum: 0 } } }, [[1, -1], [-5]], [[], [1, 2]]],
  ],
  if: [
    [
      {
        type: "object",
        properties: { kind: { enum: ["card", "cash"] }, number: { type: "string" } },
        required: ["kind"],
        if: { properties: { kind: { const: "card" } } },
        // biome-ignore lint/suspicious/noThenProperty: a word of JSON Schema.
        then: { required: ["number"] },
        else: { properties: { number: false } },
      },
      [{ kind: "card", number: "1" }, { kind: "cash" }],
      [{ kind: "card" }, { kind: "cash", number: "1" }],
    ],
    // biome-ignore lint/suspicious/noThenProperty: a word of JSON Schema.
    [{ type: ["integer", "string"], if: { type: "integer" }, then: { minimum: 5 } }, [5, "a"], [4]],
    [{ if: { type: "string" }, else: { type: "integer" } }, ["a", 3], [null, true]],
  ],
  dependencies: [
    [
      {
        type: "object",
        properties: { a: { type: "integer" }, b: { type: "integer" }, c: { type: "integer" } },
        dependentRequired: { a: ["b"], b: ["c"] },
      },
      [{}, { c: 1 }, { b: 1, c: 1 }, { a: 1, b: 1, c: 1 }],
      [{ a: 1 }, { b: 1 }, { a: 1, b: 1 }, { a: 1, c: 1 }],
    ],
    [
      {
        type: "object",
        properties: { a: { type: "integer" } },
        dependentSchemas: { a: { properties: { a: { minimum: 3 } } } },
      },
      [{}, { a: 3 }],
      [{ a: 2 }],
    ],
    [
      { type: ["object", "string"], properties: { a: {}, b: {} }, dependencies: { a: ["b"] } },
      ["x", { b: 1 }, { a: 1, b: 2 }],
      [{ a: 1 }],
    ],
  ],
  contains: [
    [{ type: "array", contains: { type: "string" } }, [["a"], [1, "a", null], ["a", "b"]], [[], [1, 2]]],
    [
      { type: "array", items: { type: "integer" }, contains: { minimum: 5 }, minContains: 2, maxContains: 3 },
      [
        [5, 6],
        [1, 5, 2, 7, 9],
        [9, 9, 9, 1],
      ],
      [[], [5], [5, 6, 7, 8], [1, 2, 3]],
    ],
    [{ type: "array", contains: { const: 1 }, minContains: 0 }, [[], [2], [1]], []],
    [
      {
        type: "array",
        prefixItems: [{ type: "string" }, { type: "integer" }],
        items: { type: "integer" },
        contains: { const: 7 },
      },
      [
        ["a", 7],
        ["a", 1, 7],
        ["a", 7, 2],
      ],
      [["a", 1], ["a"], [7, 7]],
    ],
    [
      { type: "array", items: { enum: ["a", "b"] }, contains: { const: "b" }, minItems: 2, maxItems: 3 },
      [
        ["a", "b"],
        ["b", "a", "a"],
      ],
      [["b"], ["a", "a"], ["b", "b", "b", "b"]],
    ],
  ],
  uniqueItems: [
    [
      { type: "array", items: { enum: ["a", "b", "c"] }, uniqueItems: true },
      [[], ["c", "a"], ["a", "b", "c"]],
      [
        ["a", "a"],
        ["b", "c", "b"],
      ],
    ],
    [
      { type: "array", items: { type: "boolean" }, uniqueItems: true, minItems: 2 },
      [
        [true, false],
        [false, true],
      ],
      [[true], [true, true]],
    ],
    [
      { type: "array", items: { enum: [1, 2, 3, 4, 5, 6, 7, 8] }, uniqueItems: true, maxItems: 3 },
      [[1, 5, 8], [7]],
      [
        [1, 1],
        [1, 2, 3, 4],
      ],
    ],
    [
      { type: "array", items: { anyOf: [{ const: "x" }, { type: "null" }] }, uniqueItems: true },
      [["x", null], [null]],
      [[null, null]],
    ],
  ],
  oneOf: [
    [
      {
        type: "object",
        properties: { a: { type: "integer" }, b: { type: "integer" } },
        oneOf: [{ required: ["a"] }, { required: ["b"] }],
      },
      [{ a: 1 }, { b: 1 }],
      [{}, { a: 1, b: 1 }],
    ],
    [{ oneOf: [{ type: "integer" }, { type: "number", minimum: 2 }] }, [1, -5], [3]],
    [{ type: "string", oneOf: [{ minLength: 2 }, { maxLength: 4 }] }, ["a", "abcde"], ["abc"]],
  ],
  strings: [
    [{ type: "string", pattern: "^(ab)+$", minLength: 3, maxLength: 5 }, ["abab"], ["ab", "ababab"]],
    [
      { type: "string", format: "email", pattern: "^[a-z.]+@example\\.com$" },
      ["a.b@example.com"],
      ["A@example.com", "a@b.com", ".@example.com"],
    ],
    [{ allOf: [{ type: "string", pattern: "^a" + ".*$" }, { pattern: "^.*b$" }] }, ["ab", "axb"], ["a", "b", "ba"]],
    [
      { type: "string", format: "uuid", pattern: "^1" + ".*$", not: { const: "x" } },
      ["12345678-1234-4123-8123-123456789abc"],
      ["22345678-1234-4123-8123-123456789abc"],
    ],
    [{ type: "string", maxLength: 3, not: { enum: ["abc", ""] } }, ["ab", "abd"], ["abc", "", "abcd"]],
    [{ type: "string", format: "something of ours" }, ["a", ""], [1]],
    [{ type: "string", enum: ["ab", "b"], allOf: [{ pattern: "a" }, { pattern: "b" }] }, ["ab"], ["b"]],
  ],
  multipleOf: [
    [{ type: "number", multipleOf: 0.5 }, [0, 1, -2.5, 10.5], [0.1, 0.25]],
    [{ type: "number", multipleOf: 0.25 }, [0.25, 1.75, 3], [0.3, 0.125]],
    [{ type: "integer", multipleOf: 0.5 }, [3, -1], [0.5]],
  ],
  discriminators: [
    [
      {
        $defs: {
          and: {
            type: "object",
            properties: { op: { const: "and" }, args: { type: "array", items: { $ref: "#/$defs/any" } } },
            required: ["args"],
          },
          leaf: { type: "object", properties: { op: { const: "leaf" }, name: { type: "string" } }, required: ["name"] },
          any: { oneOf: [{ $ref: "#/$defs/and" }, { $ref: "#/$defs/leaf" }] },
        },
        $ref: "#/$defs/any",
      },
      [
        { op: "leaf", name: "a" },
        {
          op: "and",
          args: [
            { op: "and", args: [] },
            { op: "leaf", name: "b" },
          ],
        },
      ],
      [{ name: "a" }, { op: "leaf", args: [] }, { args: [] }],
    ],
  ],
  patternProperties: [
    [
      {
        type: "object",
        patternProperties: { "^s_": { type: "string" }, "^n_[a-z]+$": { type: "integer" }, "^x": false },
      },
      [{}, { n_a: 1 }, { n_a: 1, n_b: 2 }],
      [{ n_a: "a" }, { s_: 1 }, { x: 1 }],
    ],
  ],
  propertyNames: [
    [
      {
        $defs: { c: { enum: ["x", "y"] } },
        type: "object",
        propertyNames: { $ref: "#/$defs/c" },
        additionalProperties: { type: "integer" },
      },
      [{}, { x: 1 }, { y: 2 }],
      [{ z: 1 }],
    ],
  ],
};

describe("words that are followed by rewriting", () => {
  for (const [word, rows] of Object.entries(ROWS)) {
    test(word, () => {
      for (const [schema, taken, refused] of rows) {
        const takes = json(schema);
        for (const value of taken) assert.ok(takes(value), `${JSON.stringify(schema)} takes ${JSON.stringify(value)}`);
        for (const value of refused)
          assert.ok(!takes(value), `${JSON.stringify(schema)} refuses ${JSON.stringify(value)}`);
      }
    });
  }

  test("a chain of cases by one property is as long as it has cases", () => {
    const kinds = Array.from({ length: 20 }, (_, index) => `k${index}`);
    const chain = json({
      type: "object",
      properties: {
        kind: { enum: kinds },
        ...Object.fromEntries(kinds.map((kind) => [`of ${kind}`, { type: "integer" }])),
      },
      required: ["kind"],
      allOf: kinds.map((kind) => ({
        if: { properties: { kind: { const: kind } } },
        // biome-ignore lint/suspicious/noThenProperty: a word of JSON Schema.
        then: { required: [`of ${kind}`] },
      })),
    });
    assert.ok(chain({ kind: "k7", "of k7": 1 }) && chain({ kind: "k19", "of k19": 1 }));
    assert.ok(!chain({ kind: "k7", "of k8": 1 }) && !chain({ kind: "k0" }));
  });

  test("bounds of draft 4 stay strict where parts are put into one", () => {
    const takes = json({
      type: "integer",
      minimum: 3,
      exclusiveMinimum: true,
      allOf: [{ maximum: 5 }],
      not: { const: 4 },
    });
    assert.deepEqual([3, 4, 5, 6].map(takes), [false, false, true, false]);
  });

  test("what was turned round evaluates nothing", () => {
    const schema = { type: "object", not: { not: { properties: { a: { type: "integer" } }, required: ["a"] } } };
    assert.ok(json(schema)({ a: 1 }));
    const closed = { ...schema, unevaluatedProperties: false };
    assert.match(refusal({ kind: "json", schema: JSON.stringify(closed) }), /"unevaluatedProperties" \(at /);
  });
});

describe("anchors and quantifiers that readers take differently", () => {
  test("an anchor after text is refused, within groups too; one that says nothing is not", () => {
    const refused = (pattern: string): string => refusal({ kind: "regex", pattern });
    for (const pattern of ["a*(^a)", "a^", "(a$)b", "(^a)*", "(a|b$)c", "(a$){2}"]) {
      assert.match(refused(pattern), /an anchor inside the pattern is not supported/, pattern);
    }
    for (const [pattern, text] of [
      ["(^a|b)c$", "ac"],
      ["(^)*a($)*", "a"],
      ["$^", ""],
      ["(^a)?(b$)", "b"],
      ["^(?:^ab$|^c$)$", "c"],
    ] as const) {
      assert.equal(regex(pattern)(text), true, pattern);
    }
  });

  test("lookaheads at the beginning hold for the whole text", () => {
    const rows: readonly (readonly [string, readonly string[], readonly string[]])[] = [
      ["^(?=.*[A-Z])(?=.*\\d)[A-Za-z\\d]{4,8}$", ["aB3d", "99Zz"], ["abcd", "ABCD", "aB3", "aB3d-"]],
      ["^(?!admin$)[a-z]+$", ["adm", "admins", "x"], ["admin"]],
      ["^(?!.*\\.\\.)(?!\\.)[a-z.]+$", ["a.b", "a."], ["a..b", ".a"]],
      ["(?!a|b)[a-d]{2}", ["ca", "db"], ["aa", "bc"]],
      ["^(?!.*\\s).+$", ["ab", "-"], ["a b", "a\tb"]],
      ["^(?!\\d)[0-9a-z]$", ["a"], ["1"]],
      ["^(?![^a])\\w+$", ["ab"], ["ba", "_"]],
    ];
    for (const [pattern, taken, refused] of rows) {
      const takes = regex(pattern);
      for (const text of [...taken, ...refused]) {
        assert.equal(takes(text), taken.includes(text), `${pattern} and ${text}`);
        assert.equal(new RegExp(`^(?:${pattern})$`, "u").test(text), taken.includes(text));
      }
    }
    // What only one reader takes for a space, a digit or a character is left out, too.
    assert.equal(regex("^(?!.*\\s)[^a]+$")("\u00a0"), false);
    assert.equal(regex("^(?!.b)[^x]+$")("\nb"), false);
    const refused = (pattern: string): string => refusal({ kind: "regex", pattern });
    assert.match(refused("^(?!a)b|c$"), /a lookahead in front of alternatives is not supported/);
    assert.match(refused("^a(?=b)"), /a lookahead is not supported/);
    assert.match(refused("^(?!a$|b)c"), /\$ within a lookahead/);
    assert.match(refused("^(?=a)*b"), /a lookahead with a quantifier/);
    assert.match(refused("^(?!.*(?=a))b"), /a lookahead is not supported/);
  });

  test("lookaheads within JSON strings, beside formats and lengths", () => {
    const password = json({ type: "string", pattern: "^(?=.*[A-Z])(?=.*[0-9]).*$", minLength: 4, maxLength: 6 });
    assert.deepEqual(["aB3d", "aB3", "abcd1", 'A1"\\'].map(password), [true, false, false, true]);
  });

  test("quantifiers out of range are refused and not read as text", () => {
    assert.match(refusal({ kind: "regex", pattern: "a{9876543210}" }), /the quantifier \{9876543210\} is too large/);
    assert.match(refusal({ kind: "regex", pattern: "a{,3}" }), /the quantifier \{,3\} \(write \{0,3\}\)/);
    assert.equal(regex("a{b}")("a{b}"), true);
  });

  test("a pattern in anchors keeps its length bounds", () => {
    const name = json({ type: "string", pattern: "^[a-z]+$", minLength: 2, maxLength: 3 });
    assert.deepEqual(["a", "ab", "abc", "abcd"].map(name), [false, true, true, false]);
  });
});
