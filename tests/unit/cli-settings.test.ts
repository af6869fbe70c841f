/** Flags over environment over file; complaints name the spelling that was used; secrets stay hidden. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { UsageError } from "../../src/cli/io.ts";
import { loadPlatform } from "../../src/cli/runtime.ts";
import { readSettings, SETTING_OPTIONS, showSettings } from "../../src/cli/settings.ts";
import { CONFIG_FIELDS, toFlag } from "../../src/config.ts";
import { readEnvironment } from "../../src/platform/environment.ts";

const files = (await loadPlatform()).createPorts().files!;
let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tidegate-settings-"));
});
after(() => rm(folder, { recursive: true }));

const fileOf = async (name: string, text: string): Promise<string> => {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
};

describe("precedence", () => {
  test("flags win over environment, environment over file, file over defaults", async () => {
    const config = await fileOf("a.yaml", "port: 1\nreplicas: 2\nmax-model-len: 100\nlogLevel: debug\n");
    const env = { TIDEGATE_PORT: "3", TIDEGATE_REPLICAS: "4" };
    const settings = await readSettings({ port: "5", config }, env, files);
    const { port, replicas, maxModelLen, logLevel, host } = settings.config;
    assert.deepEqual([port, replicas, maxModelLen, logLevel, host], [5, 4, 100, "debug", "127.0.0.1"]);
    const { origins } = settings;
    assert.deepEqual(
      [origins.port, origins.replicas, origins.logLevel, origins.host],
      ["flag", "environment", "file", "default"],
    );
  });
  test("JSON works, and TIDEGATE_CONFIG names the file", async () => {
    const path = await fileOf("a.json", '{"upstream":["http://a:1"],"allowUnauthenticated":true}');
    const { config } = await readSettings({}, { TIDEGATE_CONFIG: path }, files);
    assert.deepEqual([config.upstream, config.allowUnauthenticated], [["http://a:1"], true]);
  });
  test("an empty file and empty names set nothing", async () => {
    const path = await fileOf("empty.yaml", "");
    assert.equal((await readSettings({ config: path }, { TIDEGATE_PORT: " " }, files)).config.port, 8000);
  });
});

describe("environment", () => {
  test("lists", () => {
    assert.deepEqual(readEnvironment({ TIDEGATE_UPSTREAM: "http://a:1, http://b:2" }), {
      upstream: ["http://a:1", "http://b:2"],
    });
    assert.deepEqual(readEnvironment({ TIDEGATE_API_KEY: "a=secret,key1 b=secret-key2" }), {
      apiKey: ["a=secret,key1", "b=secret-key2"],
    });
  });
  test("what Kubernetes sets for a service of our name is no setting", () => {
    assert.deepEqual(readEnvironment({ TIDEGATE_PORT: "tcp://10.0.0.1:8000", TIDEGATE_SERVICE_HOST: "10.0.0.1" }), {});
  });
});

describe("complaints", () => {
  const cases: [Record<string, unknown>, Record<string, string>, RegExp][] = [
    [{ port: "x" }, {}, /^--port must be a whole number from 0 to 65535, got "x"\.$/],
    [{}, { TIDEGATE_DEVICE: "gpu" }, /^TIDEGATE_DEVICE must be one of auto, cpu, webgpu, cuda, got "gpu"\.$/],
    [{ "request-timeout": "0" }, {}, /^--request-timeout must be a number above 0 and at most 86400, got "0"\.$/],
    [{ upstream: ["foo"] }, {}, /^--upstream must be http or https URLs, or dns:\/\/NAME:PORT, got \["foo"\]\.$/],
    [{ host: "0.0.0.0" }, {}, /API key/],
  ];
  for (const [flags, env, expected] of cases) {
    test(`${JSON.stringify({ ...flags, ...env })}`, async () => {
      await assert.rejects(readSettings(flags, env, files), (error: Error) => expected.test(error.message));
    });
  }
  test("a key of the file that is no setting, a file that is none, a missing one", async () => {
    const typo = await fileOf("typo.yaml", "prt: 1\n");
    await assert.rejects(readSettings({ config: typo }, {}, files), /typo\.yaml: there is no setting "prt"/);
    const list = await fileOf("list.yaml", "- 1\n");
    await assert.rejects(readSettings({ config: list }, {}, files), UsageError);
    const broken = await fileOf("broken.json", "{");
    await assert.rejects(readSettings({ config: broken }, {}, files), UsageError);
    await assert.rejects(readSettings({ config: join(folder, "none.yaml") }, {}, files), /no such file/);
  });
});

describe("--check", () => {
  test("shows every setting with its origin, and no secret", async () => {
    const flags = {
      "api-key": ["trainer=tops3cret:weights"],
      "upstream-api-key": "hush-hush",
      upstream: ["http://user:pass@a:1"],
      store: "redis:redis://user:pass@b",
    };
    const text = showSettings(await readSettings(flags, {}, files));
    for (const secret of ["tops3cret", "hush-hush", "pass"]) assert.ok(!text.includes(secret), secret);
    assert.match(text, /^apiKey: \[\{"name":"trainer","key":"\(hidden\)","scopes":\["weights"\]\}\] # flag$/m);
    for (const field of CONFIG_FIELDS) assert.match(text, new RegExp(`^${field}: .* # `, "m"));
  });
  test("every field is an option with a help text", () => {
    for (const field of CONFIG_FIELDS) assert.ok(SETTING_OPTIONS[toFlag(field).slice(2)]!.help.length > 10, field);
  });
});
