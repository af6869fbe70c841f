/**
 * Two heads of one store that had forgotten something (a server restarted from an old file, or from none). Where the store
 * fell behind, what was known here is newer; where another gateway has put together what it knew, nobody can say what it
 * had missed, and the careful one of each pair counts. Pure.
 */
import type { Head, ServerNote } from "../../contract/journal.ts";

/** Numbers that the store had given out before it forgot are not given out again for something else. */
const SKIPPED_NUMBERS = 1000;

function carefulNote(known: ServerNote | undefined, found: ServerNote | undefined): ServerNote | undefined {
  if (known === undefined || found === undefined) return known ?? found;
  return found.fence === null || known.fence !== null ? known : found;
}

/** `known`: what this gateway had seen. `found`: what the store says now. */
export function mergeHeads(known: Head, found: Head): Head {
  const behind = found.rev < known.rev;
  const newer = known.published.version >= found.published.version ? known : found;
  const keys = new Set([...Object.keys(known.servers), ...Object.keys(found.servers)]);
  const servers = [...keys].flatMap((key): [string, ServerNote][] => {
    const [mine, theirs] = [known.servers[key], found.servers[key]];
    const note = behind ? (mine ?? theirs) : carefulNote(mine, theirs);
    return note === undefined ? [] : [[key, note]];
  });
  return {
    ...found,
    rev: behind ? known.rev + SKIPPED_NUMBERS : found.rev,
    published: newer.published,
    sets: newer.sets,
    seq: Math.max(known.seq, found.seq),
    recent: known.recent.length > found.recent.length ? known.recent : found.recent,
    // Whoever ran it has lost its lease with the rest, and is ended by the next one who gets it.
    active: behind ? known.active : found.active,
    servers: Object.fromEntries(servers),
    attached: { ...found.attached, ...known.attached },
  };
}
