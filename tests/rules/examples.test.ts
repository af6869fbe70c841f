/** Runs every example in a docstring. An example throws when it is wrong. */
import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { after, describe, test } from "node:test";
import { examplesOf, toRunnable } from "./docstrings.ts";
import { readSource } from "./source.ts";

const root = new URL("../../", import.meta.url);
// Inside the repository, so that packages are found; ignored by git.
const folder = new URL(".tidegate/doc-examples/", root);

describe("examples in docstrings", () => {
  const examples = examplesOf(readSource("src", "routes", "openapi"));
  mkdirSync(folder, { recursive: true });
  after(() => rmSync(folder, { recursive: true, force: true }));
  test("there are some", () => assert.ok(examples.length > 0));
  for (const [index, example] of examples.entries()) {
    test(`${example.file}:${example.line}`, async () => {
      const path = new URL(`${index}.ts`, folder);
      writeFileSync(path, toRunnable(example, root));
      await import(path.href);
    });
  }
});
