/**
 * Weights through our own plugin in the server (plugins/vllm): vLLM's init, start, update and finish routes, with the
 * weight-transfer backend `tidegate`. The server fetches the files from the gateway beside its running weights and
 * checks every tensor's hash before anything is loaded; how far it is and which digest it found comes back over
 * `/collective_rpc`. So a transfer that fails leaves the old weights serving.
 */
import { WeightDigest } from "../../contract/ids.ts";
import { GatewayError, showValue } from "../../errors.ts";
import { sleep } from "../../lib/deadline.ts";
import type { Clock } from "../../ports.ts";
import type { WeightSet } from "../engine.ts";
import type { Client } from "./client.ts";
import type { WeightWay } from "./weight-way.ts";

/** Name of the backend in --weight-transfer-config. */
export const PLUGIN_BACKEND = "tidegate";
/** What gateway and plugin must agree on. */
const PROTOCOL = 1;
/** Worker method that the plugin adds. */
const STATUS = "tidegate_status";
/** A question costs the server less than a millisecond, between two steps. */
const POLL_MILLISECONDS = 100;

/** A set that one server may fetch for a while. */
export interface WeightOffer {
  /** Where the plugin finds the list of files. */
  readonly url: string;
  /** Bearer token of this offer alone. */
  readonly token: string;
  readonly bytes: number;
  /** From now on nobody can fetch it. Idempotent. */
  end(): void;
}

/** Makes a set fetchable. `reader` is the base URL of the server that will fetch. Throws GatewayError `unsupported`. */
export type OfferWeights = (id: string, set: WeightSet, reader: string) => Promise<WeightOffer>;

/** What one rank of the server says. */
interface RankStatus {
  readonly state: "idle" | "fetching" | "staged" | "loaded" | "failed";
  readonly bytesDone: number;
  readonly digest: WeightDigest | null;
  readonly error: string | null;
}

const STATES: readonly string[] = ["idle", "fetching", "staged", "loaded", "failed"];

function toStatus(url: string, value: unknown): RankStatus {
  const fields = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  const { state, bytes_done: bytesDone, digest, error } = fields;
  if (typeof state !== "string" || !STATES.includes(state)) {
    throw new GatewayError(
      "replica_failed",
      `${url}: ${STATUS} answered ${showValue(value)}; is its plugin up to date?`,
    );
  }
  return {
    state: state as RankStatus["state"],
    bytesDone: typeof bytesDone === "number" && bytesDone >= 0 ? bytesDone : 0,
    digest: WeightDigest.safeParse(digest).data ?? null,
    error: typeof error === "string" ? error.slice(0, 500) : null,
  };
}

/** Creates the way for one server. */
export function createPluginWay(client: Client, clock: Pick<Clock, "timer">, offerWeights: OfferWeights): WeightWay {
  async function readStatus(id: string, signal: AbortSignal): Promise<RankStatus[]> {
    const json = { method: STATUS, kwargs: { id } };
    const answer = (await client.call("/collective_rpc", { json, signal })) as { results?: unknown } | undefined;
    const results = Array.isArray(answer?.results) ? answer.results : [];
    if (results.length === 0) throw new GatewayError("replica_failed", `${client.url}: ${STATUS} answered nothing.`);
    return results.map((result) => toStatus(client.url, result));
  }

  const post = (target: string, json: unknown, signal: AbortSignal): Promise<unknown> =>
    client.call(target, json === undefined ? { method: "POST", signal } : { json, signal });

  /** A session that an earlier attempt left open is as good as a new one: the plugin touches nothing before `finish`. */
  async function open(signal: AbortSignal): Promise<void> {
    await post("/init_weight_transfer_engine", { init_info: { protocol: PROTOCOL } }, signal);
    await post("/start_weight_update", {}, signal).catch((error: unknown) => {
      const said = error instanceof GatewayError ? (error.details.upstream ?? error.message) : "";
      if (!/already\s+active/.test(said)) throw error;
    });
  }

  function agreed(ranks: readonly RankStatus[]): WeightDigest {
    const [first] = ranks;
    const odd = ranks.findIndex(({ digest }) => digest === null || digest !== first?.digest);
    if (odd < 0) return first!.digest!;
    throw new GatewayError(
      "weights_digest_mismatch",
      `Rank ${odd} of ${client.url} has the digest ${ranks[odd]?.digest ?? "none"}, rank 0 has ${first?.digest ?? "none"}.`,
    );
  }

  return {
    async stage(id, set, { signal, onProgress }) {
      const offer = await offerWeights(id, set, client.url);
      try {
        await open(signal);
        const update = {
          action: "fetch",
          id,
          url: offer.url,
          token: offer.token,
          digest: set.digest,
          bytes: offer.bytes,
        };
        await post("/update_weights", { update_info: update }, signal);
        for (;;) {
          const ranks = await readStatus(id, signal);
          const failed = ranks.findIndex(({ state }) => state === "failed" || state === "idle");
          if (failed >= 0) {
            const said = ranks[failed]?.error ?? "the server knows nothing of this transfer (was it restarted?)";
            throw new GatewayError(
              "replica_failed",
              `Rank ${failed} of ${client.url} could not fetch the weights: ${said}`,
              {
                upstream: said,
              },
            );
          }
          onProgress({ bytesDone: Math.min(...ranks.map(({ bytesDone }) => bytesDone)), bytesTotal: offer.bytes });
          if (ranks.every(({ state }) => state === "staged")) return agreed(ranks);
          await sleep(clock, POLL_MILLISECONDS, signal);
        }
      } finally {
        offer.end();
      }
    },
    async load(id, version, { signal }) {
      await post("/finish_weight_update", { weight_version: String(version) }, signal);
      const ranks = await readStatus(id, signal);
      const odd = ranks.find(({ state }) => state !== "loaded");
      if (odd === undefined) return void agreed(ranks);
      throw new GatewayError(
        "replica_failed",
        `${client.url} finished the update but says "${odd.state}": ${odd.error ?? "no reason"}`,
      );
    },
    async discard(id) {
      const signal = AbortSignal.timeout(DISCARD_MILLISECONDS);
      await post("/update_weights", { update_info: { action: "discard", id } }, signal);
      // Nothing is staged any more, so this only closes the session.
      await post("/finish_weight_update", {}, signal);
    },
  };
}

/** A server that cannot drop a file in this time has other troubles; the next transfer drops it. */
const DISCARD_MILLISECONDS = 5000;
