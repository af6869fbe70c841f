/**
 * An allocator of ours that sessions take their memory from, so that the weights which a session packs for itself lie
 * at addresses we know. While a region is set, a session that is being made gets its memory there, one piece after the
 * other; later, a call's intermediate results come from the heap, kept for the next call.
 *
 * Struct: `OrtAllocator` of onnxruntime_c_api.h. Called on the thread that calls ONNX Runtime: sessions that use it are
 * made by a blocking call and run with one thread.
 */
import koffi from "koffi";
import { openLibc, type Region } from "./mapping.ts";
import { pinnedPointers } from "./memory.ts";

/** What `AVX-512` loads want, and ONNX Runtime's own allocator gives. */
const ALIGNMENT = 64;
/** Bytes of freed blocks that are kept: the results of one layer for a piece of a prompt. */
const KEPT_BYTES = 32 * 2 ** 20;
/** Version of the struct: the one with no more than the three functions, which every later version accepts. */
const STRUCT_VERSION = 16;

export interface SessionAllocator {
  /** The C struct; its memory is held by the object. */
  readonly struct: BigUint64Array;
  /** Runs `make`, whose allocations go to the region. Throws when it was too small. */
  into<T>(region: Region, make: () => T): T;
}

/** @param memoryInfo handle of an `OrtMemoryInfo` of the CPU with a device allocator */
export function createSessionAllocator(memoryInfo: bigint): SessionAllocator {
  const libc = openLibc();
  const sizes = new Map<number, number>();
  const free = new Map<number, number[]>();
  let kept = 0;
  let region: Region | null = null;
  let overflow = 0;

  const takeHeap = (size: number): number | bigint => {
    const rounded = Math.ceil(Math.max(size, 1) / ALIGNMENT) * ALIGNMENT;
    const again = free.get(rounded)?.pop();
    if (again !== undefined) {
      kept -= rounded;
      return again;
    }
    const address = Number(libc.alignedAlloc(ALIGNMENT, rounded));
    if (address !== 0) sizes.set(address, rounded);
    return address;
  };
  const allocate = (_self: unknown, size: number | bigint): number | bigint => {
    if (region === null) return takeHeap(Number(size));
    const address = region.allocate(Number(size), ALIGNMENT);
    if (address !== null) return address;
    overflow += Number(size);
    return takeHeap(Number(size));
  };
  const release = (_self: unknown, pointer: number | bigint): void => {
    const address = Number(pointer);
    const size = sizes.get(address);
    // Memory of a region goes with the region.
    if (size === undefined) return;
    if (kept + size > KEPT_BYTES) {
      sizes.delete(address);
      libc.free(address);
      return;
    }
    kept += size;
    const list = free.get(size);
    if (list === undefined) free.set(size, [address]);
    else list.push(address);
  };
  const register = (result: string, args: readonly string[], callback: (...values: never[]) => unknown): bigint =>
    BigInt(koffi.address(koffi.register(callback, koffi.pointer(koffi.proto(result, [...args])))));
  const struct = pinnedPointers(8);
  new Uint32Array(struct.buffer)[0] = STRUCT_VERSION;
  struct[1] = register("uint64", ["uint64", "uint64"], allocate);
  struct[2] = register("void", ["uint64", "uint64"], release);
  struct[3] = register("uint64", ["uint64"], () => memoryInfo);

  return {
    struct,
    into(target, make) {
      region = target;
      overflow = 0;
      try {
        const made = make();
        if (overflow > 0) throw new Error(`A session needed ${overflow} bytes more than its region has.`);
        return made;
      } finally {
        region = null;
      }
    },
  };
}
