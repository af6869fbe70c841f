/** Makes memory leave the process that it can do without: what the collector holds, what the C library keeps, code. */
import { dropCodePages } from "./code-pages.ts";
import { trimHeap } from "./mapping.ts";

/** Blocks for some milliseconds. On a runtime whose collector cannot be asked, JavaScript's own garbage stays a while. */
export function giveMemoryBack(): void {
  const { Bun: bun } = globalThis as { Bun?: { readonly gc?: (force: boolean) => void } };
  bun?.gc?.(true);
  trimHeap();
  dropCodePages();
}
