/** The graph in the operators that every provider has, and another device where one is to be had: the logits of the CPU's own graph. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createFiles } from "../../src/platform/shared/files.ts";
import { buildDecoderGraph } from "../../src/worker/graph/decoder-graph.ts";
import { toModelProto } from "../../src/worker/graph/onnx-proto.ts";
import { toTensorParts } from "../../src/worker/graph/weight-plan.ts";
import { KvCache } from "../../src/worker/kv-cache.ts";
import { createRotaryTables, loadModel, readInitializers, toDecoderModel } from "../../src/worker/load-model.ts";
import { openOnnxRuntime } from "../../src/worker/native/onnxruntime.ts";
import { openModelConfig } from "../../src/worker/open-model-config.ts";
import { openTensorSource } from "../../src/worker/read-weights.ts";
import { Decoder, SessionRunner } from "../../src/worker/session.ts";

const files = createFiles();
const directory = fileURLToPath(new URL("../../models/tide-nano/trained", import.meta.url));
const POSITIONS = 32;
const IDS = [5, 9, 30, 100, 7, 8, 200, 45, 3, 66];

/** A prompt in two pieces, a second one beside it, and a step of both. */
function run(decoder: Decoder): number[] {
  const cache = new KvCache(decoder.config, { positions: POSITIONS, slots: 4, budgetBytes: 2 ** 28 });
  cache.reserve(2);
  const { vocabSize } = decoder.config;
  const logits = [...decoder.prefill(cache, 0, IDS, 0, 5, "all").subarray(0, 5 * vocabSize)];
  logits.push(...decoder.prefill(cache, 0, IDS, 5, 8, "last").subarray(0, vocabSize));
  decoder.prefill(cache, 1, IDS.slice(2), 0, 4, "last");
  const step = decoder.decode(
    cache,
    2,
    (row) => IDS[row]!,
    (row) => (row === 0 ? 8 : 4),
  );
  logits.push(...step.subarray(0, 2 * vocabSize));
  cache.release();
  decoder.release();
  return logits;
}

async function loaded(device: "cpu" | "webgpu", quantize: "none" | "int8" = "none") {
  return toDecoderModel(
    await loadModel({ files, directory, sets: [], device, quantize, maxModelLen: POSITIONS, onProgress: () => {} }),
  );
}

/** The standard graph, on the CPU. */
async function standard(): Promise<Decoder> {
  const config = await openModelConfig(files, directory);
  const parts = toTensorParts(config);
  const sha256 = () => ({ update: () => {}, hex: () => "" });
  const source = await openTensorSource({
    files,
    directory,
    sets: [],
    parts,
    tiedEmbeddings: config.tiedEmbeddings,
    sha256,
  });
  const { tensors, forms } = await readInitializers(config, source, "none", () => {});
  await source.close();
  for (const [name, table] of createRotaryTables(config, POSITIONS)) tensors.set(name, table);
  const { graph, inputNames, outputNames } = buildDecoderGraph(config, POSITIONS, forms, "int8", "standard");
  assert.ok(graph.nodes.every(({ op }) => op !== "FusedMatMul"));
  const runtime = openOnnxRuntime();
  const proto = toModelProto(graph, runtime.externalLocation);
  const options = { threads: 1, prepack: false, initializers: tensors, copyInitializers: true };
  const session = await runtime.createSession(proto, options);
  const runner = new SessionRunner(runtime, session, { inputNames, outputNames }, () => {});
  return new Decoder(runtime, runner, { config, positions: POSITIONS });
}

function assertClose(got: readonly number[], wanted: readonly number[], tolerance: number): void {
  assert.equal(got.length, wanted.length);
  const worst = Math.max(...got.map((value, at) => Math.abs(value - wanted[at]!)));
  assert.ok(worst <= tolerance, `the largest difference is ${worst}, more than ${tolerance}`);
}

describe("products in other operators", () => {
  test("standard operators give the logits of the fused ones", async () => {
    assertClose(run(await standard()), run((await loaded("cpu")).decoder), 1e-4);
  });

  const missing = openOnnxRuntime().probe("webgpu");
  const skip = missing === null ? false : `no WebGPU: ${missing}`;
  test("WebGPU gives the CPU's logits, every operator there", { skip }, async () => {
    const model = await loaded("webgpu");
    assert.equal(model.device!.elsewhere, "");
    assertClose(run(model.decoder), run((await loaded("cpu")).decoder), 1e-3);
  });

  test("WebGPU with 8-bit codes stays near the CPU's", { skip }, async () => {
    const model = await loaded("webgpu", "int8");
    assert.equal(model.device!.elsewhere, "");
    // The CPU rounds activations to 8 bits as well, WebGPU does not.
    assertClose(run(model.decoder), run((await loaded("cpu", "int8")).decoder), 0.5);
  });
});
