/** Which ranks of a trainer's group the servers take: the trainer's first, then the servers in order of attachment. Pure. */
import type { ReplicaId } from "../../contract/ids.ts";
import { GatewayError } from "../../errors.ts";

/** One server's share of the group. */
export interface RankShare {
  readonly id: ReplicaId;
  /** Its first rank. */
  readonly rankOffset: number;
  /** How many ranks it has. */
  readonly ranks: number;
}

/**
 * Shares the ranks out. Server k begins where the one before ends; the trainer has the ranks below `rankOffset`.
 *
 * @throws GatewayError `conflict` when the trainer's world is not exactly its own ranks plus the servers'.
 * @example
 * ```ts
 * import type { ReplicaId } from "../../contract/ids.ts";
 * import { assignRanks } from "./ranks.ts";
 * const servers = [{ id: "a" as ReplicaId, ranks: 2 }, { id: "b" as ReplicaId, ranks: 1 }];
 * const shares = assignRanks(servers, { rankOffset: 1, worldSize: 4 });
 * if (shares[1]?.rankOffset !== 3) throw new Error("b comes behind a's two ranks");
 * ```
 */
export function assignRanks(
  servers: readonly { readonly id: ReplicaId; readonly ranks: number }[],
  group: { readonly rankOffset: number; readonly worldSize: number },
): readonly RankShare[] {
  let next = group.rankOffset;
  const shares = servers.map(({ id, ranks }): RankShare => {
    const share = { id, rankOffset: next, ranks };
    next += ranks;
    return share;
  });
  if (next === group.worldSize) return shares;
  const fleet = next - group.rankOffset;
  const told = servers.map(({ id, ranks }) => `${id}: ${ranks}`).join(", ");
  throw new GatewayError(
    "conflict",
    `init_info.world_size must be ${next}, got ${group.worldSize}: ${group.rankOffset} of the trainer (rank_offset) and ${fleet} of the fleet (${told}). Ask /get_world_size again; it has changed, or a rank is taken twice.`,
    { param: "init_info.world_size" },
  );
}
