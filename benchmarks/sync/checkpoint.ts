/** A checkpoint of any size: random, finite half-precision numbers in tensors of 8 MiB. */
import { mkdirSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";

const TENSOR_BYTES = 8 * 2 ** 20;

/** Writes `megabytes` MiB into `directory`/model.safetensors and gives back the size of the file. */
export async function writeCheckpoint(directory: string, megabytes: number, seed: number): Promise<number> {
  mkdirSync(directory, { recursive: true });
  const count = Math.max(1, Math.round((megabytes * 2 ** 20) / TENSOR_BYTES));
  const entries = Array.from({ length: count }, (_, index) => [
    `model.layers.${index}.weight`,
    { dtype: "BF16", shape: [2048, 2048], data_offsets: [index * TENSOR_BYTES, (index + 1) * TENSOR_BYTES] },
  ]);
  let text = JSON.stringify(Object.fromEntries(entries));
  text = text.padEnd(text.length + ((8 - (text.length % 8)) % 8));
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(text.length));
  const file = await open(join(directory, "model.safetensors"), "w");
  await file.write(Buffer.concat([head, Buffer.from(text)]));
  const words = new Uint16Array(TENSOR_BYTES / 2);
  let state = seed | 1;
  for (let tensor = 0; tensor < count; tensor += 1) {
    for (let at = 0; at < words.length; at += 1) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      // The exponent's top bit stays 0: never infinity or NaN.
      words[at] = (state >>> 16) & 0xbfff;
    }
    await file.write(new Uint8Array(words.buffer));
  }
  await file.sync();
  await file.close();
  return 8 + text.length + count * TENSOR_BYTES;
}
