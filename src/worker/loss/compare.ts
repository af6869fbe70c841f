/** Runs a model in float32 and in other forms over one text, side by side, and says what each form loses. */
import { GatewayError } from "../../errors.ts";
import type { Files } from "../../ports.ts";
import { KvCache } from "../kv-cache.ts";
import { type DecoderModel, loadModel, toDecoderModel } from "../load-model.ts";
import { openWords } from "../requests/served-model.ts";
import { createLossMeter, type Loss } from "./measure.ts";
import { LOSS_TEXT } from "./text.ts";

/** As `--quantize`; `keep` are a GGUF file's own blocks. */
export type LossForm = "keep" | "int8" | "int4";

export interface LossRow extends Loss {
  readonly form: LossForm;
  /** How the matrices are held, in words. */
  readonly weightFormat: string;
  readonly weightBytes: number;
}

/** Tokens of the text at most: enough for two digits of a mean, seconds for a small model. */
const TOKENS_LIMIT = 512;
/** Logits of so many positions are held of two models at a time. */
const CHUNK = 32;
/** Of one sequence's cache; a model whose cache needs more is refused by the cache itself. */
const CACHE_BYTES = 2 ** 33;

interface Run {
  readonly model: DecoderModel;
  readonly cache: KvCache;
}

function createRun(model: DecoderModel): Run {
  const cache = new KvCache(model.config, { positions: model.maxModelLen, slots: 1, budgetBytes: CACHE_BYTES });
  cache.reserve(1);
  return { model, cache };
}

function measure(reference: Run, other: Run, ids: readonly number[]): Loss {
  const meter = createLossMeter();
  const { vocabSize } = reference.model;
  const logitsOf = ({ model, cache }: Run, from: number, to: number) =>
    model.decoder.prefill(cache, 0, ids, from, to, "all");
  const piece = Math.min(CHUNK, reference.model.decoder.piece, other.model.decoder.piece);
  for (let from = 0; from < ids.length - 1; from += piece) {
    const to = Math.min(ids.length - 1, from + piece);
    const [ours, theirs] = [logitsOf(reference, from, to), logitsOf(other, from, to)];
    for (let at = 0; at < to - from; at++) {
      const row = (logits: Float32Array) => logits.subarray(at * vocabSize, (at + 1) * vocabSize);
      meter.add(row(ours), row(theirs), ids[from + at + 1]!);
    }
  }
  return meter.result();
}

/**
 * Loads a model on a device and says what runs where.
 *
 * @throws GatewayError `unsupported` when a device that was named cannot be had
 */
export async function tryDevice(
  files: Files,
  directory: string,
  device: "auto" | "cpu" | "webgpu" | "cuda",
): Promise<NonNullable<DecoderModel["device"]>> {
  const model = toDecoderModel(
    await loadModel({ files, directory, sets: [], device, maxModelLen: 1, onProgress: () => {} }),
  );
  model.release();
  return model.device!;
}

/**
 * Compares form after form; each row comes as soon as it is measured. A form that holds the weights as an earlier one
 * does gives no row.
 *
 * @param ids tokens to predict; default: the built-in text in the model's own vocabulary
 * @returns what the float32 model takes, in bytes
 * @throws GatewayError what loading throws
 */
export async function compareForms(options: {
  readonly files: Files;
  readonly model: string;
  readonly forms: readonly LossForm[];
  readonly ids?: readonly number[];
  readonly onRow: (row: LossRow) => void;
}): Promise<{ readonly weightBytes: number; readonly positions: number }> {
  const { files, model: directory, forms } = options;
  const words = options.ids === undefined ? await openWords(files, directory) : undefined;
  const all = options.ids ?? words!.tokenizer.encode(LOSS_TEXT, true);
  const load = async (quantize: "none" | "auto" | "int8" | "int4", maxModelLen: number): Promise<DecoderModel> =>
    toDecoderModel(
      await loadModel({ files, directory, sets: [], device: "cpu", maxModelLen, quantize, onProgress: () => {} }),
    );
  const { openModelConfig } = await import("../open-model-config.ts");
  const config = await openModelConfig(files, directory);
  const ids = all.slice(0, Math.min(TOKENS_LIMIT, config.maxPositions));
  if (ids.length < 2) throw new GatewayError("invalid_value", "A comparison needs at least two tokens of text.");
  const reference = createRun(await load("none", ids.length));
  const seen = new Set<string>();
  try {
    for (const form of forms) {
      const other = createRun(await load(form === "keep" ? "auto" : form, ids.length));
      try {
        const { weightFormat = "", weightBytes } = other.model;
        if (seen.has(`${weightFormat} ${weightBytes}`)) continue;
        seen.add(`${weightFormat} ${weightBytes}`);
        options.onRow({ form, weightFormat, weightBytes, ...measure(reference, other, ids) });
      } finally {
        other.cache.release();
        other.model.release();
      }
    }
    return { weightBytes: reference.model.weightBytes, positions: ids.length - 1 };
  } finally {
    reference.cache.release();
    reference.model.release();
  }
}
