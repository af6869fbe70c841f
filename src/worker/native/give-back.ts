/** Makes freed memory leave the process: what the collector holds, then what the C library keeps for later. */
import { trimHeap } from "./mapping.ts";

/** Blocks for some milliseconds. On a runtime whose collector cannot be asked, JavaScript's own garbage stays a while. */
export function giveMemoryBack(): void {
  const { Bun: bun } = globalThis as { Bun?: { readonly gc?: (force: boolean) => void } };
  bun?.gc?.(true);
  trimHeap();
}
