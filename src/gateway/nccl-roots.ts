/**
 * Where this machine can drive NCCL: a communicator process per sync and server, rank 0 of that server's group. Nothing
 * native is loaded here; whether there is NCCL and a GPU, the process tells.
 */
import { CommunicatorProcess } from "../communicator/process.ts";
import type { Config } from "../config.ts";
import type { OpenNcclRoot } from "../engine/vllm/weights-nccl.ts";
import { GatewayError } from "../errors.ts";
import type { Logger } from "../observe/log.ts";
import type { Ports } from "../ports.ts";
import { toReach } from "./bridge.ts";

/** What there is. */
export interface NcclRootsOptions {
  readonly ports: Pick<Ports, "spawn" | "clock">;
  readonly log: Logger;
  readonly config: Pick<Config, "ncclHost" | "ncclLibrary" | "cudartLibrary">;
}

/** The one group of a process. */
const GROUP = "server";
/** The caller's signal ends every wait before; this is the longest deadline that a sync can have. */
const TIMEOUT_MILLISECONDS = 86_400_000;

/** Undefined where there are no processes. That the libraries are not there is asked once in a gateway's life. */
export function createNcclRoots({ ports, log, config }: NcclRootsOptions): OpenNcclRoot | undefined {
  const { spawn, clock } = ports;
  if (spawn === undefined) return undefined;
  const libraries = { nccl: config.ncclLibrary ?? null, cudart: config.cudartLibrary ?? null };
  let noLibraries: string | undefined;

  return async (url, { signal }) => {
    if (noLibraries !== undefined) return { missing: noLibraries };
    const worker = new CommunicatorProcess({ spawn, clock });
    const end = () => worker.stop();
    try {
      await worker.call("probe", { libraries }, { signal });
    } catch (error) {
      // One that ended by itself crashed in native code, which is no "not there".
      const crashed = worker.gone !== null;
      await end();
      if (signal.aborted || crashed || !(error instanceof GatewayError)) throw error;
      log.info("no NCCL on this machine", { reason: error.message });
      if (error.code === "unsupported") noLibraries = error.message;
      return { missing: error.message };
    }
    return {
      async join(worldSize, { signal: bounded, onListening }) {
        const place = { host: config.ncclHost ?? null, port: 0, reach: toReach(url), rank: 0, worldSize };
        const request = {
          group: GROUP,
          ...place,
          barrier: "arrival" as const,
          timeout: TIMEOUT_MILLISECONDS,
          libraries,
        };
        await worker.call("open", request, { signal: bounded, onListening });
      },
      async send(tensors, source, { signal: bounded }) {
        const request = { group: GROUP, tensors, packed: null, timeout: TIMEOUT_MILLISECONDS };
        await worker.call("send", request, { signal: bounded, source });
      },
      end,
    };
  };
}
