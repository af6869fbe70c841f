/**
 * Servers that a sync paused, gave new weights and published with, and whose gateway ended before it had resumed them: the
 * weights are right, and every request there would wait for ever. Whoever notices resumes them.
 */
import type { ServerNote } from "../../contract/journal.ts";
import type { Engine } from "../../engine/engine.ts";
import { toGatewayError } from "../../errors.ts";
import type { FleetRegistry } from "../../fleet/types.ts";
import type { Logger } from "../../observe/log.ts";
import type { Clock } from "../../ports.ts";
import type { StoreCheck } from "../../store/store.ts";
import { within } from "../../sync/trainer/work.ts";
import { keyOf } from "./notes.ts";
import type { HeadLedger } from "./open-head.ts";

/** Resuming takes a few steps of a server's engine at most. */
const RESUME_MS = 5000;

type Notes = Readonly<Record<string, ServerNote>>;

/** Why such a server is fenced when it does not confirm. */
export const STILL_PAUSED =
  "A gateway ended before it had resumed it, and it does not confirm /resume: it may still be paused.";

/** Those of `keys` that were still to be resumed, as notes without that. Pure. */
export function toResumed(notes: Notes, keys: readonly string[]): Notes {
  const found = keys.flatMap((key): [string, ServerNote][] => {
    const note = notes[key];
    return note?.paused === true ? [[key, { ...note, paused: false }]] : [];
  });
  return Object.fromEntries(found);
}

/** The URLs of all that are still to be resumed. Pure. */
export const leftPaused = (notes: Notes): readonly string[] =>
  Object.keys(notes).filter((key) => notes[key]?.paused === true);

/** Safe to repeat: resuming what runs changes nothing. False when the server did not confirm within `milliseconds`. */
export async function endPause(
  engine: Engine,
  clock: Pick<Clock, "timer">,
  milliseconds = RESUME_MS,
): Promise<boolean> {
  const { control } = engine;
  if (control === undefined) return true;
  return within(clock, milliseconds, "POST /resume", null, (signal) => control.resume({ signal })).then(
    () => true,
    // What knows no pause is not paused.
    (thrown) => toGatewayError(thrown).code === "unsupported",
  );
}

/** Resumes them under the lease that their sync has lost, so that no sync is under way there; what does not confirm is fenced. */
export async function resumeLeft(options: {
  readonly ledger: HeadLedger;
  readonly fleet: FleetRegistry;
  readonly clock: Pick<Clock, "timer">;
  readonly log: Logger;
  readonly lease: StoreCheck;
  readonly leaseMilliseconds: number;
}): Promise<void> {
  const { ledger, fleet, clock, log, lease, leaseMilliseconds } = options;
  // Nobody else may have got the lease, and paused them again, before the last answer is there.
  const limit = Math.min(RESUME_MS, leaseMilliseconds / 2);
  const resume = async (key: string): Promise<string[]> => {
    const replica = fleet.replicas().find((one) => keyOf(one) === key);
    // One that is away now is resumed when it is back, or has forgotten its pause.
    if (replica === undefined || replica.info === null || replica.state === "unreachable") return [];
    if (await endPause(replica.engine, clock, limit)) {
      log.info("server resumed after a gateway's end", { replica: replica.id });
    } else fleet.setState(replica.id, "quarantined", STILL_PAUSED);
    return [key];
  };
  const done = (await Promise.all(leftPaused(ledger.head.servers).map(resume))).flat();
  if (done.length === 0) return;
  await ledger.change(
    (head) => ({ head: { ...head, servers: { ...head.servers, ...toResumed(head.servers, done) } } }),
    lease,
  );
}
