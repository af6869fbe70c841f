import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

describe("generated clients", () => {
  const document = createHash("sha256").update(read("openapi/openapi.json")).digest("hex");
  const made = JSON.parse(read("clients/generated-from.json")) as Record<string, string>;

  for (const name of ["typescript", "python"]) {
    test(`${name} was generated from the present document`, () => {
      assert.equal(made[name], document, `run: node clients/generate.mjs ${name}`);
    });
  }

  test("they carry the version of the gateway", () => {
    const { version } = JSON.parse(read("package.json")) as { version: string };
    assert.equal((JSON.parse(read("clients/typescript/package.json")) as { version: string }).version, version);
    assert.ok(read("clients/python/pyproject.toml").includes(`version = "${version}"`));
  });
});
