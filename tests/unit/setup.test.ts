/** What a fresh clone relies on: the lock, the tasks, the counting of tests. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { countJunit, toClosingLine } from "../../scripts/junit.mjs";

const root = new URL("../../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");
const json = <T>(path: string): T => JSON.parse(read(path)) as T;

interface Lock {
  readonly packages: Record<
    string,
    { version?: string; resolved?: string; optionalDependencies?: Record<string, string> }
  >;
}
interface Package {
  readonly scripts: Record<string, string>;
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
  readonly optionalDependencies: Record<string, string>;
}

describe("the lock", () => {
  const { packages } = json<Lock>("package-lock.json");
  const { dependencies, devDependencies, optionalDependencies } = json<Package>("package.json");
  test("names no registry host", () => {
    assert.ok(Object.values(packages).every(({ resolved }) => resolved === undefined));
    for (const other of ["bun.lock", "deno.lock", "yarn.lock"]) {
      assert.ok(!existsSync(new URL(other, root)), `${other}: package-lock.json is the one lock`);
    }
  });
  test("has every direct dependency at the exact version of package.json", () => {
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })) {
      assert.match(version, /^\d+\.\d+\.\d+/, name);
      assert.equal(packages[`node_modules/${name}`]?.version, version, name);
    }
  });
  test("has the binaries for every platform, or npm ci refuses it elsewhere", () => {
    for (const [path, { optionalDependencies: parts = {} }] of Object.entries(packages)) {
      for (const name of Object.keys(parts)) {
        assert.ok(
          packages[`node_modules/${name}`] ?? packages[`${path}/node_modules/${name}`],
          `${path} needs ${name}`,
        );
      }
    }
  });
  test("every direct dependency has its line in docs/dependencies.md", () => {
    const text = read("docs/dependencies.md");
    for (const name of Object.keys({ ...dependencies, ...devDependencies })) {
      assert.ok(text.includes(`\`${name}\``), `${name} is missing in docs/dependencies.md`);
    }
  });
});

describe("tasks", () => {
  test("Deno's have exact rights", () => {
    const { tasks } = json<{ tasks: Record<string, string> }>("deno.json");
    for (const [name, command] of Object.entries(tasks)) assert.doesNotMatch(command, /\s(-A|--allow-all)\b/, name);
  });
  test("npm hands signals straight to the script", () => {
    const { scripts } = json<Package>("package.json");
    for (const name of ["start", "test"]) assert.match(scripts[name] ?? "", /^exec node scripts\/run\.mjs /);
  });
  test("CI runs what a stranger runs", () => assert.match(read(".ci/run"), /npm test\s*$/));
});

describe("counting", () => {
  const wrap = (name: string, cases: string): string =>
    `<testsuites name="${name}"><testsuite>${cases}</testsuite></testsuites>`;
  test("passed, failed and skipped, quoted XML and all", () => {
    const cases =
      '<testcase name="a &gt; b" time="1"/><testcase name="c > d"></testcase>' +
      '<testcase name="e"><failure message="&lt;testcase&gt;">x</failure></testcase>' +
      '<testcase name="f"><skipped/></testcase><testcase name="g"><system-out><![CDATA[<failure>]]></system-out></testcase>';
    assert.deepEqual(countJunit(wrap("bun test", cases)), { passed: 3, failed: 1, skipped: 1 });
  });
  test("a describe of Deno is no test", () => {
    const cases =
      '<testcase name="a"/><testcase name="a &gt; b"/><testcase name="a &gt; b &gt; c"><failure/></testcase>';
    assert.deepEqual(countJunit(wrap("deno test", cases)), { passed: 0, failed: 1, skipped: 0 });
  });
  test("the closing line", () => {
    assert.equal(toClosingLine({ passed: 2, failed: 0, skipped: 0 }), "2 passed, 0 failed");
    assert.equal(toClosingLine({ passed: 2, failed: 1, skipped: 3 }), "2 passed, 1 failed, 3 skipped");
  });
});
