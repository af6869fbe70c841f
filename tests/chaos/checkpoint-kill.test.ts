/** `kill -9` at random points of a chat-format write: afterwards the whole new directory is there, or none. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { writeTinyCheckpoint } from "../support/tiny-checkpoint.ts";

const KILLS = 20;
const program = fileURLToPath(new URL("../support/write-checkpoint.ts", import.meta.url));
const RUN = "Bun" in globalThis ? ["run"] : "Deno" in globalThis ? ["run", "--no-prompt", "-A"] : [];

let root = "";
let source = "";

/** Big enough that writing takes many times the grain of a timer: 12 MiB in three files. */
before(async () => {
  root = await mkdtemp(join(tmpdir(), "tidegate-kill-"));
  source = join(root, "source");
  const shape = [4096, 256] as const;
  await writeTinyCheckpoint(source, {
    config: { model_type: "llama", tie_word_embeddings: false, vocab_size: 4096 },
    tokenizer: {
      added_tokens: [],
      model: { type: "BPE", vocab: Object.fromEntries(Array.from({ length: 4096 }, (_, id) => [`t${id}`, id])) },
    },
    weights: {
      "model-00001-of-00003.safetensors": { "model.embed_tokens.weight": { shape } },
      "model-00002-of-00003.safetensors": { "model.layers.0.mlp.up_proj.weight": { shape } },
      "model-00003-of-00003.safetensors": { "lm_head.weight": { shape } },
    },
  });
});
after(() => rm(root, { recursive: true, force: true }));

async function fingerprint(directory: string): Promise<string> {
  const hash = createHash("sha256");
  for (const name of (await readdir(directory)).sort()) hash.update(name).update(await readFile(join(directory, name)));
  return hash.digest("hex");
}

/** Starts the writer; `writing` resolves when it begins to write. */
function start(out: string) {
  const child = spawn(process.execPath, [...RUN, program, source, out], { stdio: ["ignore", "pipe", "inherit"] });
  return {
    child,
    writing: once(child.stdout, "data"),
    exited: once(child, "exit") as Promise<[number | null, string | null]>,
  };
}

describe("a writer that is killed", () => {
  test(`${KILLS} times at random`, { timeout: 240_000 }, async () => {
    const untouched = await fingerprint(source);
    const whole = start(join(root, "whole"));
    await whole.writing;
    const begun = performance.now();
    assert.deepEqual(await whole.exited, [0, null]);
    const milliseconds = performance.now() - begun;
    const expected = await fingerprint(join(root, "whole"));

    let killed = 0;
    let partial = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const folder = await mkdtemp(join(root, "kill-"));
      const { child, writing, exited } = start(join(folder, "out"));
      await writing;
      // One in each twentieth of the time that a whole write took.
      await sleep(((kill + Math.random()) / KILLS) * milliseconds);
      child.kill("SIGKILL");
      const [, signal] = await exited;
      if (signal !== null) killed += 1;
      const names = await readdir(folder);
      partial += names.filter((name) => name !== "out").length;
      for (const name of names) assert.match(name, /^out$|^\.out\.partial-/);
      if (names.includes("out")) assert.equal(await fingerprint(join(folder, "out")), expected);
      assert.equal(await fingerprint(source), untouched);
    }
    // Otherwise the kills came too late to prove anything.
    assert.ok(killed >= KILLS / 2, `only ${killed} were killed`);
    assert.ok(partial >= KILLS / 4, `only ${partial} were killed while they wrote`);
  });
});
