/** The rules of the house, on this repository. `rules.test.ts` proves that each rule can fail. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkCircles } from "./circles.ts";
import { checkDocstrings } from "./docstrings.ts";
import { checkDefaultExports, checkFileSize, checkNames } from "./file-form.ts";
import { checkGlobals } from "./globals.ts";
import { checkImportRanks } from "./import-ranks.ts";
import { readSource, show } from "./source.ts";

const house = readSource("src", "routes", "openapi");
const everything = readSource("src", "routes", "openapi", "tests", "scripts", "benchmarks", "examples");

describe("the house", () => {
  test("there is something to look at", () => assert.ok(house.size > 50));
  test("imports go down only", () => assert.equal(show(checkImportRanks(house)), ""));
  test("no circle of imports", () => assert.equal(show(checkCircles(house)), ""));
  test("names of runtimes stay in their rooms", () => assert.equal(show(checkGlobals(house)), ""));
  test("no file is longer than 400 lines", () => assert.equal(show(checkFileSize(everything)), ""));
  test("names are kebab-case", () => assert.equal(show(checkNames(everything)), ""));
  test("nothing is exported as default", () => assert.equal(show(checkDefaultExports(everything)), ""));
  test("public functions and classes have docstrings", () => assert.equal(show(checkDocstrings(house)), ""));
});
