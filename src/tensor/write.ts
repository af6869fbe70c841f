/**
 * Writes one safetensors file, streaming. Same layout as the reference library's writer: largest dtype first, then by
 * name, header padded with spaces to a multiple of 8 bytes. Making the file visible (rename) is the caller's work.
 */
import { GatewayError, showValue } from "../errors.ts";
import type { FileWriter } from "../ports.ts";
import { DTYPES, type Dtype, tensorBytes } from "./dtype.ts";
import { LENGTH_BYTES } from "./safetensors.ts";

export interface TensorToWrite {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Called once, when its turn comes. Little-endian, row-major; must give exactly the bytes of dtype × shape. */
  readonly data: () => Uint8Array | Promise<Uint8Array> | AsyncIterable<Uint8Array>;
}

/** Tensors in the order their bytes are written. */
function ordered(tensors: readonly TensorToWrite[]): readonly TensorToWrite[] {
  const rank = new Map(DTYPES.map((dtype, index) => [dtype, index]));
  return [...tensors].sort((a, b) => {
    const byDtype = rank.get(b.dtype)! - rank.get(a.dtype)!;
    return byDtype !== 0 ? byDtype : a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
  });
}

function headerBytes(
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>> | undefined,
): Uint8Array {
  const fields: string[] = [];
  if (metadata !== undefined) fields.push(`"__metadata__":${JSON.stringify(metadata)}`);
  const seen = new Set<string>();
  let begin = 0;
  for (const { name, dtype, shape } of tensors) {
    const bytes = tensorBytes(dtype, shape);
    if (bytes === undefined || name === "__metadata__") {
      throw new GatewayError(
        "weights_malformed",
        `Tensor ${showValue(name)} (${dtype} [${shape}]) cannot be written.`,
        {
          tensor: name,
        },
      );
    }
    if (seen.has(name)) {
      throw new GatewayError("weights_duplicate_tensor", `Tensor ${showValue(name)} is given twice.`, { tensor: name });
    }
    seen.add(name);
    fields.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, begin + bytes] })}`);
    begin += bytes;
  }
  const json = new TextEncoder().encode(`{${fields.join(",")}}`);
  const padded = Math.ceil(json.byteLength / 8) * 8;
  const out = new Uint8Array(LENGTH_BYTES + padded).fill(0x20);
  new DataView(out.buffer).setBigUint64(0, BigInt(padded), true);
  out.set(json, LENGTH_BYTES);
  return out;
}

async function* pieces(data: ReturnType<TensorToWrite["data"]>): AsyncIterable<Uint8Array> {
  if (data instanceof Uint8Array) yield data;
  else if (Symbol.asyncIterator in data) yield* data;
  else yield await data;
}

/**
 * Writes the header and all tensors. Does not close `writer`.
 *
 * @param metadata the file's `__metadata__`; Hugging Face readers expect `{ format: "pt" }`.
 * @throws GatewayError `weights_malformed` when a tensor's data has another length than dtype × shape, `weights_duplicate_tensor`.
 */
export async function writeSafetensors(
  writer: FileWriter,
  tensors: readonly TensorToWrite[],
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  const inOrder = ordered(tensors);
  await writer.write(headerBytes(inOrder, metadata));
  for (const { name, dtype, shape, data } of inOrder) {
    let left = tensorBytes(dtype, shape)!;
    for await (const piece of pieces(data())) {
      left -= piece.byteLength;
      if (left < 0) break;
      await writer.write(piece);
    }
    if (left !== 0) {
      throw new GatewayError(
        "weights_malformed",
        `Tensor ${showValue(name)}: its data is ${left < 0 ? "longer" : `${left} bytes shorter`} than ${dtype} [${shape}].`,
        { tensor: name },
      );
    }
  }
}
