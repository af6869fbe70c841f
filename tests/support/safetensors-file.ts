/** Writes a .safetensors file from tensors in memory, in the order given. */
import { writeFileSync } from "node:fs";

/** One tensor, in safetensors' spelling. */
export interface FileTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

export function writeSafetensorsFile(path: string, tensors: readonly FileTensor[]): void {
  let at = 0;
  const header: Record<string, unknown> = {};
  for (const { name, dtype, shape, data } of tensors) {
    header[name] = { dtype, shape, data_offsets: [at, at + data.length] };
    at += data.length;
  }
  let json = JSON.stringify(header);
  json += " ".repeat((8 - (json.length % 8)) % 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(path, Buffer.concat([length, Buffer.from(json), ...tensors.map(({ data }) => data)]));
}
