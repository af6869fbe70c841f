/** Finds out which of the three runtimes this is. The only such switch in the program. */
import type { Platform } from "../platform/types.ts";

/** Loads the platform of the runtime that runs us; the others' files are never loaded. */
export async function loadPlatform(): Promise<Platform> {
  if ("Bun" in globalThis) return (await import("../platform/bun.ts")).platform;
  if ("Deno" in globalThis) return (await import("../platform/deno.ts")).platform;
  return (await import("../platform/node.ts")).platform;
}
