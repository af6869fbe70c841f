/**
 * The tensors of a checkpoint as the groups that move as one: `embed`, `layers.0` …, `head`. Reads the headers of the
 * safetensors files, never a tensor.
 */
import { listWeights, readConfig, resolveDirectory } from "../checkpoint/read-files.ts";
import { GatewayError } from "../errors.ts";
import type { Files } from "../ports.ts";
import { INDEX_FILE, openWeights, SINGLE_FILE, type WeightTensor } from "../tensor/weights.ts";

/** Weights that move together. */
export interface WeightGroup {
  readonly name: string;
  /** As they are in the files. */
  readonly bytes: number;
  readonly elements: number;
  /** Elements of the largest single tensor. */
  readonly largest: number;
}

export interface CheckpointGroups {
  /** Absolute. */
  readonly directory: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** In the order of use. */
  readonly groups: readonly WeightGroup[];
}

/** The first number between dots: `model.layers.3.mlp…` → 3, `transformer.h.3…` → 3. Experts count further in. */
const LAYER = /(?:^|\.)(?:layers?|h|blocks?|block)\.(\d+)\./;
/** Token and position tables of the causal language models of transformers. */
const EMBEDDING =
  /(?:^|\.)(?:embed_tokens|embed_positions|wte|wpe|word_embeddings(?:_layernorm)?|embed_in|tok_embeddings|tokens_embed)\./;

/** More layers than any model has; bounds what a strange name can make us count. */
const LAYER_LIMIT = 4096;

function groupOf(name: string): string {
  const layer = LAYER.exec(name)?.[1];
  if (layer !== undefined && Number(layer) < LAYER_LIMIT) return `layers.${Number(layer)}`;
  return EMBEDDING.test(name) ? "embed" : "head";
}

/** `embed` first, then the layers by number, then `head`. */
const rank = (name: string): number =>
  name === "embed" ? -1 : name === "head" ? LAYER_LIMIT : Number(name.slice("layers.".length));

/** Sorts tensors into groups. */
export function toGroups(tensors: ReadonlyMap<string, Pick<WeightTensor, "shape" | "byteLength">>): WeightGroup[] {
  const groups = new Map<string, { bytes: number; elements: number; largest: number }>();
  for (const [tensor, { shape, byteLength }] of tensors) {
    const name = groupOf(tensor);
    const elements = shape.reduce((product, size) => product * size, 1);
    const group = groups.get(name) ?? { bytes: 0, elements: 0, largest: 0 };
    group.bytes += byteLength;
    group.elements += elements;
    group.largest = Math.max(group.largest, elements);
    groups.set(name, group);
  }
  return [...groups].map(([name, sums]) => ({ name, ...sums })).sort((a, b) => rank(a.name) - rank(b.name));
}

/**
 * Opens a model directory as far as its groups. Memory and time do not depend on the size of the weights.
 *
 * @throws GatewayError `source_unreadable` or `weights_*`, naming the path or the tensor.
 */
export async function readCheckpointGroups(files: Files, directory: string): Promise<CheckpointGroups> {
  const root = await resolveDirectory(files, directory);
  const config = (await readConfig(files, root)).value;
  const weightFiles = await listWeights(files, root);
  // Given the directory, the index is checked against the shards; but there a lone model.safetensors goes first.
  const single = weightFiles.some((path) => path.endsWith(SINGLE_FILE));
  const indexed = !single && (await files.stat(files.resolve(root, INDEX_FILE)))?.kind === "file";
  const weights = await openWeights(files, indexed ? root : weightFiles);
  try {
    const groups = toGroups(weights.tensors);
    if (groups.length === 0) throw new GatewayError("source_unreadable", `The weights of ${root} hold no tensor.`);
    return { directory: root, config, groups };
  } finally {
    await weights.close();
  }
}
