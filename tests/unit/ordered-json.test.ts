/** JSON of answers: Maps keep their order, everything else is as JSON.stringify writes it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { toOrderedJson } from "../../src/http/ordered-json.ts";

describe("ordered JSON", () => {
  test("without Maps it is JSON.stringify", () => {
    fc.assert(
      fc.property(fc.object({ withNullPrototype: false, maxDepth: 4 }), (value) => {
        assert.equal(toOrderedJson(value), JSON.stringify(value));
      }),
    );
    assert.equal(toOrderedJson(undefined), "null");
    assert.equal(toOrderedJson({ a: undefined, b: [undefined, Number.NaN, -0] }), '{"b":[null,null,0]}');
  });

  test("a Map anywhere keeps its keys in order, integers too, and what is around it is the same", () => {
    const map = new Map<string, unknown>([
      ["7", -0.5],
      ["3", { x: undefined, y: "ü\n", z: Number.NEGATIVE_INFINITY }],
      ["a", new Map()],
    ]);
    const text = '{"7":-0.5,"3":{"y":"ü\\n","z":null},"a":{}}';
    assert.equal(toOrderedJson(map), text);
    assert.equal(toOrderedJson([{ deep: [1, null, map] }]), `[{"deep":[1,null,${text}]}]`);
    assert.equal(
      toOrderedJson({ first: "x", top: [{ top: map }], n: [1, 2] }),
      `{"first":"x","top":[{"top":${text}}],"n":[1,2]}`,
    );
  });
});
