/**
 * Which of vLLM's weight-transfer dialects a server speaks, told from what `GET /version` says. Pure. The boundaries
 * are those of vLLM's own change history: 0.21 start and finish, 0.26 an answer to the cache reset, 0.28 `packed` moved
 * from the update to the init, 0.30 `nccl_unique_id_b64`.
 */

/** What a server's version means for the bodies that it takes. */
export interface Revision {
  /** As the server put it; null when it did not say. */
  readonly text: string | null;
  /** `/start_weight_update` and `/finish_weight_update` exist; before, one `/update_weights` was the whole update. */
  readonly hasSession: boolean;
  /** `/start_weight_update` reads `is_checkpoint_format`. */
  readonly readsCheckpointFormat: boolean;
  /** `packed` and its buffer sizes belong into `init_info`; before, into every `update_info`. */
  readonly packedInInit: boolean;
  /** `nccl_unique_id_b64` instead of an address and a port. */
  readonly takesUniqueId: boolean;
}

/** Higher than any release: a build without a readable version is taken for the newest. */
const NEWEST = 1_000_000;

/** `0.32.0`, `v0.30.0rc1`, `0.28.1.dev3+g1f2e` → 32, 30, 28; 1.x and later → above all 0.x. */
function toMinor(text: string | null): number {
  const found = /^v?(\d{1,4})\.(\d{1,4})/.exec(text ?? "");
  if (found === null || found[1] !== "0") return NEWEST;
  return Number(found[2]);
}

/**
 * Reads a version.
 *
 * @example
 * ```ts
 * import { toRevision } from "./revision.ts";
 * if (toRevision("0.27.1").packedInInit || !toRevision("0.28.0rc1").packedInInit) throw new Error("boundary moved");
 * if (!toRevision("a build of ours").takesUniqueId) throw new Error("unknown builds count as new");
 * ```
 */
export function toRevision(text: string | null): Revision {
  const minor = toMinor(text);
  return {
    text,
    hasSession: minor >= 21,
    readsCheckpointFormat: minor >= 21 && minor < 26,
    packedInInit: minor >= 28,
    takesUniqueId: minor >= 30,
  };
}
