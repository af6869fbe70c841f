/** What `doctor --model` says of a loss, over a measuring process that is played, and measured for real on the small model. */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { judgeLoss, type LossRow, type LossTable, measureLoss, showLoss } from "../../src/cli/doctor-loss.ts";
import { checkModel } from "../../src/cli/doctor-model.ts";
import { createFiles } from "../../src/platform/shared/files.ts";
import type { Child } from "../../src/ports.ts";
import { compareForms, type LossRow as Measured } from "../../src/worker/loss/compare.ts";
import { createLossMeter } from "../../src/worker/loss/measure.ts";
import { convertLlama, writeGguf } from "../support/write-gguf.ts";

const row = (over: Partial<LossRow>): LossRow => ({
  form: "int8",
  weightFormat: "int8 ×3",
  weightBytes: 2 ** 20,
  kl: 0.004,
  absolute: 0.06,
  agreement: 0.963,
  referencePerplexity: 14.5,
  perplexity: 14.6,
  ...over,
});
const RUINED = row({ form: "int4", kl: 0.29, agreement: 0.714 });
const table = (rows: readonly LossRow[], error: string | null = null): LossTable => ({
  rows,
  reference: { weightBytes: 2 ** 22, positions: 511 },
  device: null,
  error,
});

const toChild = (stdout: string, stderr: string, code: number): Child => {
  const stream = async function* (text: string) {
    // In pieces, so that lines are cut.
    for (let at = 0; at < text.length; at += 7) yield new TextEncoder().encode(text.slice(at, at + 7));
  };
  return {
    pid: 1,
    write: async () => {},
    stdout: stream(stdout),
    stderr: stream(stderr),
    exited: Promise.resolve({ code, signal: null }),
    kill: () => {},
  };
};

test("what a model can be served without is a warning", async () => {
  const directory = mkdtempSync(join(tmpdir(), "doctor-"));
  cpSync(decodeURIComponent(new URL("../../models/tide-nano/base", import.meta.url).pathname), directory, {
    recursive: true,
  });
  const levels = async () => {
    const findings = await checkModel({ files: createFiles() }, directory);
    return Object.fromEntries(findings.map(({ subject, level }) => [subject, level]));
  };
  rmSync(join(directory, "tokenizer_config.json"));
  assert.equal((await levels())["tokenizer_config.json"], "warning");
  rmSync(join(directory, "tokenizer.json"));
  assert.equal((await levels())["tokenizer.json"], "failure");
  rmSync(directory, { recursive: true });
});

describe("the judgement of a loss", () => {
  test("a small one is fine; one that ruins the model says so and advises", () => {
    const [fine, ruined] = judgeLoss(table([row({}), RUINED]), undefined, false);
    assert.equal(fine?.level, "ok");
    assert.equal(ruined?.level, "warning");
    assert.match(ruined!.found, /plain rounding to 4 bits ruins this model: mean KL 2\.9e-1/);
    assert.match(ruined!.mend!, /--quantize int8, or a GGUF file .*--quantize int4 --accept-loss/);
  });

  test("what was asked for and ruins the model is a failure, unless the loss is accepted", () => {
    assert.equal(judgeLoss(table([RUINED]), "int4", false)[0]?.level, "failure");
    assert.equal(judgeLoss(table([RUINED]), "int4", true)[0]?.level, "warning");
    assert.equal(judgeLoss(table([], "no such tensor"), undefined, false)[0]?.level, "failure");
  });

  test("the table has a line for float32 and one for each form", () => {
    const text = showLoss(table([row({}), RUINED]));
    assert.match(text, /511 positions/);
    assert.match(text, /float32 +4\.0 MiB/);
    assert.match(text, /--quantize int4 +1\.0 MiB +2\.9e-1 +0\.0600 +71\.4 % +14\.60/);
  });
});

describe("the device", () => {
  test("what runs elsewhere is listed", () => {
    const device = { provider: "webgpu", name: "an adapter", notes: ["no cuda: none."], elsewhere: "ReduceSum ×60" };
    const [found] = judgeLoss({ ...table([]), device }, undefined, false);
    assert.equal(found?.level, "warning");
    assert.match(
      found!.found,
      /webgpu \(an adapter\); no cuda: none\.; these operators would run on the CPU: ReduceSum ×60/,
    );
    const [fine] = judgeLoss({ ...table([]), device: { ...device, elsewhere: "" } }, undefined, false);
    assert.equal(fine?.level, "ok");
  });
});

describe("the measuring process", () => {
  test("its lines become the table", async () => {
    const lines = [
      { type: "row", ...row({}) },
      { type: "reference", weightBytes: 9, positions: 8 },
    ];
    const started: string[][] = [];
    const spawn = (module: URL, args: readonly string[]) => {
      started.push([module.pathname.split("/").at(-1)!, ...args]);
      return toChild(lines.map((line) => `${JSON.stringify(line)}\n`).join(""), "", 0);
    };
    const got = await measureLoss({ spawn }, "/m", ["int8", "int4"]);
    assert.deepEqual(started, [["loss-main.ts", "worker", "/m", "int8,int4", ""]]);
    assert.equal(got.rows[0]?.kl, 0.004);
    assert.equal(got.reference?.positions, 8);
    assert.equal(got.error, null);
  });

  test("its refusal, and its death, are told", async () => {
    const refused = await measureLoss(
      { spawn: () => toChild('{"type":"error","message":"Tensor x is missing."}\n', "", 0) },
      "/m",
      ["int8"],
    );
    assert.equal(refused.error, "Tensor x is missing.");
    const died = await measureLoss({ spawn: () => toChild("", "boom\n", 134) }, "/m", ["int8"]);
    assert.match(died.error!, /exit code 134\): boom/);
  });
});

describe("measured", () => {
  const toPath = (relative: string) => decodeURIComponent(new URL(relative, import.meta.url).pathname);
  const TRAINED = toPath("../../models/tide-nano/trained");
  let directory = "";
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "loss-"));
  });
  after(() => rmSync(directory, { recursive: true }));

  test("the divergence of two known distributions", () => {
    const meter = createLossMeter();
    meter.add(Float32Array.of(Math.log(3), 0), Float32Array.of(0, 0), 0);
    const { kl, absolute, agreement } = meter.result();
    assert.ok(Math.abs(kl - (0.75 * Math.log(1.5) + 0.25 * Math.log(0.5))) < 1e-7);
    assert.ok(Math.abs(absolute - Math.log(1.5)) < 1e-7);
    assert.equal(agreement, 1);
  });

  test("a directory: 8 bits lose less than 4", async () => {
    const rows: Measured[] = [];
    const ids = Array.from({ length: 100 }, (_, index) => 3 + ((index * 61) % 500));
    const onRow = (next: Measured): void => void rows.push(next);
    const reference = await compareForms({
      files: createFiles(),
      model: TRAINED,
      forms: ["int8", "int4"],
      ids,
      onRow,
    });
    assert.deepEqual(
      rows.map(({ form }) => form),
      ["int8", "int4"],
    );
    assert.ok(rows[0]!.kl > 0 && rows[0]!.kl < rows[1]!.kl);
    assert.ok(rows[1]!.weightBytes < rows[0]!.weightBytes && rows[0]!.weightBytes < reference.weightBytes);
    assert.equal(reference.positions, 99);
  });

  for (const type of ["Q4_1", "Q8_0"] as const) {
    test(`a ${type} file stays near its own weights in float32`, async () => {
      const path = join(directory, `${type}.gguf`);
      await writeGguf(path, await convertLlama(TRAINED, type));
      const rows: Measured[] = [];
      await compareForms({ files: createFiles(), model: path, forms: ["keep"], onRow: (next) => void rows.push(next) });
      assert.ok(rows[0]!.kl > 0 && rows[0]!.kl < 1e-2, String(rows[0]!.kl));
    });
  }
});
