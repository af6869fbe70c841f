/** Every command of the README, run as written; a command block that no case here knows fails the test. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import type { Fleet } from "../../src/contract/control/fleet.ts";
import { type FakeVllm, startFakeVllm } from "../fakes/vllm-server.ts";
import { cli, json, repository, runArguments, type Served, serve } from "./serve.ts";

const readme = await readFile(`${repository}README.md`, "utf8");
const blocks = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map((match) => match[1] ?? "");

/** Runs one command line in the repository, with `tidegate` and the port of this test in place of the README's. */
function shell(command: string, url: string): Promise<string> {
  const tidegate = [process.execPath, ...runArguments("src/cli/main.ts")].map((part) => `'${part}'`).join(" ");
  const line = command.replaceAll("http://127.0.0.1:8000", url).replaceAll("npm run --silent tidegate --", tidegate);
  const child = spawn("sh", ["-ec", line], { cwd: repository, env: { ...process.env, TIDEGATE_URL: url } });
  let output = "";
  child.stdout.on("data", (bytes: Buffer) => {
    output += bytes.toString();
  });
  child.stderr.on("data", (bytes: Buffer) => {
    output += bytes.toString();
  });
  return new Promise((resolve, reject) =>
    child.on("close", (code) =>
      code === 0 ? resolve(output) : reject(new Error(`${line}\nended with ${code}:\n${output}`)),
    ),
  );
}

/** What `npm run example:grpo` runs, on the runtime of this test. */
const example = [process.execPath, ...runArguments("examples/grpo-arithmetic/run.mjs")]
  .map((part) => `'${part}'`)
  .join(" ");

describe("README", () => {
  const commands = blocks("sh");
  const find = (text: string): string => {
    const found = commands.filter((command) => command.includes(text));
    assert.ok(found.length > 0, `no command block has ${text}`);
    return found[0] as string;
  };
  const [start, first, sync, http, grpo, upstreams, servers, container] = [
    find("npm start    #"),
    find("curl -i"),
    find("tidegate -- sync"),
    find("/api/weight-syncs"),
    find("example:grpo"),
    find("--upstream"),
    find("tidegate -- servers"),
    find("docker build"),
  ];
  let served: Served;
  before(async () => {
    served = await serve();
  });
  after(() => served?.stop());

  test("every command block is known here", () => {
    assert.deepEqual(new Set(commands), new Set([start, first, sync, http, grpo, upstreams, servers, container]));
  });

  test("the first question is answered by version 0", async () => {
    const output = await shell(first, served.url);
    assert.match(output, /^HTTP\/1\.1 200/m);
    assert.match(output, /x-weight-version: 0/i);
    assert.doesNotMatch(output, /= 82\./);
  });

  test("the sync makes the wrong answer right", async () => {
    const output = await shell(sync, served.url);
    assert.match(output, /x-weight-version: 1/i);
    assert.match(output, /= 82\./);
  });

  test("the same over HTTP, from disk and as an upload", async () => {
    await shell(http, served.url);
    const { body } = await json<Fleet>(`${served.url}/api/fleet`);
    assert.equal(body.weight_version, 3);
  });

  test("the example learns by one command (one small step of it)", async () => {
    const out = await mkdtemp(join(tmpdir(), "tidegate-grpo-"));
    try {
      const small = `--steps 1 --prompts 4 --samples 4 --out '${out}'`;
      const output = await shell(grpo.trim().replace("npm run example:grpo", `${example} ${small}`), served.url);
      assert.match(output, /step 1: rollouts of version 0/);
      assert.match(output, /held-out sums: \d+ of 250 right .* with weight version 1/);
      assert.match(await readFile(join(out, "typescript.svg"), "utf8"), /^<svg /);
    } finally {
      await rm(out, { recursive: true });
    }
  });

  test("servers shows the replica", async () => {
    assert.match(await shell(servers, served.url), /embedded-0.*ready/);
  });

  test("the library example is the one in examples/, and runs", async () => {
    const [snippet = ""] = blocks("ts");
    const example = await readFile(`${repository}examples/library.ts`, "utf8");
    assert.equal(snippet.replace('from "tidegate"', 'from "../src/index.ts"'), example);
    const run = [process.execPath, ...runArguments("examples/library.ts")].map((part) => `'${part}'`).join(" ");
    assert.match(await shell(run, served.url), /42/);
  });

  test("the trainer's side is the program in examples/, which tests/runtime runs", async () => {
    const [, program = "", ...others] = blocks("ts");
    assert.deepEqual(others, []);
    const file = await readFile(`${repository}examples/trainer.ts`, "utf8");
    assert.equal(program.replace('from "tidegate"', 'from "../src/index.ts"'), file);
  });

  test("two servers behind one URL", async () => {
    const fakes: FakeVllm[] = [await startFakeVllm({ name: "a" }), await startFakeVllm({ name: "b" })];
    const args = upstreams.trim().replace("npm start -- ", "").split(" ");
    const front = await serve(
      args.map((word) =>
        word
          .replace("http://127.0.0.1:8001", fakes[0]?.url ?? "")
          .replace("http://127.0.0.1:8002", fakes[1]?.url ?? ""),
      ),
    );
    try {
      const { body } = await json<Fleet>(`${front.url}/api/fleet`);
      assert.deepEqual(
        body.servers.map((server) => server.kind),
        ["vllm", "vllm"],
      );
    } finally {
      await front.stop();
      for (const fake of fakes) await fake.stop();
    }
  });

  test("the container's settings are accepted", async () => {
    const { code, output } = await cli(["serve", "--check", "--host", "0.0.0.0"], {
      TIDEGATE_API_KEY: "trainer=change-me-please",
    });
    assert.equal(code, 0, output);
    assert.doesNotMatch(output, /change-me/);
  });
});
