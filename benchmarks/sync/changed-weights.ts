/** Other weights of the same model: every 16-bit number of a safetensors file with its second lowest bit drawn anew. */
import { closeSync, openSync, readSync, writeSync } from "node:fs";

const PIECE_BYTES = 8 * 2 ** 20;
/** Of a bfloat16, which has seven bits of fraction: at most 1.6 % of a number, never infinity or NaN. */
const DRAWN_BIT = 2;

/**
 * Copies `path` to `target` with changed numbers; the header stays as it is.
 *
 * @throws Error when a tensor is not BF16
 */
export function writeChangedWeights(path: string, target: string, seed: number): void {
  const [from, to] = [openSync(path, "r"), openSync(target, "w")];
  const length = Buffer.alloc(8);
  readSync(from, length);
  const header = Buffer.alloc(Number(length.readBigUInt64LE()));
  readSync(from, header);
  const { __metadata__, ...tensors } = JSON.parse(header.toString()) as Record<string, { dtype?: string }>;
  const other = Object.entries(tensors).find(([, { dtype }]) => dtype !== "BF16");
  if (other !== undefined) throw new Error(`Tensor ${other[0]} is ${other[1].dtype}; this benchmark takes BF16 only.`);
  writeSync(to, length);
  writeSync(to, header);
  const piece = new Uint8Array(PIECE_BYTES);
  const words = new Uint16Array(piece.buffer);
  let state = seed | 1;
  for (;;) {
    const bytes = readSync(from, piece);
    if (bytes === 0) break;
    for (let at = 0; at < bytes / 2; at += 1) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      words[at] = words[at]! ^ ((state >>> 30) & DRAWN_BIT);
    }
    writeSync(to, piece, 0, bytes);
  }
  closeSync(from);
  closeSync(to);
}
