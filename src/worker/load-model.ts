/**
 * From a model directory (and weight sets laid over it) to a decoder that can run. Reading yields to the event loop
 * between pieces; compiling is done on another thread.
 */
import { createHash } from "node:crypto";
import { GatewayError, invalidValue } from "../errors.ts";
import type { Sha256 } from "../ports.ts";
import { judgePieces, measurePieces } from "./attention-check.ts";
import type { LoadedModel, LoadModelOptions, ModelResidency } from "./batch-types.ts";
import { createCodedInitializers, showForms, toWeightBytes } from "./coded-initializers.ts";
import { chooseDevice } from "./device.ts";
import type { MatrixForm } from "./graph/coded-matrix.ts";
import { buildDecoderGraph, COS_TABLE, SIN_TABLE } from "./graph/decoder-graph.ts";
import { toModelProto } from "./graph/onnx-proto.ts";
import { toTensorParts, toWeightPlan, type WeightPlanEntry } from "./graph/weight-plan.ts";
import { checkMemory } from "./memory-budget.ts";
import type { ModelConfig } from "./model-config.ts";
import { showElsewhere } from "./native/assignments.ts";
import { freeMemory, pinnedFloat32, toPinned } from "./native/memory.ts";
import { type OrtTensor, openOnnxRuntime, type Provider } from "./native/onnxruntime.ts";
import { openModelConfig } from "./open-model-config.ts";
import { readEntry, toElements } from "./read-entry.ts";
import { chooseHolding, type Quantize, readBlocks, roundMatrix } from "./read-matrix.ts";
import { openTensorSource, type TensorSource } from "./read-weights.ts";
import { toModelBytes, toTieredCacheBytes } from "./residency/estimate.ts";
import { loadLayered } from "./residency/load-layered.ts";
import { isPlain } from "./residency/plan-tiers.ts";
import { toLongestContext, toRotaryTables } from "./rope.ts";
import { Decoder, SessionRunner } from "./session.ts";

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

/** Reads every weight into memory of ours, in the form in which it is to be held. The caller releases the tensors. */
export async function readInitializers(
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
    const data = pinnedFloat32(toElements(entry.dims));
    await readEntry(entry, source, data, onBytes);
    if (holding.kind === "rounded") {
      coded.add(entry, roundMatrix(data, holding.form, holding.bits));
      continue;
    }
    tensors.set(entry.name, runtime.createTensor(data, entry.dims, "float32"));
    if (entry.packed) packed.add(entry.name);
  }
  return { tensors, packed, forms: coded.forms };
}

/** The rotary tables as initializers: cosines and sines, each [positions, head dimension / 2]. */
export function createRotaryTables(config: ModelConfig, positions: number): Map<string, OrtTensor> {
  const tensors = new Map<string, OrtTensor>();
  const columns = config.kernelHeadDim / 2;
  const { headDim, maxPositions, rope } = config;
  const { cos, sin } = toRotaryTables(rope, { headDim, positions, maxPositions, columns });
  for (const [name, values] of [
    [COS_TABLE, cos],
    [SIN_TABLE, sin],
  ] as const) {
    tensors.set(name, openOnnxRuntime().createTensor(toPinned(values), [positions, columns], "float32"));
  }
  return tensors;
}

const FLOATS: ReadonlyMap<string, MatrixForm> = new Map();

/** Weights in tiers are floats: another form would give other numbers than the same model in memory. */
function refuseTiers(
  plan: readonly WeightPlanEntry[],
  source: TensorSource,
  quantize: Quantize,
  provider: Provider,
): void {
  if (provider !== "cpu") {
    throw new GatewayError("unsupported", `Weights in tiers run on the CPU, not on ${provider}; use --device cpu.`, {
      param: "device",
    });
  }
  const coded = plan.find((entry) => chooseHolding(entry, source, quantize).kind !== "float32");
  if (coded === undefined) return;
  throw new GatewayError(
    "unsupported",
    `Weights in tiers are float32, and ${coded.parts[0]?.name} of this model is held quantised; use --quantize none, or keep all weights in memory.`,
    { param: "max_in_cpu" },
  );
}

interface PlainOptions {
  readonly config: ModelConfig;
  readonly positions: number;
  readonly source: TensorSource;
  readonly tables: ReadonlyMap<string, OrtTensor>;
  readonly quantize: Quantize;
  readonly activations: LoadModelOptions["activations"];
  readonly onProgress: LoadModelOptions["onProgress"];
  readonly provider: Provider;
  /** Tokens of a prompt that one call may compute; default: the decoder's. */
  readonly piece: number | undefined;
}

/** The whole model in one session. */
async function loadPlain(options: PlainOptions): Promise<{
  decoder: Decoder;
  residency?: ModelResidency;
  forms: ReadonlyMap<string, MatrixForm>;
  /** Operators that the CPU runs in place of the provider. */
  elsewhere: string;
}> {
  const { config, positions, source, tables, quantize, activations, onProgress, provider, piece } = options;
  const runtime = openOnnxRuntime();
  const { tensors, packed, forms } = await readInitializers(config, source, quantize, onProgress);
  for (const [name, table] of tables) tensors.set(name, table);
  const { graph, inputNames, outputNames } = buildDecoderGraph(
    ...([config, positions, forms, activations] as const),
    provider === "webgpu" ? "standard" : "fused",
  );
  const session = await runtime.createSession(toModelProto(graph, runtime.externalLocation), {
    provider,
    threads: 1,
    // Packed weights decode 1.2 to 2 times as fast as the plain ones (tide-nano, batch 1 to 8), for one copy at load.
    prepack: true,
    initializers: tensors,
  });
  // The packed copies live in the session; ours of the same weights may go (measured: a session never reads them again).
  const floats = new Set(toWeightPlan(config).map(({ name }) => name));
  for (const name of packed) {
    // Products with codes in float32 read the codes themselves.
    if (activations === "float32" && !floats.has(name)) continue;
    const tensor = tensors.get(name)!;
    tensor.release();
    freeMemory(tensor.data);
    tensors.delete(name);
  }
  const runner = new SessionRunner(runtime, session, { inputNames, outputNames }, () => {
    for (const tensor of tensors.values()) {
      tensor.release();
      freeMemory(tensor.data);
    }
    tensors.clear();
  });
  const elsewhere = session.assignments === null ? "" : showElsewhere(session.assignments);
  return { decoder: new Decoder(runtime, runner, { config, positions, piece }), forms, elsewhere };
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
    const { onProgress, residency: directive = {}, spoolDirectory, quantize = "auto", activations } = options;
    const { memory: limits } = options;
    const plan = toWeightPlan(config);
    const inMemory = isPlain(directive);
    if (!inMemory) refuseTiers(plan, source, quantize, device.provider);
    // Weights in tiers have a budget of their own.
    const checked = inMemory && limits !== undefined;
    const kvBytes = checked
      ? checkMemory(config, source, { quantize, positions, limits })
      : toTieredCacheBytes(config, positions, directive, limits?.slots);
    const tables = createRotaryTables(config, positions);
    const { piece, note } =
      device.provider === "webgpu"
        ? judgePieces(await measurePieces(openOnnxRuntime(), config, "webgpu", createRotaryTables), "webgpu")
        : {};
    const { decoder, residency, forms, elsewhere } = inMemory
      ? await loadPlain({
          ...{ config, positions, source, tables, quantize, activations, onProgress },
          ...{ provider: device.provider, piece },
        })
      : {
          ...(await loadLayered({ config, positions, source, directive, spoolDirectory, tables, onProgress })),
          forms: FLOATS,
          elsewhere: "",
        };
    const provider = `onnxruntime ${openOnnxRuntime().version} ${device.provider} ${showForms(forms)}`;
    let released = false;
    const model: DecoderModel = {
      config,
      decoder,
      vocabSize: config.vocabSize,
      hiddenSize: config.hiddenSize,
      maxModelLen: positions,
      tensors: source.tensors,
      digest: source.digest(),
      weightBytes: toWeightBytes(config, forms),
      groupBytes: toModelBytes(config, plan, forms),
      provider: residency === undefined ? provider : `${provider}, layer by layer`,
      device: {
        ...{ provider: device.provider, name: device.name, elsewhere },
        notes: note === undefined ? device.notes : [...device.notes, note],
      },
      ...(kvBytes === undefined ? {} : { kvBytes }),
      weightFormat: showForms(forms),
      computedTokens: () => decoder.computed,
      ...(residency === undefined ? {} : { residency }),
      release() {
        if (!released) decoder.release();
        released = true;
      },
    };
    return model;
  } finally {
    await source.close();
  }
}
