/**
 * The engine's own graph and weights as ONNX files, for the anchors that run the same graph: as it is (a bare loop), and
 * with the inputs and outputs that transformers.js expects. Weights lie in one file beside both.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { basename, join } from "node:path";
import { createReadOnlyFiles } from "../../src/worker/files.ts";
import { buildDecoderGraph } from "../../src/worker/graph/decoder-graph.ts";
import { type Graph, type GraphNode, toModelProto } from "../../src/worker/graph/onnx-proto.ts";
import { toTensorParts } from "../../src/worker/graph/weight-plan.ts";
import { createRotaryTables, readInitializers } from "../../src/worker/load-model.ts";
import type { OrtTensor } from "../../src/worker/native/onnxruntime.ts";
import { openModelConfig } from "../../src/worker/open-model-config.ts";
import { openTensorSource } from "../../src/worker/read-weights.ts";

/** What the bare loop must know besides the graph. */
export interface GraphMeta {
  readonly file: string;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocabSize: number;
}

/** Rows of the rotary tables: beyond the longest context measured. */
const POSITIONS = 8192;
/** Offsets of external data: a page, so that it can be mapped. */
const ALIGNMENT = 4096;

const alignUp = (offset: number): number => Math.ceil(offset / ALIGNMENT) * ALIGNMENT;

/** Writes all tensors into one file; those over the same memory once. */
function writeData(
  path: string,
  tensors: ReadonlyMap<string, OrtTensor>,
): Map<string, { offset: number; length: number }> {
  const file = openSync(path, "w");
  const places = new Map<string, { offset: number; length: number }>();
  const known = new Map<ArrayBufferLike, number>();
  let end = 0;
  for (const [name, { data }] of tensors) {
    const offset = known.get(data.buffer) ?? alignUp(end);
    places.set(name, { offset, length: data.byteLength });
    if (known.has(data.buffer)) continue;
    known.set(data.buffer, offset);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, offset + done);
    end = offset + bytes.length;
  }
  return places;
}

/** The same decoder with `attention_mask` in front, logits at every position, and the names of transformers.js. */
function toTransformersJs(graph: Graph, vocabSize: number): Graph {
  const sizes: Record<string, string> = { B: "batch_size", S: "sequence_length" };
  const rename = (name: string): string => name.replace(/^past\./, "past_key_values.");
  const last = graph.nodes.find(({ op, inputs }) => op === "Gather" && inputs[1] === "logit_idx")!;
  const flat = graph.nodes.find(({ outputs }) => outputs[0] === last.inputs[0])!;
  const everywhere = flat.inputs[0]!;
  const swap = (name: string): string => (name === last.outputs[0] ? everywhere : rename(name));
  const node = (op: string, inputs: string[], output: string, attributes: GraphNode["attributes"] = {}): GraphNode => ({
    op,
    domain: "",
    inputs,
    outputs: [output],
    attributes,
  });
  const int32 = { to: { int: 6 } };
  const front = [
    node("ReduceSum", ["attention_mask", "one"], "lengths", { keepdims: { int: 0 } }),
    node("Sub", ["lengths", "one"], "last_positions"),
    node("Cast", ["last_positions"], "seqlens_k", int32),
    node("Shape", ["attention_mask"], "mask_shape"),
    node("Gather", ["mask_shape", "one"], "total_length", { axis: { int: 0 } }),
    node("Cast", ["total_length"], "total_sequence_length", int32),
  ];
  const toDims = (dims: Graph["inputs"][number]["dims"], length: string) =>
    dims.map((size) => (size === "T" ? length : (sizes[size] ?? size)));
  return {
    ...graph,
    nodes: [
      ...front,
      ...graph.nodes
        .filter((each) => each !== last && each !== flat)
        .map((each) => ({ ...each, inputs: each.inputs.map(swap) })),
    ],
    inputs: [
      { name: "input_ids", type: "int64", dims: ["batch_size", "sequence_length"] },
      { name: "attention_mask", type: "int64", dims: ["batch_size", "total_sequence_length"] },
      ...graph.inputs
        .filter(({ name }) => name.startsWith("past."))
        .map((value) => ({ ...value, name: rename(value.name), dims: toDims(value.dims, "past_sequence_length") })),
    ],
    outputs: graph.outputs.map((value) =>
      value.name === "logits"
        ? { ...value, dims: ["batch_size", "sequence_length", vocabSize] }
        : { ...value, dims: toDims(value.dims, "present_sequence_length") },
    ),
    constants: [...graph.constants.filter(({ name }) => name !== "flat_shape"), { name: "one", int64: [1] }],
  };
}

/** The files that transformers.js reads beside the graph. */
function copyModelFiles(model: string, directory: string): void {
  for (const name of readdirSync(model)) {
    if (/\.(json|jinja)$/.test(name) && !name.includes("safetensors"))
      copyFileSync(join(model, name), join(directory, name));
  }
}

/**
 * Writes `DIR/onnx/model.onnx` and its data once; later runs find them.
 *
 * @param model a directory or a GGUF file; blocks are kept where `keep` is set
 * @returns where they are: of the bare loop a JSON file, of transformers.js a model directory (directories only)
 */
export async function writeGraphFiles(
  model: string,
  keep: boolean,
  directory: string,
): Promise<{ bare: string; transformersJs: string }> {
  const out = { bare: join(directory, "bare.json"), transformersJs: directory };
  if (existsSync(out.bare)) return out;
  mkdirSync(join(directory, "onnx"), { recursive: true });
  const files = createReadOnlyFiles();
  const config = await openModelConfig(files, model);
  const source = await openTensorSource({
    files,
    directory: model,
    sets: [],
    parts: toTensorParts(config),
    tiedEmbeddings: config.tiedEmbeddings,
    sha256: () => ({ update: () => {}, hex: () => "" }),
  });
  const { tensors, forms } = await readInitializers(config, source, keep ? "auto" : "none", () => {});
  await source.close();
  for (const [name, table] of createRotaryTables(config, POSITIONS)) tensors.set(name, table);
  const data = "model.onnx_data";
  const places = writeData(join(directory, "onnx", data), tensors);
  const { graph, inputNames, outputNames } = buildDecoderGraph(config, POSITIONS, forms);
  const external = graph.external.map((initializer) => ({ ...initializer, place: places.get(initializer.name)! }));
  const placed = { ...graph, external };
  writeFileSync(join(directory, "onnx", "bare.onnx"), toModelProto(placed, data));
  if (statSync(model).isDirectory()) {
    writeFileSync(
      join(directory, "onnx", "model.onnx"),
      toModelProto(toTransformersJs(placed, config.vocabSize), data),
    );
    copyModelFiles(model, directory);
    const settings = JSON.parse(readFileSync(join(model, "config.json"), "utf8")) as Record<string, unknown>;
    settings["transformers.js_config"] = { use_external_data_format: { "model.onnx": 1 } };
    writeFileSync(join(directory, "config.json"), JSON.stringify(settings));
  }
  for (const tensor of tensors.values()) tensor.release();
  const meta: GraphMeta = {
    file: join(directory, "onnx", "bare.onnx"),
    inputNames,
    outputNames,
    layers: config.layers,
    kvHeads: config.kvHeads,
    headDim: config.kernelHeadDim,
    vocabSize: config.vocabSize,
  };
  writeFileSync(out.bare, JSON.stringify(meta));
  return out;
}

/** A name for the files of a model. */
export const toFilesName = (model: string, keep: boolean): string => `${basename(model)}-${keep ? "kept" : "float32"}`;
