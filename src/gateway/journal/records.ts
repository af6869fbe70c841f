/** Records of syncs and versions in the store: all that are there at a start, and the one of a sync that nobody ends any more. */
import { type Head, SyncDocument, VersionDocument } from "../../contract/journal.ts";
import type { Store, StoreWrite } from "../../store/store.ts";
import type { Syncs } from "../../sync/syncs.ts";
import { KEY, parseDocument } from "./head.ts";
import { toInterrupted, toReason } from "./recover.ts";

const PAGE = 500;

/** Reads all records. Throws GatewayError `store_unavailable`. */
export async function readRecords(store: Store, syncs: Pick<Syncs, "follow" | "learn">): Promise<void> {
  const { place } = store.facts;
  const takers = [
    [KEY.versions, (key: string, text: string) => syncs.learn(parseDocument(VersionDocument, key, text, place))],
    [KEY.syncs, (key: string, text: string) => syncs.follow(parseDocument(SyncDocument, key, text, place).sync)],
  ] as const;
  for (const [prefix, take] of takers) {
    let after: string | undefined;
    for (;;) {
      const page = await store.list(prefix, { limit: PAGE, ...(after === undefined ? {} : { after }) });
      for (const { key, value } of page) take(key, value);
      if (page.length < PAGE) break;
      after = page.at(-1)?.key;
    }
  }
}

/** The record of a dead gateway's sync, as a write that ends it; none when it had ended. `now`: milliseconds since the epoch. */
export async function endDead(store: Store, head: Head, now: number): Promise<readonly StoreWrite[]> {
  const { active } = head;
  if (active === null || active.kind === "refit") return [];
  for (const { seq } of head.recent.toReversed()) {
    const text = await store.get(KEY.sync(seq));
    if (text === undefined) continue;
    const found = parseDocument(SyncDocument, KEY.sync(seq), text, store.facts.place);
    if (found.sync.id !== active.id) continue;
    if (found.sync.finished_at !== null) return [];
    const reason = toReason(active, found.sync.phase);
    const sync = toInterrupted(found.sync, active, reason, now);
    return [{ key: KEY.sync(seq), value: JSON.stringify({ seq, sync }) }];
  }
  return [];
}
