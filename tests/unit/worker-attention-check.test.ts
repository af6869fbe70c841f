/** Prompts are read in pieces that the device computes rightly: how that is found out, and who heeds it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createFiles } from "../../src/platform/shared/files.ts";
import { judgePieces, measurePieces, SHORT_PIECE } from "../../src/worker/attention-check.ts";
import { createBatcher } from "../../src/worker/batch.ts";
import { createRotaryTables, loadModel, toDecoderModel } from "../../src/worker/load-model.ts";
import { openOnnxRuntime } from "../../src/worker/native/onnxruntime.ts";
import { openModelConfig } from "../../src/worker/open-model-config.ts";
import { runAll, sampling } from "../support/batch.ts";

const files = createFiles();
const directory = fileURLToPath(new URL("../../models/tide-nano/trained", import.meta.url));
const PROMPT = Array.from({ length: 75 }, (_, index) => (index * 37 + 5) % 500);

async function load(device: "cpu" | "webgpu") {
  return toDecoderModel(
    await loadModel({ files, directory, sets: [], device, maxModelLen: 128, onProgress: () => {} }),
  );
}

function answer(model: Awaited<ReturnType<typeof load>>) {
  const { results, prompts } = runAll(createBatcher(model, { maxConcurrency: 1, maxQueue: 9 }), [
    { key: 0, promptIds: PROMPT, samples: 1, sampling: sampling({ maxTokens: 8, logprobs: 0, promptLogprobs: 0 }) },
  ]);
  const { ids, logprobs } = results.get("0/0")!;
  return { ids, logprobs: logprobs.map((entry) => entry!.logprob), prompt: prompts.get(0)!.logprobs };
}

const near = (ours: readonly number[], theirs: readonly number[], within: number) =>
  assert.ok(
    ours.every((value, index) => Math.abs(value - theirs[index]!) < within),
    `${ours} and ${theirs}`,
  );

describe("pieces of a prompt", () => {
  test("the CPU computes them as it computes the whole", async () => {
    const config = await openModelConfig(files, directory);
    for (const over of [{}, { heads: 6, kvHeads: 1, headDim: 10, kernelHeadDim: 16 }]) {
      const difference = await measurePieces(openOnnxRuntime(), { ...config, ...over }, "cpu", createRotaryTables);
      assert.ok(difference < 1e-4, String(difference));
    }
  });

  test("a device that does not gets short ones, and it is said", () => {
    assert.deepEqual(judgePieces(1e-5, "webgpu"), {});
    for (const difference of [0.1, Number.NaN]) {
      const { piece, note } = judgePieces(difference, "webgpu");
      assert.equal(piece, SHORT_PIECE);
      assert.match(note ?? "", /webgpu .* wrongly on this adapter \(off by (0\.10|NaN)\): .* 16 tokens at a time/);
    }
  });

  test("are what the decoder says, and give the same answers", async () => {
    const whole = await load("cpu");
    const short = await load("cpu");
    const expected = answer(whole);
    Object.assign(short.decoder, { piece: 7 });
    const lengths: number[] = [];
    const prefill = short.decoder.prefill.bind(short.decoder);
    short.decoder.prefill = (cache, slot, tokens, from, to, wanted) => {
      lengths.push(to - from);
      return prefill(cache, slot, tokens, from, to, wanted);
    };
    const got = answer(short);
    assert.equal(Math.max(...lengths), 7);
    assert.deepEqual(got.ids, expected.ids);
    near(got.logprobs, expected.logprobs, 1e-4);
    for (const model of [whole, short]) model.release();
  });

  const missing = openOnnxRuntime().probe("webgpu");
  test("on WebGPU a long prompt gets the answers of the CPU", { skip: missing ?? false }, async () => {
    const [gpu, cpu] = [await load("webgpu"), await load("cpu")];
    const [ours, theirs] = [answer(gpu), answer(cpu)];
    assert.deepEqual(ours.ids, theirs.ids);
    near(ours.logprobs, theirs.logprobs, 1e-3);
    for (const model of [gpu, cpu]) model.release();
  });
});
