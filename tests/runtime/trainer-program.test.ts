/** examples/trainer.ts – the trainer's side line by line beside its Python – on the runtime that runs this file. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { rm } from "node:fs/promises";
import process from "node:process";
import { after, before, test } from "node:test";
import { repository, runArguments, type Served, serve } from "../system/serve.ts";

let served: Served;
before(async () => {
  served = await serve(["--model", "models/tide-nano/base"]);
});
after(() => served?.stop());

test("the whole program: sync, chat format, offload, gathered generation", { timeout: 120_000 }, async () => {
  const child = spawn(process.execPath, runArguments("examples/trainer.ts"), {
    cwd: repository,
    env: { ...process.env, TIDEGATE_URL: served.url, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const take = (bytes: Buffer): void => {
    output += bytes.toString();
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  const code = await new Promise((resolve) => child.on("close", resolve));
  const directory = /^chat format: (.+)$/m.exec(output)?.[1];
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  assert.equal(code, 0, output);
  const line = (start: string): string => output.slice(output.indexOf(start)).split(/\n(?=\w)/)[0] ?? "";
  assert.doesNotMatch(line("before:"), /= 42\.[\s\S]*= 82\./);
  assert.match(line("version 1 over http, world size 2:"), /= 42\.[\s\S]*= 82\./);
  assert.match(line("offloaded:"), /cpu: [1-9]/);
  assert.match(line("gathered:"), /= 42\.[\s\S]*= 82\./);
});
