/**
 * The engine's own logits of whole prompts against transformers': `bun tests/interop/smol-logits.ts MODEL FOLDER`, where FOLDER is what
 * smol_reference.py wrote. Prints the largest difference over all prompts, positions and tokens.
 */
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { createFiles } from "../../src/platform/shared/files.ts";
import { widen } from "../../src/tensor/half.ts";
import { openWeights } from "../../src/tensor/weights.ts";
import { KvCache } from "../../src/worker/kv-cache.ts";
import { toDecoderModel } from "../../src/worker/load-model.ts";
import { loadDirectory } from "../support/batch.ts";

const POSITIONS = 512;
const [directory = "", folder = ""] = process.argv.slice(2);
const { decoder, config } = toDecoderModel(await loadDirectory(pathToFileURL(directory), POSITIONS));
const cases = JSON.parse(readFileSync(`${folder}/cases.json`, "utf8")) as { readonly ids: readonly number[] }[];
const expected = await openWeights(createFiles(), [`${folder}/logits.safetensors`]);
const cache = new KvCache(config, { positions: POSITIONS, slots: 1, budgetBytes: 2 ** 32 });
cache.reserve(1);
let largest = 0;
for (const [index, { ids }] of cases.entries()) {
  const want = widen("F32", await expected.read(`l${index}`));
  const got = decoder.prefill(cache, 0, ids, 0, ids.length, "all");
  if (want.length !== ids.length * config.vocabSize) throw new Error(`logits of prompt ${index} have another shape`);
  for (let at = 0; at < want.length; at++) {
    const difference = Math.abs(want[at]! - got[at]!);
    // NaN is no small difference.
    if (!(difference <= largest)) largest = difference;
  }
}
await expected.close();
console.log(JSON.stringify({ prompts: cases.length, largest }));
