/**
 * A vLLM server as the receiver of a trainer's own tensors: sends one call, once, in the form of the server's revision.
 * Keeps no opinion on the order of calls: that is the sync room's machine.
 */
import { GatewayError, toGatewayError } from "../../errors.ts";
import type { CallOptions, TransferCall, TransferIdentity, TransferTarget } from "../engine.ts";
import type { Client } from "./client.ts";
import { readLabel, readStartTime } from "./instance.ts";
import { toRevision } from "./revision.ts";
import { type Packing, toPacking, toTransferRequest } from "./transfer-codec.ts";
import { toTransferError } from "./transfer-faults.ts";

/** The target, and what only the engine tells it. */
export interface VllmTransfer extends TransferTarget {
  /** What `GET /version` said. */
  setVersion(text: string | null): void;
  /** The server joined a group through this, and has not left it. */
  readonly joined: boolean;
  /** Another process answers: it is in no group. */
  forget(): void;
}

/** Creates it. Nothing is sent before the first call. */
export function createTransfer(client: Client, onMet: (identity: TransferIdentity) => void): VllmTransfer {
  let revision = toRevision(null);
  let packing: Packing = {};
  let joined = false;

  /** Best effort: a server may serve its metrics elsewhere, or not at all. */
  async function instance(signal: AbortSignal): Promise<string | null> {
    try {
      return await readStartTime(client, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      return null;
    }
  }

  const identify = async ({ signal }: CallOptions): Promise<TransferIdentity> => {
    const [started, weights] = await Promise.all([instance(signal), readLabel(client, signal)]);
    return { instance: started, label: weights };
  };

  return {
    get sessionless() {
      return !revision.hasSession;
    },
    get joined() {
      return joined;
    },
    forget() {
      joined = false;
    },
    setVersion(text) {
      revision = toRevision(text);
    },
    check(call) {
      toTransferRequest(revision, call, packing);
    },
    async send(call: TransferCall, { signal }) {
      const request = toTransferRequest(revision, call, packing);
      if (request === null) return;
      const { path, json } = request;
      try {
        const answer = await client.callIfThere(path, { method: "POST", json, signal, once: true });
        if (answer === undefined) {
          throw new GatewayError(
            "unsupported",
            `The vLLM server at ${client.url} has no ${path}: start it with VLLM_SERVER_DEV_MODE=1 in its environment and --weight-transfer-config.`,
          );
        }
      } catch (thrown) {
        if (signal.aborted) throw signal.reason;
        const error = toGatewayError(thrown);
        throw error.code === "unsupported" ? error : toTransferError(error, client.url, path);
      }
      if (call.type === "join") {
        packing = toPacking(call.info);
        joined = true;
      } else if (call.type === "leave") joined = false;
    },
    identify,
    meet: onMet,
    async worldSize(includeDp, { signal }) {
      const answer = await client.callIfThere(`/get_world_size?include_dp=${includeDp}`, { signal });
      const size = (answer?.value as { world_size?: unknown } | undefined)?.world_size;
      return typeof size === "number" && Number.isSafeInteger(size) && size > 0 ? size : 1;
    },
  };
}
