import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { chatFormat } from "../../src/cli/chat-format.ts";
import { OperationError, UsageError } from "../../src/cli/io.ts";
import { loadPlatform } from "../../src/cli/runtime.ts";
import { openCheckpoint, setupChatFormat } from "../../src/index.ts";
import { writeTinyCheckpoint } from "../support/tiny-checkpoint.ts";

const ports = (await loadPlatform()).createPorts();
let root = "";
let source = "";

before(async () => {
  root = await mkdtemp(join(tmpdir(), "tidegate-cli-chat-"));
  source = join(root, "source");
  await writeTinyCheckpoint(source);
});
after(() => rm(root, { recursive: true, force: true }));

async function run(...args: string[]): Promise<string> {
  let out = "";
  const code = await chatFormat.run(args, {
    ports,
    env: {},
    out: (text) => {
      out += text;
    },
    err: () => {},
    terminal: false,
    lines: async function* () {},
    onInterrupt: () => () => {},
  });
  assert.equal(code, 0);
  return out;
}

describe("tidegate chat-format", () => {
  test("writes the directory and says what it did", async () => {
    const out = join(root, "plain");
    assert.match(await run(source, "--out", out, "--resize-to-multiple-of", "16"), /embedding rows {3}10 → 16/);
    assert.ok((await readdir(out)).includes("model.safetensors"));
  });

  test("--json prints what the route answers", async () => {
    const result = JSON.parse(await run(source, "--out", join(root, "json"), "--json"));
    assert.deepEqual(result.embedding_rows, { before: 10, after: 12 });
  });

  for (const [args, message] of [
    [[], /DIR is missing/],
    [["x"], /--out is missing/],
    [["x", "--out", "y", "--format", "alpaca"], /--format must be one of chatml, got "alpaca"/],
    [
      ["x", "--out", "y", "--resize-to-multiple-of", "0"],
      /--resize-to-multiple-of must be an integer from 1 to 65536, got "0"/,
    ],
    [["x", "--out", "y", "--resize-to-multiple-of", "64.0"], /must be an integer from 1 to 65536, got "64\.0"/],
    [["x", "--out", "y", "--seed", "now"], /--seed must be an integer/],
    [["x", "--outt", "y"], /did you mean --out/],
  ] as const) {
    test(`refuses ${args.join(" ")}`, async () => {
      await assert.rejects(
        run(...args),
        (error: unknown) => error instanceof UsageError && message.test(error.message),
      );
    });
  }

  test("what cannot be read or written is a failed operation", async () => {
    await assert.rejects(run(join(root, "nothing"), "--out", join(root, "n")), OperationError);
    await assert.rejects(run(source, "--out", root), OperationError);
  });
});

test("the library opens with the runtime's own files", async () => {
  const { model, tokenizer } = await openCheckpoint(source);
  const [changed, words] = setupChatFormat(model, tokenizer, { format: "chatml" });
  assert.equal(changed.resize?.rows, 12);
  assert.equal(words.vocabulary.idOf("<|im_end|>"), 11);
  assert.equal(model.resize, null);
});
