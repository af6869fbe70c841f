/** Scalars as pydantic's lax mode takes them; what it refuses stays refused, by name. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import { GatewayError } from "../../src/errors.ts";
import { validate } from "../../src/http/validation.ts";

const Fields = z.object({
  n: z.number().int().nullish(),
  temperature: z.number().nullish(),
  stream: z.boolean().nullish(),
  ids: z.array(z.number().int()).nullish(),
  user: z.string().nullish(),
});

const refused = (input: unknown): string => {
  try {
    validate(Fields, input);
  } catch (error) {
    assert.ok(error instanceof GatewayError);
    return `${error.code} ${error.details.param}`;
  }
  return "taken";
};

describe("loosened scalars", () => {
  test("numbers in words, truth in numbers and words", () => {
    const given = { n: "2", temperature: " 0.5 ", stream: "Yes", ids: ["1", 2, true] };
    assert.deepEqual(validate(Fields, given), { n: 2, temperature: 0.5, stream: true, ids: [1, 2, 1] });
    assert.deepEqual(given.ids, ["1", 2, true], "what was given is not changed");
    assert.deepEqual(validate(Fields, { n: true, stream: 0 }), { n: 1, stream: false });
  });

  test("nothing else", () => {
    assert.equal(refused({ n: "two" }), "invalid_value n");
    assert.equal(refused({ n: "1.5" }), "invalid_value n");
    assert.equal(refused({ temperature: "" }), "invalid_value temperature");
    assert.equal(refused({ temperature: "0x10" }), "invalid_value temperature");
    assert.equal(refused({ temperature: "NaN" }), "invalid_value temperature");
    assert.equal(refused({ temperature: "1e999" }), "invalid_value temperature");
    assert.equal(refused({ stream: 2 }), "invalid_value stream");
    assert.equal(refused({ stream: "maybe" }), "invalid_value stream");
    assert.equal(refused({ user: 1 }), "invalid_value user");
    assert.equal(refused({ ids: ["1", "x"] }), "invalid_value ids.1");
    assert.equal(refused({ n: ["1"] }), "invalid_value n");
  });

  test("a long list of wrong values is refused without a copy for each", () => {
    assert.equal(refused({ ids: new Array(100_000).fill("1") }), "invalid_value ids.0");
  });

  test("what is right as it is stays so", () => {
    const numbers = { n: fc.integer(), temperature: fc.double({ noNaN: true, noDefaultInfinity: true }) };
    const right = fc.record(numbers, { noNullPrototype: true });
    fc.assert(fc.property(right, (fields) => assert.deepEqual(validate(Fields, fields), fields)));
  });
});
