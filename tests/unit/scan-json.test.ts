import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { createJsonScanner, type ScannedValue } from "../../src/lib/scan-json.ts";

const KEYS = ["model", "stream", "n", "max_tokens", "prompt"] as const;
const scan = createJsonScanner(KEYS);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function values(text: string): Readonly<Record<string, ScannedValue>> {
  const found = scan(bytes(text));
  assert.ok(found.ok, found.ok ? "" : `${found.reason} at ${found.offset}: ${text}`);
  return found.values as Record<string, ScannedValue>;
}

/** What the scanner must say of a document that JSON.parse accepts: containers are compared by their text. */
function check(text: string): void {
  const expected = JSON.parse(text) as Record<string, unknown>;
  const found = values(text);
  const all = bytes(text);
  for (const key of KEYS) {
    const value = found[key];
    const want = Object.hasOwn(expected, key) ? expected[key] : undefined;
    if (typeof value === "object" && value !== null) {
      assert.deepEqual(JSON.parse(new TextDecoder().decode(all.subarray(value.start, value.end))), want);
      assert.equal(value.kind, Array.isArray(want) ? "array" : "object");
    } else assert.deepEqual(value, want);
  }
}

describe("scan-json reads", () => {
  test("scalars of every kind", () => {
    check('{"model":"tiny","stream":true,"n":-1.5e3,"max_tokens":null,"prompt":""}');
    check('{"stream":false,"n":0,"model":"\\u00e4\\n\\"x\\\\","prompt":"ünïcode 🜁"}');
  });
  test("white space anywhere, and an empty object", () => {
    check(' \t\r\n{ "model" :\n"a" , "n"\t: 1 }\r\n ');
    check("{}");
    check(" { } ");
  });
  test("escaped key names", () => check('{"\\u006dodel":"tiny","str\\u0065am":true}'));
  test("the last of duplicate keys", () => check('{"model":"a","n":1,"mod\\u0065l":"b","n":[2]}'));
  test("nothing from nested objects or from strings", () => {
    check('{"x":{"model":"inner","n":3},"y":[{"model":"deep"}],"z":"\\"model\\":\\"text\\"","model":"outer"}');
    check('{"prompt":"{\\"model\\": \\"fake\\"}"}');
  });
  test("strings that end in backslashes", () => {
    check('{"x":"\\\\","model":"a"}');
    check('{"x":"\\\\\\"","model":"a\\\\"}');
    check(`{"x":"${"\\\\".repeat(40)}","model":"${"b".repeat(60)}"}`);
  });
  test("brackets and quotes inside nested strings", () => {
    check('{"prompt":["]","}","[{\\"", {"a":"]}"}],"model":"a"}');
  });
  test("long arrays of ids, long texts", () => {
    check(JSON.stringify({ prompt: Array.from({ length: 20_000 }, (_, index) => index * 7), model: "tiny", n: 2 }));
    check(JSON.stringify({ prompt: 'He said "x" {[\n'.repeat(2000), model: "tiny" }));
    check(JSON.stringify({ prompt: Array.from({ length: 300 }, () => [1, 2, [3, ["x"]]]), stream: true }));
  });
  test("past bare NaN and 64-bit integers in what it skips", () => {
    assert.deepEqual(values('{"a":NaN,"b":[NaN,-Infinity],"seed":18446744073709551615,"model":"m"}'), { model: "m" });
  });
  test("past invalid UTF-8 in what it skips", () => {
    const body = new Uint8Array([...bytes('{"x":"'), 0xff, 0xfe, ...bytes('","model":"m"}')]);
    assert.deepEqual(scan(body), { ok: true, values: { model: "m" } });
  });
});

describe("scan-json refuses", () => {
  const bad: Record<string, string> = {
    nothing: "",
    "only space": "  ",
    "an array": "[1]",
    "a scalar": '"model"',
    "an open object": '{"model":"a"',
    "an open object after a comma": '{"model":"a",',
    "an open string": '{"model":"a',
    "an open key": '{"mod',
    "an open nested array": '{"prompt":[1,[2],"model":"a"}',
    "crossed brackets": '{"prompt":[{"a":1]},"model":"a"}',
    "a trailing comma": '{"model":"a",}',
    "a missing comma": '{"model":"a" "n":1}',
    "a missing colon": '{"model" "a"}',
    "a missing value": '{"model":,"n":1}',
    "a key without quotes": '{model:"a"}',
    "something after the object": '{"model":"a"} x',
    "a second object": '{"model":"a"}{}',
    "a wanted value that is no JSON": '{"n":01}',
    "NaN in a wanted key": '{"n":NaN}',
    "a control character in a wanted string": '{"model":"a\nb"}',
    "a bad escape in a key": '{"\\x":1}',
  };
  for (const [name, text] of Object.entries(bad)) {
    test(name, () => {
      const found = scan(bytes(text));
      assert.equal(found.ok, false);
      assert.ok(!found.ok && found.reason.length > 0 && found.offset <= text.length);
    });
  }
  test("a byte order mark", () => {
    assert.equal(scan(new Uint8Array([0xef, 0xbb, 0xbf, ...bytes("{}")])).ok, false);
  });
  test("a wanted string of invalid UTF-8", () => {
    assert.equal(scan(new Uint8Array([...bytes('{"model":"'), 0xff, ...bytes('"}')])).ok, false);
  });
  test("endless nesting, without growing its own stack", () => {
    assert.equal(scan(bytes(`{"prompt":${"[".repeat(1_000_000)}`)).ok, false);
  });
});

describe("scan-json and JSON.parse agree", () => {
  const key = fc.oneof(fc.constantFrom(...KEYS), fc.string({ maxLength: 12, unit: "grapheme" }));
  const document = fc.array(fc.tuple(key, fc.jsonValue({ maxDepth: 4 })), { maxLength: 8 });
  const space = fc.constantFrom("", " ", "\n", "\t \r\n");

  test("on every JSON object, duplicates and spaces included", () => {
    fc.assert(
      fc.property(document, space, space, (entries, a, b) => {
        const body = entries.map(
          ([name, value]) => `${b}${JSON.stringify(name)}${a}:${b}${JSON.stringify(value, null, a === "" ? 0 : 1)}${a}`,
        );
        check(`${a}{${body.join(",")}${body.length === 0 ? a : ""}}${b}`);
      }),
      { numRuns: 400 },
    );
  });

  test("never refuses what JSON.parse accepts; always refuses a cut document", () => {
    fc.assert(
      fc.property(document, fc.nat(), (entries, cut) => {
        const text = JSON.stringify(Object.fromEntries(entries));
        const all = bytes(text);
        assert.ok(scan(all).ok);
        assert.equal(scan(all.subarray(0, cut % all.length)).ok, false);
      }),
      { numRuns: 300 },
    );
  });

  test("on mutated documents: what is accepted by both means the same", () => {
    fc.assert(
      fc.property(document, fc.nat(), fc.constantFrom(...'{}[]",:\\ 0a'), (entries, at, put) => {
        const text = JSON.stringify(Object.fromEntries(entries));
        const place = at % text.length;
        const mutated = text.slice(0, place) + put + text.slice(place + 1);
        let parsed: unknown;
        try {
          parsed = JSON.parse(mutated);
        } catch {
          return;
        }
        if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) check(mutated);
      }),
      { numRuns: 500 },
    );
  });
});
