/** The configuration schema, and the page that is made from it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { renderConfigPage } from "../../scripts/config-docs.ts";
import { CONFIG_FIELDS, parseConfig, toEnvironmentName, toFlag } from "../../src/config.ts";
import { GatewayError } from "../../src/errors.ts";

const refuses = (values: Record<string, unknown>, expected: RegExp): void => {
  assert.throws(
    () => parseConfig(values),
    (error) => error instanceof GatewayError && error.code === "invalid_value" && expected.test(error.message),
  );
};

describe("configuration", () => {
  test("names have one spelling each", () => {
    assert.equal(toFlag("maxModelLen"), "--max-model-len");
    assert.equal(toEnvironmentName("maxModelLen"), "TIDEGATE_MAX_MODEL_LEN");
    assert.equal(new Set(CONFIG_FIELDS.map(toFlag)).size, CONFIG_FIELDS.length);
  });
  test("texts from the environment become numbers and switches", () => {
    const { port, requestTimeout, allowUnauthenticated } = parseConfig({
      port: "9000",
      requestTimeout: "1.5",
      allowUnauthenticated: "false",
    });
    assert.deepEqual([port, requestTimeout, allowUnauthenticated], [9000, 1.5, false]);
  });
  test("what is not understood is named", () => {
    refuses({ prot: 1 }, /prot/);
    refuses({ port: 65_536 }, /--port/);
    refuses({ upstream: ["ftp://a"] }, /--upstream/);
    refuses({ store: "mongo:x" }, /memory, sqlite:FILE or redis:\/\/HOST:PORT/);
  });
  test("API keys: three forms, unknown scopes refused, the key itself never shown", () => {
    const { apiKey } = parseConfig({ apiKey: ["12345678", "ci=12345678", "ci=12345678:weights+read"] });
    assert.deepEqual(
      apiKey.map(({ name, key, scopes }) => [name, key, scopes.length]),
      [
        ["key", "12345678", 5],
        ["ci", "12345678", 5],
        ["ci", "12345678", 2],
      ],
    );
    assert.throws(
      () => parseConfig({ apiKey: ["tops3cret:everything"] }),
      (error: Error) => /scopes/.test(error.message) && !error.message.includes("tops3cret"),
    );
  });
  test("a bind beyond loopback needs a key or a clear word", () => {
    for (const host of ["0.0.0.0", "::", "10.0.0.1", "example.org"]) refuses({ host }, /--api-key/);
    for (const host of ["127.0.0.1", "127.9.9.9", "localhost", "::1"]) assert.equal(parseConfig({ host }).host, host);
    assert.equal(parseConfig({ host: "0.0.0.0", apiKey: ["12345678"] }).host, "0.0.0.0");
    assert.equal(parseConfig({ host: "0.0.0.0", allowUnauthenticated: true }).host, "0.0.0.0");
  });
  test("docs/configuration.md is current", () => {
    const page = readFileSync(new URL("../../docs/configuration.md", import.meta.url), "utf8");
    assert.equal(page, renderConfigPage(page), 'run "npm run docs"');
  });
});
