import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { editJson, memberText, RawJson } from "../../src/checkpoint/json-edit.ts";

describe("editing JSON text", () => {
  test("numbers and everything else that is not meant stay as written", () => {
    const text = '{\n  "a": 1e-05,\n  "b": [1.0, {"x": "}\\"{"}],\n  "z": 1000000000000000019884624838656\n}\n';
    assert.equal(editJson(text, { m: true }), text.replace('  "z"', '  "m": true,\n  "z"'));
    assert.equal(editJson(text, { b: null }), text.replace('[1.0, {"x": "}\\"{"}]', "null"));
    assert.equal(editJson(text, { zz: [1] }), text.replace("656\n}", '656,\n  "zz": [\n    1\n  ]\n}'));
    assert.equal(editJson(text, { a: undefined }), text.replace('  "a": 1e-05,\n', ""));
    assert.equal(editJson(text, { z: undefined }), text.replace(/,\n {2}"z": \d+/, ""));
  });

  test("unsorted keys: a new one comes last", () => {
    assert.equal(editJson('{"b": 1, "a": 2}', { aa: 3 }), '{"b": 1, "a": 2, "aa": 3}');
  });

  test("an empty object, and one that becomes empty", () => {
    assert.equal(editJson("{}\n", { a: 1 }), '{\n  "a": 1\n}\n');
    assert.equal(editJson('{ "a": 1 }', { a: undefined }), "{}");
  });

  test("a nested value by its text", () => {
    const text = '{"inner": {"n": 1.0}}';
    assert.equal(memberText(text, "inner"), '{"n": 1.0}');
    assert.equal(editJson(text, { inner: new RawJson('{"n": 2.0}') }), '{"inner": {"n": 2.0}}');
    assert.equal(memberText(text, "outer"), undefined);
  });

  test("a doubled key: all of them change, so that the last one counts", () => {
    assert.equal(JSON.parse(editJson('{"a": 1, "a": 2}', { a: 3 })).a, 3);
    assert.equal(memberText('{"a": 1, "a": 2}', "a"), "2");
  });

  test("reads as the edited object, whatever is in it and however it is laid out", () => {
    const object = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 6 });
    fc.assert(
      fc.property(object, object, fc.constantFrom(undefined, 2, 1), (before, edits, indent) => {
        const merged = JSON.parse(JSON.stringify({ ...before, ...edits }));
        assert.deepEqual(JSON.parse(editJson(JSON.stringify(before, null, indent), edits)), merged);
        const gone = Object.fromEntries(Object.keys(edits).map((key) => [key, undefined]));
        const rest = Object.fromEntries(Object.entries(before).filter(([key]) => !Object.hasOwn(edits, key)));
        assert.deepEqual(
          JSON.parse(editJson(JSON.stringify(before, null, indent), gone)),
          JSON.parse(JSON.stringify(rest)),
        );
      }),
    );
  });
});
