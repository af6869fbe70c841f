/**
 * The whole suite: lint, types, the OpenAPI document, then the tests on Bun, and the runtime tests on Bun, Deno and
 * Node. Output streams through; the counts come from each runner's own report; the last line is the sum.
 * With arguments it runs only those test files, on Bun.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { countJunit, toClosingLine } from "./junit.mjs";
import { findRuntime, ROOT } from "./runtimes.mjs";

const root = fileURLToPath(ROOT);
const at = (path) => join(root, path);

/** Folders of `tests` that are not run on Bun by name: run elsewhere, run on demand, or no tests at all. */
const APART = new Set(["runtime", "interop", "fakes", "fixtures", "types"]);

/** The rights of the suite on Deno: it starts servers and workers, and the tests reach only this machine. */
const DENO_TEST_RIGHTS = [
  "--no-prompt",
  "--allow-net=127.0.0.1,localhost,[::1],0.0.0.0",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-sys",
  "--allow-run",
  "--allow-ffi",
];

/** Resolves when the command has ended: with whether it succeeded, and its exit code or signal in words. */
function runToEnd([command, ...args]) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
    const hand = (signal) => child.kill(signal);
    process.on("SIGTERM", hand);
    process.on("SIGINT", hand);
    const end = (ok, ending) => {
      process.off("SIGTERM", hand);
      process.off("SIGINT", hand);
      resolve({ ok, ending });
    };
    child.on("error", (error) => end(false, `could not start: ${error.message}`));
    child.on("exit", (code, signal) => end(code === 0, signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
}

/** Every `*.test.ts` below a folder. */
function testFiles(folder) {
  if (!existsSync(at(folder))) return [];
  return readdirSync(at(folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".test.ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Checks count as one test each. */
function checks(bun) {
  const run = (path) => [bun, "run", at(path)];
  const list = [
    { name: "lint", command: run("node_modules/@biomejs/biome/bin/biome").concat("check", ".") },
    { name: "types", command: run("node_modules/typescript/bin/tsc").concat("-p", at("."), "--noEmit") },
  ];
  if (existsSync(at("openapi/generate.ts"))) {
    list.push({ name: "OpenAPI document is current", command: run("openapi/generate.ts").concat("--check") });
  }
  if (existsSync(at("openapi/openapi.json"))) {
    const redocly = run("node_modules/@redocly/cli/bin/cli.js");
    list.push({ name: "OpenAPI lint", command: redocly.concat("lint", at("openapi/openapi.json")) });
  }
  if (existsSync(at("tests/types/tsconfig.json"))) {
    const command = run("node_modules/typescript/bin/tsc").concat("-p", at("tests/types"), "--noEmit");
    list.push({ name: "types of the public interface", command });
  }
  return list;
}

const onBun = (bun, files, report) => [
  bun,
  "test",
  "--timeout=120000",
  "--reporter=junit",
  `--reporter-outfile=${report}`,
  ...files,
];
const onDeno = (deno, files, report) => [
  ...[deno, "test", "--no-check", ...DENO_TEST_RIGHTS, `--junit-path=${report}`],
  ...files,
];
const onNode = (node, files, report) => [
  ...[node, "--test", "--test-reporter=spec", "--test-reporter-destination=stdout"],
  ...["--test-reporter=junit", `--test-reporter-destination=${report}`, ...files],
];

/** The runs in order; each has a command that writes a JUnit report. */
function runs(bun, selected) {
  if (selected.length > 0) return [{ name: "selected tests", files: selected, command: onBun, binary: bun }];
  const folders = readdirSync(at("tests"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const apart = folders.map(({ name }) => name).filter((name) => !APART.has(name));
  const runtime = testFiles("tests/runtime");
  return [
    // A process for each folder: native code that ends one takes no other's results with it.
    ...apart.map((name) => ({ name: `tests/${name}`, files: testFiles(`tests/${name}`), command: onBun, binary: bun })),
    { name: "runtime tests on Bun", files: runtime, command: onBun, binary: bun },
    { name: "runtime tests on Deno", files: runtime, command: onDeno, binary: findRuntime("deno") },
    { name: "runtime tests on Node", files: runtime, command: onNode, binary: findRuntime("node") },
  ].filter((run) => run.files.length > 0);
}

async function runReported({ name, files, command, binary }, report) {
  if (binary === undefined) {
    console.log(`no binary for ${name} on this machine`);
    return { passed: 0, failed: 0, skipped: files.length };
  }
  const { ok, ending } = await runToEnd(command(binary, files, report));
  const counts = existsSync(report) ? countJunit(readFileSync(report, "utf8")) : { passed: 0, failed: 0, skipped: 0 };
  // A runner that fails without a failed test crashed, or could not load a file.
  if (!ok && counts.failed === 0) {
    console.log(`${name}: ended with ${ending}${existsSync(report) ? "" : " and left no report"}`);
    counts.failed = 1;
  }
  if (ok && counts.passed + counts.skipped === 0) {
    console.log(`${name}: the report holds no test`);
    counts.failed = 1;
  }
  return counts;
}

/** Runs everything; resolves with the exit code. */
export async function runTests(selected) {
  const bun = findRuntime("bun");
  if (bun === undefined) {
    console.error("no Bun for this machine; the suite needs it");
    console.log(toClosingLine({ passed: 0, failed: 1, skipped: 0 }));
    return 1;
  }
  const total = { passed: 0, failed: 0, skipped: 0 };
  const failures = [];
  const add = (name, { passed, failed, skipped }) => {
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
    if (failed > 0) failures.push(`${name}: ${failed} failed`);
    console.log(`${failed > 0 ? "✗" : "✓"} ${name}: ${toClosingLine({ passed, failed, skipped })}`);
  };
  for (const { name, command } of selected.length > 0 ? [] : checks(bun)) {
    console.log(`\n── ${name}`);
    const { ok } = await runToEnd(command);
    add(name, { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 });
  }
  const reports = mkdtempSync(join(tmpdir(), "tidegate-test-"));
  try {
    for (const [index, run] of runs(bun, selected).entries()) {
      console.log(`\n── ${run.name}`);
      add(run.name, await runReported(run, join(reports, `${index}.xml`)));
    }
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
  console.log(`\n${failures.map((line) => `${line}\n`).join("")}${toClosingLine(total)}`);
  return total.failed > 0 ? 1 : 0;
}
