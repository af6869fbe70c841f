/**
 * A trainer's weight calls as the bodies that a server of a given revision takes. Pure; throws where a revision has no
 * way to say what the trainer said, so that the refusal comes before any server is asked.
 */
import { GatewayError } from "../../errors.ts";
import type { TransferCall } from "../engine.ts";
import type { Revision } from "./revision.ts";

/** Fields that moved from `update_info` to `init_info` in vLLM 0.28. */
const PACKING_FIELDS = ["packed", "packed_buffer_size_bytes", "packed_num_buffers"] as const;

/** How tensors are packed into broadcasts; both ends must agree, or the collective hangs. */
export type Packing = Readonly<Record<string, unknown>>;

/** One HTTP call; null: this revision has no such call, and needs none. */
export interface TransferRequest {
  readonly path: string;
  /** undefined: no body at all. */
  readonly json: unknown;
}

const pick = (fields: Readonly<Record<string, unknown>>): Packing =>
  Object.fromEntries(PACKING_FIELDS.flatMap((name) => (fields[name] == null ? [] : [[name, fields[name]]])));

const without = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => !(PACKING_FIELDS as readonly string[]).includes(name)));

/** What a join says about packing; remembered for the updates that follow. */
export const toPacking = (info: Readonly<Record<string, unknown>>): Packing => pick(info);

const running = (revision: Revision): string =>
  revision.text === null ? "is of an unknown version" : `runs vLLM ${revision.text}`;

function joinBody(revision: Revision, info: Readonly<Record<string, unknown>>): unknown {
  if (info.nccl_unique_id_b64 != null && !revision.takesUniqueId) {
    throw new GatewayError(
      "unsupported",
      `init_info.nccl_unique_id_b64 needs vLLM 0.30 or newer, and this server ${running(revision)}: send master_address and master_port.`,
      { param: "init_info.nccl_unique_id_b64" },
    );
  }
  return { init_info: revision.packedInInit ? info : without(info) };
}

function updateBody(revision: Revision, info: Readonly<Record<string, unknown>>, packing: Packing): unknown {
  if (!revision.packedInInit) return { update_info: { ...packing, ...info } };
  for (const [name, value] of Object.entries(pick(info))) {
    // Servers from 0.28 on fixed this when they joined, and refuse the field here.
    const agreed = packing[name] ?? (name === "packed" ? false : undefined);
    if (value === agreed) continue;
    throw new GatewayError(
      "conflict",
      `update_info.${name} is ${JSON.stringify(value)}, but this server ${running(revision)} and agreed on ${JSON.stringify(agreed) ?? "its default"} when it joined: from vLLM 0.28 on, ${name} belongs into init_info. Call /init_weight_transfer_engine with it.`,
      { param: `update_info.${name}` },
    );
  }
  return { update_info: without(info) };
}

/**
 * The call as this revision takes it. `packing` is what the join agreed on (`toPacking`).
 *
 * @example
 * ```ts
 * import { toRevision } from "./revision.ts";
 * import { toTransferRequest } from "./transfer-codec.ts";
 * const update = { type: "update", update: { names: ["a"], dtype_names: ["float32"], shapes: [[1]] } } as const;
 * const old = toTransferRequest(toRevision("0.27.0"), update, { packed: true });
 * if (!JSON.stringify(old?.json).includes('"packed":true')) throw new Error("packed goes with the update before 0.28");
 * ```
 */
export function toTransferRequest(revision: Revision, call: TransferCall, packing: Packing): TransferRequest | null {
  switch (call.type) {
    case "join":
      return { path: "/init_weight_transfer_engine", json: joinBody(revision, call.info) };
    case "start":
      if (!revision.hasSession) return null;
      return {
        path: "/start_weight_update",
        json:
          revision.readsCheckpointFormat && call.checkpointFormat !== undefined
            ? { is_checkpoint_format: call.checkpointFormat }
            : {},
      };
    case "update": {
      const { update } = call;
      const json = Array.isArray(update)
        ? { update_info: update }
        : updateBody(revision, update as Readonly<Record<string, unknown>>, packing);
      return { path: "/update_weights", json };
    }
    case "finish":
      if (!revision.hasSession) return null;
      return { path: "/finish_weight_update", json: call.label === null ? {} : { weight_version: call.label } };
    case "leave":
      return { path: "/shutdown_weight_transfer_engine", json: undefined };
  }
}
