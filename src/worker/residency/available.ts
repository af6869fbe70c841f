/** How much memory this process could still take. */
import { freemem } from "node:os";
import process from "node:process";

/** Bytes: what the machine has available, or what the container's limit leaves where that is less. */
export function availableBytes(): number {
  const available = (process as { availableMemory?: () => number }).availableMemory;
  return typeof available === "function" ? available.call(process) : freemem();
}
