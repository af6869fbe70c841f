/**
 * Weights over a communicator, in the two ways of vLLM: one broadcast per tensor, or packed runs of bytes
 * (`vllm/distributed/weight_transfer/packed_tensor.py`, 0.32). Names, types and shapes travel elsewhere (HTTP).
 */
import { GatewayError } from "../../errors.ts";
import { type Dtype, tensorBytes } from "../../tensor/dtype.ts";
import type { NcclCommunicator } from "./nccl-communicator.ts";
import { toNcclType } from "./nccl-numbers.ts";
import type { CallOptions } from "./tcp-store-deadline.ts";

/** What both sides know of a tensor beforehand. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

/** A tensor with its bytes, little-endian, row by row. */
export interface NamedTensor extends TensorSpec {
  readonly bytes: Uint8Array;
}

/** How the bytes travel. */
export interface WeightTransferOptions extends CallOptions {
  /** Set: packed, a run ends as soon as it is longer than this many bytes. All ranks must have the same; vLLM's is 1 GiB. */
  readonly packedBytes?: number;
  /** Called after each broadcast with what is through so far. */
  readonly onProgress?: (progress: { readonly tensors: number; readonly bytes: number }) => void;
}

/** vLLM's `DEFAULT_PACKED_BUFFER_SIZE_BYTES`. */
export const DEFAULT_PACKED_BYTES = 2 ** 30;

function sizeOf({ name, dtype, shape }: TensorSpec): number {
  const bytes = tensorBytes(dtype, shape);
  if (bytes !== undefined) return bytes;
  const text = `Tensor ${name}: ${dtype} [${shape.join(", ")}] is no whole number of bytes that fits.`;
  throw new GatewayError("weights_shape_mismatch", text, { phase: "transfer", tensor: name });
}

function check(tensor: NamedTensor): NamedTensor {
  const expected = sizeOf(tensor);
  if (tensor.bytes.length === expected) return tensor;
  const text = `Tensor ${tensor.name}: ${tensor.dtype} [${tensor.shape.join(", ")}] takes ${expected} bytes, got ${tensor.bytes.length}.`;
  throw new GatewayError("weights_shape_mismatch", text, { phase: "transfer", tensor: tensor.name });
}

/** Runs of tensors as vLLM's `pack_tensors` makes them: the tensor that goes over `limit` bytes still belongs to the run. */
export async function* toRuns<T extends TensorSpec>(
  tensors: Iterable<T> | AsyncIterable<T>,
  limit: number,
): AsyncGenerator<T[]> {
  let run: T[] = [];
  let bytes = 0;
  for await (const tensor of tensors) {
    run.push(tensor);
    bytes += sizeOf(tensor);
    if (bytes <= limit) continue;
    yield run;
    run = [];
    bytes = 0;
  }
  if (run.length > 0) yield run;
}

/** A tensor by itself travels in its own type; a run as plain bytes. */
function toType(run: readonly TensorSpec[], packed: boolean): Dtype {
  if (packed) return "U8";
  const [tensor] = run;
  toNcclType(tensor!.dtype, tensor!.name);
  return tensor!.dtype;
}

/**
 * Sends tensors from this rank, in the order given, which must be the order that the others were told. The deadline
 * (`timeout`) holds for each broadcast. Memory: one run, on the host and on the device.
 *
 * @returns how many tensors and bytes went out
 * @throws GatewayError `weights_shape_mismatch`, `weights_dtype_mismatch` (nothing of that run was sent); what
 *   `NcclCommunicator.send` throws. The communicator is unusable only after the latter.
 */
export async function sendTensors(
  communicator: NcclCommunicator,
  tensors: Iterable<NamedTensor> | AsyncIterable<NamedTensor>,
  options: WeightTransferOptions = {},
): Promise<{ readonly tensors: number; readonly bytes: number }> {
  const packed = options.packedBytes !== undefined;
  let sent = { tensors: 0, bytes: 0 };
  for await (const run of toRuns(tensors, options.packedBytes ?? -1)) {
    const parts = run.map((tensor) => check(tensor).bytes);
    await communicator.send(parts, toType(run, packed), options);
    const bytes = parts.reduce((sum, part) => sum + part.length, sent.bytes);
    sent = { tensors: sent.tensors + run.length, bytes };
    options.onProgress?.(sent);
  }
  return sent;
}

/**
 * Receives the tensors that `root` sends, in the order of `specs`. Pull-driven: the next broadcast is joined when the last
 * tensor of a run was taken, so a slow consumer holds one run.
 */
export async function* receiveTensors(
  communicator: NcclCommunicator,
  specs: Iterable<TensorSpec>,
  root: number,
  options: WeightTransferOptions = {},
): AsyncGenerator<NamedTensor> {
  const packed = options.packedBytes !== undefined;
  let received = { tensors: 0, bytes: 0 };
  for await (const run of toRuns(specs, options.packedBytes ?? -1)) {
    const sizes = run.map(sizeOf);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const bytes = await communicator.receive(total, toType(run, packed), root, options);
    received = { tensors: received.tensors + run.length, bytes: received.bytes + total };
    options.onProgress?.(received);
    let at = 0;
    for (const [index, spec] of run.entries()) {
      yield { ...spec, bytes: bytes.subarray(at, at + sizes[index]!) };
      at += sizes[index]!;
    }
  }
}
