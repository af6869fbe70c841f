// JSON schemas and regular expressions of public suites (tests/fixtures/grammar): random tokens of tide-nano's vocabulary through
// every constraint. Each whole answer is judged by ajv or by JavaScript's RegExp, each invalid instance of the suite must be
// refused by the grammar, each refusal must name a keyword, and nothing may take longer than its bound.
//   bun tests/interop/structured.ts [walks]
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { GatewayError } from "../../src/errors.ts";
import { createTokenizer } from "../../src/text/tokenizer.ts";
import { createVocabulary } from "../../src/worker/grammar/vocabulary.ts";
import { createRandom, createWalker, type Walker } from "../support/grammar-walk.ts";

interface SuiteCase {
  readonly from: string;
  readonly schema: unknown;
  readonly tests: readonly (readonly [instance: unknown, valid: boolean])[];
}

/** Answers per constraint. */
const WALKS = Number(process.argv[2] ?? 8);
const TOKENS = 200;
/** Milliseconds that one constraint may take, with all its answers. */
const BOUND = 20_000;

const read = (path: string): unknown => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));
const model = (name: string) => read(`../../models/tide-nano/trained/${name}`) as Record<string, unknown>;
const size = Number(model("config.json").vocab_size);
const vocabulary = createVocabulary(createTokenizer(model("tokenizer.json"), model("tokenizer_config.json")), size);

const faults: string[] = [];
let slowest = { ms: 0, what: "" };
const fail = (what: string, why: string): void => void faults.push(`${what}: ${why}`);

function timed(what: string, work: () => void): void {
  const start = performance.now();
  try {
    work();
  } catch (error) {
    fail(what, String(error));
  }
  const ms = performance.now() - start;
  if (ms > slowest.ms) slowest = { ms, what };
  if (ms > BOUND) fail(what, `took ${Math.round(ms)} ms, over its bound of ${BOUND}`);
}

/** Compiles; a refusal is counted under its keyword. */
function open(what: string, make: () => Walker, refused: Map<string, number>): Walker | undefined {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof GatewayError) || error.status !== 400) throw error;
    const name =
      /"(\$?\w+)" \(at /.exec(error.message)?.[1] ??
      // Patterns are refused under their place: "/properties/a/pattern: a lookahead is not supported".
      /\/(pattern|patternProperties|propertyNames)\b[^ ]*: /.exec(error.message)?.[1] ??
      (/^No (value|finite text) can satisfy|^No finite/.test(error.message) ? "nothing satisfies it" : undefined);
    if (name === undefined) fail(what, `refused without a keyword: ${error.message}`);
    refused.set(name ?? "?", (refused.get(name ?? "?") ?? 0) + 1);
    return undefined;
  }
}

function show(refused: ReadonlyMap<string, number>): string {
  return [...refused]
    .sort((a, b) => b[1] - a[1])
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}

function schemas(): void {
  const cases = read("../fixtures/grammar/json-schema-suite.json") as readonly SuiteCase[];
  // What the suite calls a property is the object's own; formats are asserted, as answers are held to them.
  const ajv = new Ajv2020({ strict: false, ownProperties: true, allErrors: false, validateFormats: true });
  addFormats.default(ajv);
  const refused = new Map<string, number>();
  let [compiled, whole, cut, instances, taken, unjudged] = [0, 0, 0, 0, 0, 0];
  for (const [index, { from, schema, tests }] of cases.entries()) {
    timed(from, () => {
      const text = JSON.stringify(schema);
      const walker = open(from, () => createWalker({ kind: "json", schema: text }, vocabulary), refused);
      if (walker === undefined) return;
      compiled += 1;
      for (const [instance, valid] of tests) {
        instances += 1;
        const accepted = walker.takes(JSON.stringify(instance));
        if (accepted) taken += 1;
        if (accepted && !valid) fail(from, `takes the invalid ${JSON.stringify(instance)}`);
      }
      let validate: ((value: unknown) => boolean) | undefined;
      try {
        validate = ajv.compile(schema as object) as (value: unknown) => boolean;
      } catch {
        // Some schemas of the suite are beyond ajv (references by id).
      }
      // Where ajv itself fails the suite, its word on our answers counts for nothing; the suite's instances are the judge.
      if (validate !== undefined && tests.some(([instance, valid]) => validate?.(instance) !== valid))
        validate = undefined;
      if (validate === undefined) unjudged += 1;
      const random = createRandom(index);
      for (let walk = 0; walk < WALKS; walk += 1) {
        const answer = walker.walk(random, TOKENS);
        if (answer === null) {
          cut += 1;
          continue;
        }
        whole += 1;
        if (validate?.(JSON.parse(answer)) === false) fail(from, `${JSON.stringify(schema)} gave ${answer}`);
      }
    });
  }
  console.log(
    `schemas: ${cases.length} of the suite, ${compiled} compiled, ${cases.length - compiled} refused (${show(refused)})`,
  );
  console.log(
    `schemas: ${whole} whole answers judged${unjudged > 0 ? ` (${unjudged} schemas by the suite's instances alone: ajv fails them itself)` : ""}, ${cut} cut at ${TOKENS} tokens; ${instances} instances, ${taken} taken`,
  );
  if (compiled < 200) fail("schemas", `only ${compiled} compiled, at least 200 are wanted`);
  if (whole < compiled * 2) fail("schemas", `only ${whole} whole answers`);
}

function regexes(): void {
  const patterns = read("../fixtures/grammar/regexes.json") as readonly string[];
  const refused: string[] = [];
  let [compiled, whole, cut] = [0, 0, 0];
  for (const [index, pattern] of patterns.entries()) {
    timed(pattern, () => {
      let walker: Walker;
      try {
        walker = createWalker({ kind: "regex", pattern }, vocabulary);
      } catch (error) {
        if (!(error instanceof GatewayError) || error.status !== 400) throw error;
        refused.push(pattern);
        return;
      }
      compiled += 1;
      const judge = new RegExp(`^(?:${pattern})$`, "u");
      const random = createRandom(index);
      for (let walk = 0; walk < WALKS; walk += 1) {
        const answer = walker.walk(random, TOKENS);
        if (answer === null) {
          cut += 1;
          continue;
        }
        whole += 1;
        if (!judge.test(answer)) fail(pattern, `gave ${JSON.stringify(answer)}`);
      }
    });
  }
  console.log(
    `regexes: ${patterns.length} of the suite, ${compiled} compiled, ${refused.length} refused (${refused.join("  ")}); ${whole} whole answers judged, ${cut} cut at ${TOKENS} tokens`,
  );
  if (compiled < 100) fail("regexes", `only ${compiled} compiled, at least 100 are wanted`);
  if (whole < compiled * 2) fail("regexes", `only ${whole} whole answers`);
}

schemas();
regexes();
console.log(`slowest: ${Math.round(slowest.ms)} ms (${slowest.what}), bound ${BOUND} ms`);
for (const fault of faults.slice(0, 40)) console.log(`not ok ${fault}`);
console.log(faults.length === 0 ? "structured ok" : `structured: ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
