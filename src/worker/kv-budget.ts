/** How much memory the KV cache may take on this machine. */
import { totalmem } from "node:os";
import { constrainedMemory } from "node:process";
import { readCgroupMemory } from "./cgroup.ts";

/** Half of what this process may use: the smaller of the machine's memory and the container's limit. */
export function availableKvBytes(): number {
  const limit = typeof constrainedMemory === "function" ? (constrainedMemory() ?? 0) : 0;
  const total = Math.min(totalmem(), readCgroupMemory()?.limitBytes ?? Number.POSITIVE_INFINITY);
  return Math.floor((limit > 0 && limit < total ? limit : total) / 2);
}
