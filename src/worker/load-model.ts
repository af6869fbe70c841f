/**
 * From a model directory (and weight sets laid over it) to a decoder that can run. Reading yields to the event loop
 * between pieces; compiling is done on another thread.
 */
import { createHash } from "node:crypto";
import { invalidValue } from "../errors.ts";
import type { Sha256 } from "../ports.ts";
import type { LoadedModel, LoadModelOptions } from "./batch-types.ts";
import { createCodedInitializers, showForms, toWeightBytes } from "./coded-initializers.ts";
import { chooseDevice } from "./device.ts";
import type { MatrixForm } from "./graph/coded-matrix.ts";
import { buildDecoderGraph, COS_TABLE, SIN_TABLE } from "./graph/decoder-graph.ts";
import { toModelProto } from "./graph/onnx-proto.ts";
import { placeHeads } from "./graph/pad-heads.ts";
import { toTensorParts, toWeightPlan } from "./graph/weight-plan.ts";
import { checkMemory } from "./memory-budget.ts";
import { type ModelConfig, openModelConfig } from "./model-config.ts";
import { showElsewhere } from "./native/assignments.ts";
import { pinnedFloat32, toPinned } from "./native/memory.ts";
import { type OrtTensor, openOnnxRuntime } from "./native/onnxruntime.ts";
import { chooseHolding, type Quantize, readBlocks, roundMatrix } from "./read-matrix.ts";
import { openTensorSource, type TensorSource } from "./read-weights.ts";
import { toLongestContext, toRotaryTables } from "./rope.ts";
import { Decoder } from "./session.ts";

/** What `loadModel` really returns; the batcher uses the decoder. */
export interface DecoderModel extends LoadedModel {
  readonly config: ModelConfig;
  readonly decoder: Decoder;
}

/** @throws Error when the model was not made by `loadModel` */
export function toDecoderModel(model: LoadedModel): DecoderModel {
  if ("decoder" in model && model.decoder instanceof Decoder) return model as DecoderModel;
  throw new Error("A batcher runs models made by loadModel.");
}

function nodeSha256(): Sha256 {
  const hash = createHash("sha256");
  return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest("hex") };
}

function choosePositions(config: ModelConfig, asked: number | undefined): number {
  if (asked === undefined) return config.maxPositions;
  const longest = toLongestContext(config.rope, config.maxPositions);
  if (Number.isInteger(asked) && asked >= 1 && asked <= longest) return asked;
  throw invalidValue("max_model_len", asked, `an integer from 1 to ${longest}, the model's own length`);
}

interface Initializers {
  readonly tensors: Map<string, OrtTensor>;
  /** Names whose memory the session does not need once it has packed a copy. */
  readonly packed: ReadonlySet<string>;
  /** Weights that are held as codes. */
  readonly forms: ReadonlyMap<string, MatrixForm>;
}

const elements = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

async function readInitializers(
  config: ModelConfig,
  source: TensorSource,
  quantize: Quantize,
  onProgress: LoadModelOptions["onProgress"],
): Promise<Initializers> {
  const runtime = openOnnxRuntime();
  const tensors = new Map<string, OrtTensor>();
  const packed = new Set<string>();
  const coded = createCodedInitializers(config.tiedEmbeddings, tensors, packed);
  let bytesDone = 0;
  const onBytes = (bytes: number) => {
    bytesDone += bytes;
    onProgress(bytesDone, source.totalBytes);
  };
  onProgress(0, source.totalBytes);
  for (const entry of toWeightPlan(config)) {
    const holding = chooseHolding(entry, source, quantize);
    if (holding.kind === "blocks") {
      coded.add(entry, await readBlocks(entry, holding.form, source, onBytes));
      continue;
    }
    const data = pinnedFloat32(elements(entry.dims));
    let offset = 0;
    for (const { name, shape } of entry.parts) {
      const size = elements(shape);
      if (entry.padding === null) {
        onBytes(await source.read(name, data.subarray(offset, offset + size)));
        offset += size;
      } else {
        const plain = new Float32Array(size);
        onBytes(await source.read(name, plain));
        placeHeads(plain, shape[1] ?? 1, data.subarray(offset), entry.padding);
        offset += (size / entry.padding.headDim) * entry.padding.kernelHeadDim;
      }
    }
    if (entry.scale !== 1) for (let index = 0; index < data.length; index++) data[index]! *= entry.scale;
    if (holding.kind === "rounded") {
      coded.add(entry, roundMatrix(data, holding.form, holding.bits));
      continue;
    }
    tensors.set(entry.name, runtime.createTensor(data, entry.dims, "float32"));
    if (entry.packed) packed.add(entry.name);
  }
  return { tensors, packed, forms: coded.forms };
}

function addRotaryTables(tensors: Map<string, OrtTensor>, config: ModelConfig, positions: number): void {
  const columns = config.kernelHeadDim / 2;
  const { headDim, maxPositions, rope } = config;
  const { cos, sin } = toRotaryTables(rope, { headDim, positions, maxPositions, columns });
  for (const [name, values] of [
    [COS_TABLE, cos],
    [SIN_TABLE, sin],
  ] as const) {
    tensors.set(name, openOnnxRuntime().createTensor(toPinned(values), [positions, columns], "float32"));
  }
}

/**
 * Loads weights and compiles the decoder. The caller owns the result and calls `release` when no batcher uses it.
 *
 * @throws GatewayError `unsupported` (architecture, device), `weights_*` with `details.tensor`, `invalid_value`
 *   for `maxModelLen`, and what reading files throws
 */
export async function loadModel(options: LoadModelOptions): Promise<LoadedModel> {
  const device = chooseDevice(options.device);
  const config = await openModelConfig(options.files, options.directory);
  const positions = choosePositions(config, options.maxModelLen);
  const source = await openTensorSource({
    files: options.files,
    directory: options.directory,
    sets: options.sets,
    parts: toTensorParts(config),
    tiedEmbeddings: config.tiedEmbeddings,
    sha256: nodeSha256,
  });
  try {
    const runtime = openOnnxRuntime();
    const quantize = options.quantize ?? "auto";
    const { memory: limits } = options;
    const kvBytes = limits === undefined ? undefined : checkMemory(config, source, { quantize, positions, limits });
    const { tensors, packed, forms } = await readInitializers(config, source, quantize, options.onProgress);
    addRotaryTables(tensors, config, positions);
    const { graph, inputNames, outputNames } = buildDecoderGraph(config, positions, forms, options.activations);
    const session = await runtime.createSession(toModelProto(graph, runtime.externalLocation), {
      provider: device.provider,
      threads: 1,
      // Packed weights decode 1.2 to 2 times as fast as the plain ones (tide-nano, batch 1 to 8), for one copy at load.
      prepack: true,
      initializers: tensors,
    });
    // The packed copies live in the session; ours of the same weights may go (measured: a session never reads them again).
    for (const name of packed) {
      tensors.get(name)!.release();
      tensors.delete(name);
    }
    const decoder = new Decoder(runtime, session, { config, positions, inputNames, outputNames });
    const weightBytes = toWeightBytes(config, forms);
    const model: DecoderModel = {
      config,
      decoder,
      vocabSize: config.vocabSize,
      maxModelLen: positions,
      tensors: source.tensors,
      digest: source.digest(),
      weightBytes,
      provider: `onnxruntime ${runtime.version} ${device.provider} ${showForms(forms)}`,
      device: {
        provider: device.provider,
        name: device.name,
        notes: device.notes,
        elsewhere: session.assignments === null ? "" : showElsewhere(session.assignments),
      },
      ...(kvBytes === undefined ? {} : { kvBytes }),
      weightFormat: showForms(forms),
      release() {
        decoder.release();
        for (const tensor of tensors.values()) tensor.release();
        tensors.clear();
      },
    };
    return model;
  } finally {
    await source.close();
  }
}
