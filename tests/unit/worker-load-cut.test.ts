/** Weights that become shorter while they are read: the load ends with the file's name, not with half a model. */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createFiles } from "../../src/platform/shared/files.ts";
import { loadModel } from "../../src/worker/load-model.ts";

const BASE = decodeURIComponent(new URL("../../models/tide-nano/base", import.meta.url).pathname);

describe("weights cut while they are loaded", () => {
  let directory = "";
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "cut-"));
    cpSync(BASE, directory, { recursive: true });
  });
  after(() => rmSync(directory, { recursive: true }));

  test("end the load with the file's name", async () => {
    const path = join(directory, "model.safetensors");
    const size = readFileSync(path).length;
    let progress = 0;
    const load = loadModel({
      files: createFiles(),
      directory,
      sets: [],
      device: "cpu",
      maxModelLen: 64,
      onProgress() {
        progress += 1;
        if (progress === 1) truncateSync(path, Math.floor(size / 2));
      },
    });
    await assert.rejects(load, (error) => error instanceof Error && /model\.safetensors.*shorter/.test(error.message));
    assert.ok(progress >= 1);
  });
});
