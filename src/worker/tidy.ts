/**
 * Keeps the memory of a worker at one level under load. The KV cache counts as the collector's, so that left alone it would
 * let as much garbage grow beside it before it looks.
 */
import process from "node:process";
import { setInterval } from "node:timers";
import { createCollectByUse } from "../lib/collect-by-use.ts";

/** CPU seconds between two collections: one takes about 15 ms of them (docs/performance.md). */
const EVERY = 3;
const LOOK_MILLISECONDS = 1000;

/** Looks once a second, between two steps. On a runtime whose collector cannot be asked there is nothing to do. */
export async function startTidy(): Promise<void> {
  if (process.versions.bun === undefined) return;
  // Not a literal: other runtimes must not look for it.
  const name: string = "bun:jsc";
  const { fullGC } = (await import(name)) as { readonly fullGC: () => number };
  const cpuSeconds = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  };
  setInterval(
    createCollectByUse({ cpuSeconds, collect: () => void fullGC(), every: EVERY }),
    LOOK_MILLISECONDS,
  ).unref();
}
