import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { ChatFormatResult } from "../../src/contract/control/chat-formats.ts";
import { createChatFormats } from "../../src/gateway/chat-formats.ts";
import { createLogger } from "../../src/observe/log.ts";
import { createFiles } from "../../src/platform/shared/files.ts";
import type { Ports } from "../../src/ports.ts";
import { createFakeGateway } from "../support/fake-gateway.ts";
import { createHttpApp } from "../support/http-app.ts";
import { json, type ProblemBody } from "../support/syncs.ts";
import { writeTinyCheckpoint } from "../support/tiny-checkpoint.ts";

const { gateway } = createFakeGateway();
const ports: Ports = {
  ...gateway.ports,
  random: { uuid: () => crypto.randomUUID(), float: () => 0 },
  files: createFiles(),
};
const log = createLogger({ format: "json", level: "error", clock: ports.clock, writeLine: () => {} });
const { files: _, ...edge } = ports;
const createApp = (of: Ports) => createHttpApp({ over: { chatFormats: createChatFormats(of, log) } });
const app = createApp(ports);

let root = "";
let source = "";

before(async () => {
  root = await mkdtemp(join(tmpdir(), "tidegate-route-"));
  source = join(root, "source");
  await writeTinyCheckpoint(source);
});
after(() => rm(root, { recursive: true, force: true }));

describe("POST /api/chat-formats", () => {
  test("writes the directory and tells what is in it", async () => {
    const output = join(root, "out");
    const response = await app.send("POST", "/api/chat-formats", { model: source, output, resize_to_multiple_of: 16 });
    assert.equal(response.status, 200);
    const result = await json<ChatFormatResult>(response);
    assert.equal(result.output, output);
    assert.deepEqual(result.special_tokens, {
      bos_token: "<|im_start|>",
      eos_token: "<|im_end|>",
      pad_token: "<|im_end|>",
    });
    assert.deepEqual(result.token_ids, { bos_token_id: 10, eos_token_id: 11, pad_token_id: 11 });
    assert.equal(result.tokens, 12);
    assert.deepEqual(result.embedding_rows, { before: 10, after: 16 });
    assert.deepEqual(result.files, (await readdir(output)).sort());
    const written = JSON.parse(await readFile(join(output, "tokenizer_config.json"), "utf8"));
    assert.equal(written.chat_template, result.chat_template);
  });

  for (const [what, body, status, code, param] of [
    ["no model", { output: "x" }, 400, "missing_field", "model"],
    ["no output", { model: "x" }, 400, "missing_field", "output"],
    ["an unknown format", { model: "x", output: "y", format: "alpaca" }, 400, "invalid_value", "format"],
    [
      "a multiple of 0",
      { model: "x", output: "y", resize_to_multiple_of: 0 },
      400,
      "invalid_value",
      "resize_to_multiple_of",
    ],
    ["a zero byte", { model: "x\0", output: "y" }, 400, "invalid_value", "model"],
    ["an unknown field", { model: "x", output: "y", out: "z" }, 400, "unknown_field", "out"],
    [
      "a directory that is not there",
      { model: "/nowhere/at/all", output: "/nowhere/else" },
      400,
      "source_unreadable",
      undefined,
    ],
  ] as const) {
    test(`refuses ${what}`, async () => {
      const response = await app.send("POST", "/api/chat-formats", body);
      assert.equal(response.status, status);
      const problem = await json<ProblemBody>(response);
      assert.equal(problem.code, code);
      assert.equal(problem.param, param);
    });
  }

  test("an output that is there is a conflict", async () => {
    const response = await app.send("POST", "/api/chat-formats", { model: source, output: root });
    assert.equal(response.status, 409);
    assert.equal((await json<ProblemBody>(response)).param, "output");
  });

  test("a runtime without files refuses", async () => {
    const response = await createApp(edge).send("POST", "/api/chat-formats", {
      model: source,
      output: join(root, "b"),
    });
    assert.equal((await json<ProblemBody>(response)).code, "unsupported");
  });
});
