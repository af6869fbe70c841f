/**
 * What a vLLM server holds, parameter by parameter: `POST /weight_checker` (vLLM 0.32, entrypoints/rl/online; SHA-256 of
 * each rank's tensors as they lie in memory). Older servers have no such route.
 */
import { GatewayError } from "../../errors.ts";
import type { Client } from "./client.ts";

/** SHA-256 of nothing: on a CPU vLLM packs its linear layers away, and their parameters are empty. */
const OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** Digests by `dp0:pp0:pcp0:tp0:NAME`, those that say nothing left out; null where the server cannot tell. */
export async function readChecksums(client: Client, signal: AbortSignal): Promise<ReadonlyMap<string, string> | null> {
  const answer = await client.callIfThere("/weight_checker", { json: { action: "checksum" }, signal });
  if (answer === undefined) return null;
  const found = (answer.value as { checksums?: unknown } | null | undefined)?.checksums;
  if (typeof found !== "object" || found === null) {
    throw new GatewayError("upstream_failed", `/weight_checker of ${client.url} did not answer with checksums.`);
  }
  const digests = Object.entries(found).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string" && entry[1] !== OF_NOTHING,
  );
  return digests.length === 0 ? null : new Map(digests);
}
