/** Tensors as users of the library give them, and the forms that travel: names of types, bytes, runs of bounded size. */
import { GatewayError, invalidValue } from "../errors.ts";
import { type Dtype, tensorBytes } from "../tensor/dtype.ts";
import { parseTorchDtype, TORCH_DTYPE } from "../tensor/torch-dtype.ts";
import type { Weights } from "../tensor/weights.ts";
import type { WireTensor } from "../worker/communicator-protocol.ts";

/** One tensor with its values, little-endian, row by row. */
export interface NamedTensor {
  /** As in the Hugging Face checkpoint. */
  readonly name: string;
  /** safetensors' spelling ("BF16") or torch's ("bfloat16", "torch.bfloat16"). */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView | ArrayBuffer;
}

/** A tensor whose bytes are read when they are sent. */
export interface SourceTensor extends WireTensor {
  readonly bytes: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/**
 * torch's name of a type, without "torch.".
 *
 * @throws GatewayError `weights_dtype_mismatch` for types that neither NCCL nor vLLM moves.
 */
export function toTorchName(dtype: Dtype, tensor: string): string {
  const name = TORCH_DTYPE[dtype];
  if (name !== undefined) return name;
  const accepted = Object.keys(TORCH_DTYPE).join(", ");
  throw new GatewayError(
    "weights_dtype_mismatch",
    `Tensor ${tensor}: ${dtype} cannot be sent; accepted: ${accepted}.`,
    {
      tensor,
    },
  );
}

const toBytes = (data: ArrayBufferView | ArrayBuffer): Uint8Array =>
  data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** Checks one tensor: type known, length right. */
export function toSourceTensor({ name, dtype: text, shape, data }: NamedTensor): SourceTensor {
  const dtype = parseTorchDtype(text);
  if (dtype === undefined)
    throw invalidValue(`dtype of ${name}`, text, `one of ${Object.values(TORCH_DTYPE).join(", ")}`);
  const bytes = toBytes(data);
  const expected = tensorBytes(dtype, shape);
  if (bytes.length !== expected) {
    const text = `Tensor ${name}: ${dtype} [${shape.join(", ")}] takes ${expected} bytes, got ${bytes.length}.`;
    throw new GatewayError("weights_shape_mismatch", text, { tensor: name });
  }
  return { name, dtype, shape, bytes: () => [bytes] };
}

/** The tensors of opened weights, in the order of the bytes, read piece by piece when they are sent. */
export async function* toFileTensors(weights: Weights): AsyncGenerator<SourceTensor> {
  for (const [name, { dtype, shape }] of weights.tensors) {
    yield { name, dtype, shape, bytes: () => weights.chunks(name) };
  }
}

/** Checks tensors as they come. */
export async function* toSourceTensors(
  tensors: Iterable<NamedTensor> | AsyncIterable<NamedTensor>,
): AsyncGenerator<SourceTensor> {
  for await (const tensor of tensors) yield toSourceTensor(tensor);
}

/** Bytes of a tensor that was checked. */
export const sizeOf = ({ dtype, shape }: WireTensor): number => tensorBytes(dtype, shape) ?? 0;

/** Runs of tensors: each ends with the tensor that brings it to `bytes`. What is not a file is held in memory meanwhile. */
export async function* toBatches(
  tensors: AsyncIterable<SourceTensor>,
  bytes: number,
): AsyncGenerator<readonly SourceTensor[]> {
  let batch: SourceTensor[] = [];
  let size = 0;
  for await (const tensor of tensors) {
    batch.push(tensor);
    size += sizeOf(tensor);
    if (size < bytes) continue;
    yield batch;
    batch = [];
    size = 0;
  }
  if (batch.length > 0) yield batch;
}

/** The bytes of a batch, one tensor after another. */
export async function* bytesOf(batch: readonly SourceTensor[]): AsyncGenerator<Uint8Array> {
  for (const tensor of batch) yield* tensor.bytes();
}
