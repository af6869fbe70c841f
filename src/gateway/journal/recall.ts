/**
 * What a gateway that starts believes of a server that an earlier one has known: the same process holds what was
 * written down for it; another one holds the weights of its start; where that cannot be told, nothing is believed.
 */
import type { WeightVersion } from "../../contract/ids.ts";
import type { ServerNote } from "../../contract/journal.ts";
import type { Engine, EngineInfo, TransferIdentity } from "../../engine/engine.ts";
import { isOtherInstance, isSameInstance } from "../../engine/vllm/instance.ts";
import type { Clock } from "../../ports.ts";
import { identify } from "../../sync/trainer/work.ts";
import { endPause, STILL_PAUSED } from "./left-paused.ts";

/** What to believe. */
export interface Belief {
  readonly version: WeightVersion | null;
  readonly digest: EngineInfo["weightDigest"];
  /** Why it must not serve; null when it may. */
  readonly fence: string | null;
}

const toInstance = (identity: TransferIdentity | null) => ({
  started: identity?.instance ?? null,
  label: identity?.label ?? null,
});

/** True when the note is surely said of another process than the one that answers now. */
export const isOtherProcess = (note: ServerNote, now: TransferIdentity | null): boolean =>
  note.identity !== null && isOtherInstance(toInstance(note.identity), toInstance(now));

/** @param fresh what a server that nobody has changed holds. */
export function toBelief(note: ServerNote, now: TransferIdentity | null, fresh: Belief): Belief {
  const before = toInstance(note.identity);
  const found = toInstance(now);
  if (isOtherProcess(note, now)) return fresh;
  if (note.fence !== null) return { version: null, digest: null, fence: note.fence };
  if (note.version === null) return { version: null, digest: null, fence: "What it holds is unknown." };
  if (isSameInstance(before, found) || note.version === fresh.version) return { ...note, fence: null };
  return {
    version: null,
    digest: null,
    fence: `It had weight version ${note.version}, and does not tell whether it is still the same process (no start time in /metrics, no label in /weight_info): POST /api/servers/{id}/refit.`,
  };
}

/** What the engine's first start in this gateway is told. */
export interface Recaller {
  /** undefined: nobody has known it. */
  note(url: string): ServerNote | undefined;
  /** It is to be fenced, before it is shown as up. */
  fence(engine: Engine, reason: string): void;
  /** It is not paused any more. */
  resumed(url: string): Promise<void>;
}

/** The engine, whose first start remembers what an earlier gateway knew. */
export function withRecall(engine: Engine, clock: Pick<Clock, "timer">, recaller: Recaller): Engine {
  const { url } = engine;
  if (url === null) return engine;
  let recalled = false;

  const start: Engine["start"] = async (options) => {
    const info = await engine.start(options);
    const note = recaller.note(url);
    if (recalled || note === undefined) return info;
    recalled = true;
    const target = engine.transfer;
    const now = target === undefined ? null : ((await identify(clock, target)) ?? null);
    const fresh: Belief = { version: info.weightVersion, digest: info.weightDigest, fence: null };
    // A server that gives no sign of itself at all (trl vllm-serve) is believed to have stayed.
    const belief =
      target === undefined && note.fence === null && note.version !== null
        ? { version: note.version, digest: note.digest, fence: null }
        : toBelief(note, now, fresh);
    const left = note.paused && !isOtherProcess(note, now);
    const stuck = left && belief.fence === null && !(await endPause(engine, clock)) ? STILL_PAUSED : null;
    const fence = belief.fence ?? stuck;
    if (fence !== null) {
      engine.weights?.adopt?.();
      recaller.fence(wrapped, fence);
    } else if (note.paused) await recaller.resumed(url);
    engine.noteWeights?.(belief.version, belief.digest);
    return { ...info, weightVersion: belief.version, weightDigest: belief.digest };
  };

  // An engine may be another one after its first contact, so nothing of it is copied.
  const wrapped = new Proxy(engine, {
    get: (target, name) => (name === "start" ? start : Reflect.get(target, name)),
  });
  return wrapped;
}
