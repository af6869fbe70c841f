/**
 * A GGUF file as a checkpoint: the JSON files that a Hugging Face directory of the same model would hold, made from its
 * metadata. Reads no tensor but the rotary factors.
 */
import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import { GatewayError } from "../../errors.ts";
import type { Files } from "../../ports.ts";
import { dequantize } from "../../tensor/ggml-blocks.ts";
import type { Json } from "../json-fields.ts";
import { type ModelConfig, parseModelConfig } from "../model-config.ts";
import { openGguf } from "./header.ts";
import { createMetadata, type Metadata } from "./metadata.ts";
import { toConfigJson, toGenerationJson } from "./model-json.ts";
import { toTokenizerJson } from "./tokenizer-json.ts";

/** The refusals of `config.json`, said of this file. */
function parse(path: string, json: Json): ModelConfig {
  try {
    return parseModelConfig(json);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw new GatewayError(
      error.code,
      error.message.replace(/^config\.json:/, `${path}: its metadata say`),
      error.details,
    );
  }
}

const ROTARY_FACTORS = "rope_freqs.weight";

/** One template, or a set: the default and those that `tokenizer.chat_templates` names (gguf-py). */
function toTemplates(metadata: Metadata): Checkpoint["chatTemplate"] {
  const own = metadata.text("tokenizer.chat_template");
  const named = (metadata.texts("tokenizer.chat_templates") ?? []).flatMap((name) => {
    const text = metadata.text(`tokenizer.chat_template.${name}`);
    return text === undefined ? [] : [[name, text] as const];
  });
  if (named.length === 0) return own ?? null;
  return Object.fromEntries([...(own === undefined ? [] : [["default", own] as const]), ...named]);
}

/** The words of a file. @throws GatewayError naming the key of the metadata that cannot be used */
export async function openGgufCheckpoint(files: Files, path: string): Promise<Checkpoint> {
  const { header, reader } = await openGguf(files, path);
  await reader.close();
  return {
    directory: path,
    config: toConfigJson(header),
    generationConfig: toGenerationJson(header),
    ...toTokenizerJson(header),
    chatTemplate: toTemplates(createMetadata(header)),
    weightFiles: [path],
  };
}

/** What a file says besides its vocabulary. */
export async function openGgufNumbers(files: Files, path: string): Promise<{ config: Json; generationConfig: Json }> {
  const { header, reader } = await openGguf(files, path);
  await reader.close();
  return { config: toConfigJson(header), generationConfig: toGenerationJson(header) };
}

/** The numbers of a file. @throws GatewayError naming the key of the metadata that cannot be used */
export async function openGgufConfig(files: Files, path: string): Promise<ModelConfig> {
  const { header, reader } = await openGguf(files, path);
  try {
    const config = parse(path, toConfigJson(header));
    const tensor = header.tensors.get(ROTARY_FACTORS);
    if (tensor === undefined) return config;
    const factors = dequantize(tensor.type, await reader.read(tensor.offset, tensor.byteLength));
    if (factors.length !== config.headDim / 2 || !factors.every((factor) => factor > 0 && Number.isFinite(factor))) {
      throw new GatewayError(
        "weights_malformed",
        `${path}: ${ROTARY_FACTORS} must hold ${config.headDim / 2} numbers above 0, one for each pair of dimensions.`,
        { tensor: ROTARY_FACTORS },
      );
    }
    return { ...config, rope: { ...config.rope, scaling: { type: "factors", factors: [...factors] } } };
  } finally {
    await reader.close();
  }
}
