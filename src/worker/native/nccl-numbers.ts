/** Numbers of nccl.h (2.14 to 2.30) and cuda_runtime_api.h (13.0): result codes, element types, flags. Calls nothing. */
import { GatewayError } from "../../errors.ts";
import type { Dtype } from "../../tensor/dtype.ts";

/** `ncclResult_t`, where the code decides something here. */
export const NCCL_RESULT = { success: 0, inProgress: 7 } as const;

/** `cudaError_t`, where the code decides something here. */
export const CUDA_RESULT = { success: 0, notReady: 600 } as const;

/** `ncclDataType_t`. A broadcast only moves bytes, but all ranks must name the same type; vLLM names the tensor's own. */
const NCCL_TYPE: Partial<Record<Dtype, number>> = {
  I8: 0,
  U8: 1,
  BOOL: 1,
  I32: 2,
  U32: 3,
  I64: 4,
  U64: 5,
  F16: 6,
  F32: 7,
  F64: 8,
  BF16: 9,
  F8_E4M3: 10,
  F8_E5M2: 11,
};

/**
 * The number by which NCCL knows an element type.
 *
 * @throws GatewayError `weights_dtype_mismatch` for types it has none for (16-bit integers, 4- and 6-bit floats …).
 */
export function toNcclType(dtype: Dtype, tensor?: string): number {
  const type = NCCL_TYPE[dtype];
  if (type !== undefined) return type;
  const accepted = Object.keys(NCCL_TYPE).join(", ");
  const details = { phase: "transfer", ...(tensor !== undefined && { tensor }) };
  throw new GatewayError("weights_dtype_mismatch", `NCCL has no element type ${dtype}; it has ${accepted}.`, details);
}

/**
 * `ncclConfig_t` with one wish, `blocking = 0`: calls return and are asked for their end, so that a deadline can abort
 * them. The layout is that of NCCL 2.14; every later library reads a shorter, older structure by its size and version.
 */
export function toNonBlockingConfig(): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(24));
  view.setBigUint64(0, 24n, true);
  view.setUint32(8, 0xcafebeef, true);
  view.setUint32(12, 21_400, true);
  view.setInt32(16, 0, true);
  return new Uint8Array(view.buffer);
}

/** 23007 is 2.30.7; before 2.9 the factor was another, and such libraries are too old here. */
export function toNcclVersion(code: number): string {
  return `${Math.floor(code / 10_000)}.${Math.floor((code % 10_000) / 100)}.${code % 100}`;
}
