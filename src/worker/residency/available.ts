/** How much memory this process could still take. */
import { freemem } from "node:os";
import process from "node:process";
import { readCgroupMemory } from "../cgroup.ts";

/** Bytes: what the machine has available, or what the container's limit leaves where that is less. */
export function availableBytes(): number {
  const available = (process as { availableMemory?: () => number }).availableMemory;
  const machine = typeof available === "function" ? available.call(process) : freemem();
  // Not every runtime looks at the container: Bun 1.4 says what the machine has.
  return Math.min(machine, readCgroupMemory()?.freeBytes ?? Number.POSITIVE_INFINITY);
}
