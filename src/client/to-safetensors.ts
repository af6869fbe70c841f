/** Tensors in memory → the bytes of one safetensors file, to be uploaded. */
import { type TensorToWrite, writeSafetensors } from "../tensor/write.ts";
import { type NamedTensor, toSourceTensors } from "./tensors.ts";

async function toBytes(pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Uint8Array> {
  const all = await Array.fromAsync(pieces);
  const [only] = all;
  return all.length === 1 && only !== undefined
    ? only
    : new Uint8Array(await new Blob(all as BlobPart[]).arrayBuffer());
}

/**
 * A safetensors file as a Blob; the values are taken as they are now.
 *
 * @throws GatewayError for an unknown dtype, data of another length than the shape, a tensor given twice; names the tensor.
 */
export async function toSafetensors(tensors: Iterable<NamedTensor> | AsyncIterable<NamedTensor>): Promise<Blob> {
  const list: TensorToWrite[] = [];
  for await (const { name, dtype, shape, bytes } of toSourceTensors(tensors)) {
    list.push({ name, dtype, shape, data: () => toBytes(bytes()) });
  }
  const parts: BlobPart[] = [];
  const take = async (piece: Uint8Array): Promise<void> => void parts.push(piece as Uint8Array<ArrayBuffer>);
  await writeSafetensors({ write: take, close: async () => undefined }, list, { format: "pt" });
  return new Blob(parts);
}
