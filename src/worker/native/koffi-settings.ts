/** koffi's settings, made once for all native code of a process: koffi refuses a change after its first library. */
import koffi from "koffi";

/**
 * Stack of a call that runs on another thread. koffi's own 256 KiB are made for small calls; compiling a graph recurses,
 * and the first calls of CUDA and NCCL load modules.
 */
const ASYNC_STACK_BYTES = 8 * 2 ** 20;

/** Call before the first library is loaded; later and further calls change nothing. */
export function settleKoffi(): void {
  if ((koffi.config().async_stack_size ?? 0) < ASYNC_STACK_BYTES) koffi.config({ async_stack_size: ASYNC_STACK_BYTES });
}
