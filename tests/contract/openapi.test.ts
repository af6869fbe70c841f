import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildDocument } from "../../openapi/document.ts";
import { routes } from "../../routes/mod.ts";
import type { OpenApiMedia, OpenApiSchema } from "../../src/contract/openapi.ts";
import { ERROR_CODES } from "../../src/errors.ts";
import { isStateful } from "../../src/http/dialect.ts";

const root = new URL("../../", import.meta.url);
// Plain JavaScript without types: it runs before anything is installed.
const { binaryOf } = (await import(new URL("scripts/runtimes.mjs", root).href)) as { binaryOf(name: string): string };
const document = buildDocument(routes);
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    name: `${method.toUpperCase()} ${path}`,
    method,
    path,
    operation,
  })),
);

const hasExample = (media: OpenApiMedia): boolean =>
  media.example !== undefined ||
  Object.keys(media.examples ?? {}).length > 0 ||
  media.schema?.example !== undefined ||
  document.components?.schemas?.[media.schema?.$ref?.split("/").at(-1) ?? ""]?.example !== undefined;

/** Codes that the examples and the description of one response name. */
const codesOf = ({
  description,
  content,
}: {
  description: string;
  content?: Readonly<Record<string, OpenApiMedia>>;
}) => [
  ...[...description.matchAll(/`([a-z_]+)`/g)].map(([, code]) => code as string),
  ...Object.values(content ?? {}).flatMap((media) => Object.keys(media.examples ?? {})),
];

describe("the OpenAPI document", () => {
  test("the committed file is what the routes say", () => {
    const committed = readFileSync(new URL("openapi/openapi.json", root), "utf8");
    assert.equal(committed === `${JSON.stringify(document, null, 2)}\n`, true, "run: bun run openapi/generate.ts");
  });

  test("building it twice gives the same bytes, and changes no route", () => {
    assert.equal(JSON.stringify(buildDocument(routes)), JSON.stringify(document));
  });

  test("every route is in it once", () => {
    assert.equal(operations.length, routes.length);
    const ids = operations.map(({ operation }) => operation.operationId);
    assert.equal(new Set(ids).size, ids.length);
    assert.ok(!ids.includes(undefined));
  });

  for (const { name, method, path, operation } of operations) {
    test(`${name}: summary, tag, security, example, errors`, () => {
      assert.ok(operation.summary);
      assert.equal(operation.tags?.length, 1);
      assert.ok(document.tags?.some((tag) => tag.name === operation.tags?.[0]));
      assert.ok(operation.security !== undefined);
      const statuses = Object.keys(operation.responses);
      assert.ok(
        statuses.some((status) => status.startsWith("2")),
        "no success",
      );
      assert.ok(
        statuses.some((status) => status.startsWith("4")),
        "no 4xx",
      );
      if (operation.security.length > 0) assert.ok(statuses.includes("401") && statuses.includes("403"));
      for (const [status, response] of Object.entries(operation.responses)) {
        for (const [type, media] of Object.entries(response.content ?? {})) {
          assert.ok(hasExample(media), `${status} ${type} has no example`);
        }
        // Probes have a 503 of their own shape.
        if (status >= "400" && !["/readyz", "/health", "/ping"].includes(path)) {
          const known = codesOf(response).filter((code) => Object.hasOwn(ERROR_CODES, code));
          assert.ok(known.length > 0, `${status} names no code`);
        }
      }
      if (isStateful(method.toUpperCase(), path)) {
        for (const status of ["500", "502", "503"])
          assert.ok(!statuses.includes(status), `${status} makes clients repeat`);
      }
    });
  }

  test("every error code is in the closed list, in the description, and in some response", () => {
    const listed = document.components?.schemas?.ErrorCode?.enum;
    assert.deepEqual(listed, Object.keys(ERROR_CODES));
    const used = new Set(operations.flatMap(({ operation }) => Object.values(operation.responses).flatMap(codesOf)));
    for (const code of Object.keys(ERROR_CODES)) {
      assert.ok(document.info.description?.includes(`\`${code}\``), `${code} is not described`);
      // These two answer no route of the list: an unknown method, a client that is gone.
      if (code === "method_not_allowed" || code === "client_closed") continue;
      assert.ok(used.has(code), `${code} is in no response`);
    }
  });

  test("problem bodies point to the closed list", () => {
    const problem = document.components?.schemas?.Problem;
    assert.deepEqual(problem?.properties?.code, { $ref: "#/components/schemas/ErrorCode" });
  });

  test("a named schema that may be null says so in a way that admits null", () => {
    const digest = document.components?.schemas?.Fleet?.properties?.weight_digest;
    assert.deepEqual(digest?.anyOf, [{ $ref: "#/components/schemas/WeightDigest" }, { type: "null" }]);
    assert.ok(!/"allOf":\[\{"\$ref":"[^"]+"\},\{"type":\[/.test(JSON.stringify(document)));
  });

  test("named schemas are not nullable themselves", () => {
    for (const [name, schema] of Object.entries(document.components?.schemas ?? {})) {
      const choices = (schema.anyOf ?? []) as readonly OpenApiSchema[];
      assert.ok(!choices.some(({ type }) => type === "null"), name);
      assert.ok(!(Array.isArray(schema.type) && schema.type.includes("null")), name);
    }
  });

  test("path parameters are required, and no parameter is null", () => {
    for (const { name, operation } of operations) {
      for (const parameter of operation.parameters ?? []) {
        if (parameter.in === "path") assert.equal(parameter.required, true, name);
        assert.ok(!JSON.stringify(parameter.schema).includes('"null"'), `${name} ${parameter.name}`);
      }
    }
  });

  test("references resolve", () => {
    const json = JSON.stringify(document);
    for (const [, kind, name] of json.matchAll(/"#\/components\/(schemas|examples)\/([^"]+)"/g)) {
      assert.ok(document.components?.[kind as "schemas" | "examples"]?.[name as string], `${kind}/${name}`);
    }
  });

  test("the linter has no complaint", () => {
    const cli = fileURLToPath(new URL("node_modules/@redocly/cli/bin/cli.js", root));
    const { status, stdout, stderr } = spawnSync(binaryOf("node"), [cli, "lint", "openapi/openapi.json"], {
      cwd: fileURLToPath(root),
      encoding: "utf8",
      env: { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" },
    });
    assert.equal(status, 0, `${stdout}\n${stderr}`);
  });
});
