/** Joins a group of servers as its trainer: asks which dialect they speak, then opens that one. Speaks HTTP and frames. */
import { CommunicatorProcess } from "../communicator/process.ts";
import type { Ports } from "../ports.ts";
import { ask, bounded, type Peer } from "./communicator-http.ts";
import { openLegacyCommunicator } from "./communicator-legacy.ts";
import { openNativeCommunicator } from "./communicator-native.ts";
import { tell } from "./communicator-step.ts";
import type { Communicator, CommunicatorOptions } from "./communicator-types.ts";

const DEFAULT_DEADLINE = 120;

/** The size of the servers' side, and who answered. */
async function findDialect(
  connection: Peer,
  wanted: "auto" | "native" | "trl",
  signal: AbortSignal,
): Promise<{ readonly dialect: "native" | "trl"; readonly serverRanks: number }> {
  const paths = [
    ["native", "/get_world_size"],
    ["trl", "/get_world_size/"],
    ["trl", "/get_tensor_parallel_size/"],
  ] as const;
  let failure: unknown;
  for (const [dialect, path] of paths) {
    if (wanted !== "auto" && wanted !== dialect) continue;
    try {
      const { json } = await ask(connection, path, { signal });
      const answer = (json ?? {}) as { world_size?: unknown; tensor_parallel_size?: unknown };
      const serverRanks = answer.world_size ?? answer.tensor_parallel_size;
      if (typeof serverRanks === "number" && Number.isInteger(serverRanks) && serverRanks > 0)
        return { dialect, serverRanks };
      failure = new Error(`${connection.baseUrl}${path} answered no number of ranks.`);
    } catch (error) {
      failure = error;
      if (signal.aborted) break;
    }
  }
  throw failure;
}

/**
 * Joins the servers' group as its trainer.
 *
 * @throws WeightSyncError with phase "init" or "rendezvous" and the server's or the worker's own words; nothing is left
 *   behind then, and a new group may be tried.
 */
export async function openCommunicator(
  connection: Peer,
  options: CommunicatorOptions,
  ports: Pick<Ports, "clock" | "random" | "spawn">,
): Promise<Communicator> {
  const signal = bounded(options.signal, (options.deadline ?? DEFAULT_DEADLINE) * 1000);
  const { spawn, clock, random } = ports;
  if (spawn === undefined) throw new TypeError("A communicator needs a runtime that can start processes.");
  const failed = tell(connection, "init", options.signal);
  const { dialect, serverRanks } = await findDialect(connection, options.dialect ?? "auto", signal).catch(failed);
  const worldSize = serverRanks + 1;
  if (options.worldSize !== undefined && options.worldSize !== worldSize) {
    return failed(
      new Error(
        `worldSize must be ${worldSize}: ${serverRanks} ranks of the servers plus this one; got ${options.worldSize}.`,
      ),
    );
  }
  const worker = new CommunicatorProcess({ spawn, clock });
  try {
    const context = { connection, options, worker, signal, random };
    return dialect === "native"
      ? await openNativeCommunicator(context, worldSize)
      : await openLegacyCommunicator(context, worldSize);
  } catch (error) {
    await worker.stop();
    return failed(error);
  }
}
