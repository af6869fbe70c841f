/** Each rule finds the breach it is for, and leaves alone what is right. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkCircles } from "./circles.ts";
import { checkDocstrings, examplesOf, toRunnable } from "./docstrings.ts";
import { checkDefaultExports, checkFileSize, checkNames } from "./file-form.ts";
import { checkGlobals } from "./globals.ts";
import { checkImportRanks } from "./import-ranks.ts";
import { show } from "./source.ts";

const files = (entries: Record<string, string>): Map<string, string> => new Map(Object.entries(entries));

describe("import ranks", () => {
  const breaks: Record<string, Record<string, string>> = {
    "contract imports errors": { "src/contract/a.ts": 'import { x } from "../errors.ts";' },
    "fleet knows a concrete engine": { "src/fleet/a.ts": 'import type { X } from "../engine/vllm/engine.ts";' },
    "engine reaches into the worker": { "src/engine/embedded/a.ts": 'import { x } from "../../worker/native/ort.ts";' },
    "sync speaks HTTP": { "src/sync/a.ts": 'export * from "../http/sse.ts";' },
    "gateway imports hono": { "src/gateway.ts": 'import { Hono } from "hono";' },
    "a route imports the fleet": { "routes/vllm/a.ts": 'import { x } from "../../src/fleet/fleet.ts";' },
    "a route imports another": {
      "routes/vllm/a.ts": 'import { b } from "./b.ts";',
      "routes/vllm/b.ts": "export const b = defineRoute({});",
    },
    "a route loads another room later": { "routes/vllm/a.ts": 'await import("../../src/gateway.ts");' },
    "a type is imported inline": { "src/fleet/a.ts": 'let x: import("../sync/state.ts").X;' },
    "one runtime imports another": { "src/platform/bun.ts": 'import { x } from "./deno.ts";' },
    "the command line imports the fleet": { "src/cli/a.ts": 'import { x } from "../fleet/fleet.ts";' },
    "node modules in sync": { "src/sync/a.ts": 'import { readFile } from "node:fs/promises";' },
    "a file in no room": { "src/stuff/a.ts": "" },
  };
  for (const [name, broken] of Object.entries(breaks)) {
    test(`finds: ${name}`, () => assert.equal(checkImportRanks(files(broken)).length, 1, name));
  }
  test("leaves alone what goes down", () => {
    const right = files({
      "src/gateway.ts": 'import { x } from "./sync/orchestrate.ts"; import { y } from "./engine/create.ts";',
      "src/engine/embedded/a.ts": 'import { x } from "../../worker/frame.ts";',
      "src/fleet/a.ts": 'import type { Engine } from "../engine/engine.ts";',
      "routes/mod.ts": 'import { a } from "./vllm/a.ts";',
      "routes/vllm/a.ts": 'import { z } from "@hono/zod-openapi"; import type { G } from "../../src/gateway-types.ts";',
      "src/cli/a.ts": 'import { parse } from "yaml"; import { x } from "../platform/run.ts";',
    });
    assert.equal(show(checkImportRanks(right)), "");
  });
});

describe("names of runtimes", () => {
  for (const code of ["Deno.exit();", "const x = process.env.A;", "f(Buffer);", "if (typeof Bun === 'object') f();"]) {
    test(`finds: ${code}`, () => assert.equal(checkGlobals(files({ "src/sync/a.ts": code })).length, 1));
  }
  test("leaves alone properties, texts, comments and own names", () => {
    const code =
      "x.process(); const a = { process: 1 }; /* Deno */ 'Bun'; function f(process: () => void) { process(); }";
    assert.equal(show(checkGlobals(files({ "src/sync/a.ts": code, "src/cli/a.ts": "process.exit();" }))), "");
  });
});

describe("form of files", () => {
  test("length", () => {
    assert.equal(checkFileSize(files({ "src/a.ts": "x\n".repeat(401) })).length, 1);
    assert.equal(checkFileSize(files({ "src/a.ts": "x\n".repeat(400) })).length, 0);
  });
  test("names", () => {
    assert.equal(checkNames(files({ "src/aB.ts": "", "src/snake_case.ts": "", "src/Room/a.ts": "" })).length, 3);
    assert.equal(checkNames(files({ "src/a-b/c-d.test.ts": "", "src/trl-0.16.ts": "" })).length, 0);
  });
  test("default exports", () => {
    const forms = ["export default 1;", "export default function f() {}", "const x = 1; export { x as default };"];
    for (const form of forms) assert.equal(checkDefaultExports(files({ "src/a.ts": form })).length, 1, form);
    assert.equal(
      checkDefaultExports(files({ "src/platform/workerd.ts": "export default {};", "src/a.ts": "export const a = 1;" }))
        .length,
      0,
    );
  });
});

describe("circles", () => {
  test("finds files that import each other, by a third and by types alone too", () => {
    const two = { "src/a.ts": 'import type { B } from "./b.ts";', "src/b.ts": 'export * from "./a.ts";' };
    assert.match(checkCircles(files(two))[0]?.message ?? "", /src\/a\.ts → src\/b\.ts → src\/a\.ts/);
    const three = {
      "src/a.ts": 'import "./b.ts";',
      "src/b.ts": 'import "./c.ts";',
      "src/c.ts": 'await import("./a.ts");',
    };
    assert.equal(checkCircles(files(three)).length, 1);
  });
  test("leaves alone what two files share", () => {
    const shared = { "src/a.ts": 'import "./b.ts"; import "./c.ts";', "src/b.ts": 'import "./c.ts";', "src/c.ts": "" };
    assert.deepEqual(checkCircles(files(shared)), []);
  });
});

describe("docstrings", () => {
  test("finds functions, classes and arrows without one", () => {
    const text = "export function f() {}\nexport class C {}\nexport const g = () => 1;\nfunction hidden() {}";
    assert.equal(checkDocstrings(files({ "src/errors.ts": text })).length, 3);
    assert.equal(checkDocstrings(files({ "src/sync/a.ts": text })).length, 0);
  });
  test("follows what the library hands out", () => {
    const index = 'export { f } from "./sync/a.ts";';
    assert.equal(
      checkDocstrings(files({ "src/index.ts": index, "src/sync/a.ts": "export function f() {}" })).length,
      1,
    );
  });
  test("is content with a docstring", () => {
    assert.equal(checkDocstrings(files({ "src/errors.ts": "/** Says. */\nexport function f() {}" })).length, 0);
  });
});

describe("examples", () => {
  const text = [
    "/**",
    " * Adds.",
    " *",
    " * @example",
    " * ```ts",
    ' * import { add } from "./add.ts";',
    " * if (add(1, 1) !== 2) {",
    ' *   throw new Error("wrong");',
    " * }",
    " * ```",
    " * @param a first",
    " */",
    "export function add(a: number, b: number) { return a + b; }",
  ].join("\n");
  test("are taken out whole, with their indentation", () => {
    const [example, ...rest] = examplesOf(files({ "src/lib/add.ts": text }));
    assert.equal(rest.length, 0);
    assert.equal(example?.code.split("\n")[2], '  throw new Error("wrong");');
  });
  test("find their neighbours from anywhere", () => {
    const [example] = examplesOf(files({ "src/lib/add.ts": text }));
    assert.match(toRunnable(example!, new URL("file:///repo/")), /from "file:\/\/\/repo\/src\/lib\/add\.ts"/);
  });
});
