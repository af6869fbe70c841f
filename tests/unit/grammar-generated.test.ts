/** Schemas as pydantic and zod make them: all of them compile, and random answers are values of them by ajv's word. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { createTokenizer } from "../../src/text/tokenizer.ts";
import { createVocabulary } from "../../src/worker/grammar/vocabulary.ts";
import { createRandom, createWalker } from "../support/grammar-walk.ts";

interface Generated {
  readonly from: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

const read = (path: string): unknown => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));
const model = (name: string) => read(`../../models/tide-nano/trained/${name}`) as Record<string, unknown>;
const vocabulary = createVocabulary(
  createTokenizer(model("tokenizer.json"), model("tokenizer_config.json")),
  Number(model("config.json").vocab_size),
);
const ajv = new Ajv2020({ strict: false, ownProperties: true, logger: false });
addFormats.default(ajv);

for (const library of ["pydantic", "zod"]) {
  describe(`schemas of ${library}`, () => {
    const schemas = read(`../fixtures/grammar/${library}.json`) as readonly Generated[];
    test("there are as many as there should be", () => assert.ok(schemas.length >= 20));
    for (const [index, { from, schema }] of schemas.entries()) {
      test(from, () => {
        const walker = createWalker({ kind: "json", schema: JSON.stringify(schema) }, vocabulary);
        const validate = ajv.compile(schema);
        const random = createRandom(index);
        let whole = 0;
        for (let walk = 0; walk < 4; walk += 1) {
          const answer = walker.walk(random, 300);
          if (answer === null) continue;
          whole += 1;
          assert.ok(validate(JSON.parse(answer)), `${answer}: ${JSON.stringify(validate.errors)}`);
        }
        assert.ok(whole > 0, "no answer came to its end");
      });
    }
  });
}
