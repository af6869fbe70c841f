/** The Python values that rendezvous exchanges, as TypeScript values, and the bounds of reading them. Reads nothing. */
import { GatewayError } from "../../errors.ts";

/** Bytes of an `ncclUniqueId` (`NCCL_UNIQUE_ID_BYTES` of nccl.h). */
export const NCCL_UNIQUE_ID_BYTES = 128;

/** Where vLLM (0.8 to 0.32) defines the ctypes structure that it pickles. */
export const NCCL_UNIQUE_ID_CLASS = {
  module: "vllm.distributed.device_communicators.pynccl_wrapper",
  name: "ncclUniqueId",
} as const;

/** vLLM's `ncclUniqueId`: 128 opaque bytes that name a communicator to be. */
export class NcclUniqueId {
  readonly bytes: Uint8Array;

  /** @throws GatewayError `invalid_value` unless there are exactly 128 bytes. */
  constructor(bytes: Uint8Array) {
    if (bytes.length !== NCCL_UNIQUE_ID_BYTES) {
      throw new GatewayError("invalid_value", `ncclUniqueId must have 128 bytes, got ${bytes.length}.`);
    }
    this.bytes = bytes;
  }
}

/** A Python tuple; a list is an array. */
export class PickleTuple {
  readonly items: readonly PickleValue[];

  constructor(items: readonly PickleValue[]) {
    this.items = items;
  }
}

/** A key of a Python dict that we take. */
export type PickleKey = string | number | bigint;

/** int is a number where it is safe, else a bigint; bytes is a Uint8Array; dict is a Map. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | NcclUniqueId
  | PickleTuple
  | readonly PickleValue[]
  | ReadonlyMap<PickleKey, PickleValue>;

/** Bounds of one pickle. What rendezvous sends is a few hundred bytes. */
export interface PickleLimits {
  readonly bytes: number;
  /** Opcodes read. */
  readonly steps: number;
  /** Containers inside each other. */
  readonly depth: number;
}

export const DEFAULT_PICKLE_LIMITS: PickleLimits = { bytes: 2 ** 20, steps: 2 ** 16, depth: 32 };

/** A pickle that is not taken; nothing of it was executed. */
export function pickleError(message: string): GatewayError {
  return new GatewayError("sync_failed", `Pickle refused: ${message}`, { phase: "rendezvous" });
}
