/** Which way new weights take to a server: its own NCCL group, or HTTP where it is a Tidegate without one. */
import type { ServerFacts } from "./detect.ts";
import { type Connection, send, toJson } from "./http.ts";
import { READING } from "./retry.ts";

export type Transport = "nccl" | "http";

/**
 * NCCL, unless a Tidegate says in `/server_info` that no replica of its has a weight-transfer engine.
 *
 * @throws ServerError when the key may not ask; ConnectionError.
 */
export async function chooseTransport(around: {
  readonly connection: Connection;
  readonly facts: ServerFacts;
  readonly seconds: number;
  readonly signal: AbortSignal | undefined;
}): Promise<Transport> {
  const { connection, facts, seconds, signal } = around;
  if (facts.kind !== "tidegate") return "nccl";
  const init = { method: "GET", seconds, signal, retry: [READING] } as const;
  const info = toJson(await send(connection, "/server_info?config_format=json", init));
  const { vllm_config } = info as { vllm_config?: { weight_transfer_config?: unknown } | null };
  const engine = vllm_config?.weight_transfer_config;
  return engine === null || engine === undefined ? "http" : "nccl";
}
