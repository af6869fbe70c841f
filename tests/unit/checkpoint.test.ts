import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { GatewayError } from "../../src/errors.ts";
import { createFiles } from "../../src/platform/shared/files.ts";

const files = createFiles();
let root = "";
let count = 0;

const MINIMAL = { "config.json": "{}", "tokenizer.json": "{}", "model.safetensors": "x" };

async function directory(contents: Readonly<Record<string, string>>): Promise<string> {
  count += 1;
  const path = join(root, `model-${count}`);
  await mkdir(path);
  for (const [name, text] of Object.entries(contents)) await writeFile(join(path, name), text);
  return path;
}

before(async () => {
  root = await mkdtemp(join(tmpdir(), "tidegate-checkpoint-"));
});
after(() => rm(root, { recursive: true, force: true }));

async function refused(contents: Readonly<Record<string, string>>, code: string, message: RegExp): Promise<void> {
  const path = await directory(contents);
  await assert.rejects(openCheckpoint(files, path), (error: unknown) => {
    assert.ok(error instanceof GatewayError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

describe("opening a model directory", () => {
  test("the shipped model", async () => {
    const path = new URL("../../models/tide-nano/base", import.meta.url).pathname;
    const checkpoint = await openCheckpoint(files, decodeURIComponent(path));
    assert.equal(checkpoint.config.model_type, "llama");
    assert.match(String(checkpoint.chatTemplate), /im_start/);
    assert.equal(checkpoint.weightFiles.length, 1);
    assert.match(checkpoint.weightFiles[0] ?? "", /model\.safetensors$/);
  });
  test("needs three files; what is optional is empty", async () => {
    const checkpoint = await openCheckpoint(files, await directory(MINIMAL));
    assert.deepEqual(checkpoint.generationConfig, {});
    assert.deepEqual(checkpoint.tokenizerConfig, {});
    assert.equal(checkpoint.chatTemplate, null);
  });
  test("chat_template.jinja wins over tokenizer_config.json", async () => {
    const config = JSON.stringify({ chat_template: "old" });
    const both = { ...MINIMAL, "tokenizer_config.json": config, "chat_template.jinja": "new" };
    assert.equal((await openCheckpoint(files, await directory(both))).chatTemplate, "new");
    const one = { ...MINIMAL, "tokenizer_config.json": config };
    assert.equal((await openCheckpoint(files, await directory(one))).chatTemplate, "old");
    const list = [
      { name: "tool_use", template: "tools" },
      { name: "default", template: "plain" },
    ];
    const named = { ...MINIMAL, "tokenizer_config.json": JSON.stringify({ chat_template: list }) };
    assert.deepEqual((await openCheckpoint(files, await directory(named))).chatTemplate, {
      tool_use: "tools",
      default: "plain",
    });
  });
  test("lists the shards that the index names", async () => {
    const index = { weight_map: { a: "b.safetensors", c: "a.safetensors", d: "b.safetensors" } };
    const checkpoint = await openCheckpoint(
      files,
      await directory({
        "config.json": "{}",
        "tokenizer.json": "{}",
        "model.safetensors.index.json": JSON.stringify(index),
        "a.safetensors": "",
        "b.safetensors": "",
        "c.safetensors": "",
      }),
    );
    assert.deepEqual(
      checkpoint.weightFiles.map((path) => path.slice(-13)),
      ["a.safetensors", "b.safetensors"],
    );
  });
});

describe("a directory that cannot be served is refused with the path", () => {
  test("is not there, or is a file", async () => {
    await assert.rejects(openCheckpoint(files, join(root, "nothing")), /nothing does not exist/);
    await writeFile(join(root, "file"), "");
    await assert.rejects(openCheckpoint(files, join(root, "file")), /is not a directory/);
  });
  test("lacks a file", async () => {
    await refused({}, "source_unreadable", /no config\.json/);
    await refused({ "config.json": "{}" }, "unsupported", /no tokenizer\.json/);
    await refused({ "config.json": "{}", "tokenizer.json": "{}" }, "source_unreadable", /no \.safetensors/);
  });
  test("holds broken JSON", async () => {
    await refused({ ...MINIMAL, "config.json": "{" }, "source_unreadable", /config\.json is not JSON/);
    await refused({ ...MINIMAL, "config.json": "[1]" }, "source_unreadable", /must hold a JSON object/);
    await refused({ ...MINIMAL, "generation_config.json": "nope" }, "source_unreadable", /generation_config\.json/);
  });
  test("has an index that points elsewhere or at nothing", async () => {
    const index = (name: unknown): Record<string, string> => ({
      ...MINIMAL,
      "model.safetensors.index.json": JSON.stringify({ weight_map: { a: name } }),
    });
    await refused(index("../secret.safetensors"), "source_unreadable", /beside it/);
    await refused(index(5), "source_unreadable", /beside it/);
    await refused(index("gone.safetensors"), "source_unreadable", /gone\.safetensors is named by the index/);
    await refused({ ...MINIMAL, "model.safetensors.index.json": "{}" }, "source_unreadable", /weight_map/);
  });
});
