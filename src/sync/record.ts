/** One sync as others watch it: its present view, its event stream with throttled progress, and the promise of its end. */
import type { FleetEvent } from "../contract/control/fleet.ts";
import type { WeightSync } from "../contract/control/weight-syncs.ts";
import type { ReplicaId } from "../contract/ids.ts";
import type { StageProgress } from "../engine/engine.ts";
import { createBroadcast } from "../lib/broadcast.ts";
import type { Clock, Timer } from "../ports.ts";
import type { SyncState } from "./machine.ts";
import { type SyncFacts, type SyncProgress, toWeightSync } from "./view.ts";

/** Progress is shown at most ten times a second; changes of state at once. */
const PROGRESS_MILLISECONDS = 100;

export interface SyncRecord {
  readonly facts: SyncFacts;
  view(): WeightSync;
  /** The present first, then every change; ends after the final one. */
  events(signal: AbortSignal): AsyncIterable<FleetEvent>;
  setState(state: SyncState): void;
  setReceived(progress: StageProgress): void;
  setStaged(replica: ReplicaId, progress: StageProgress): void;
  /** As it will be shown when it has ended, `to` being the last change of its state; for those who write it down before. */
  final(to?: Partial<SyncState>): WeightSync;
  /** The last change. */
  finish(): void;
  readonly ended: Promise<void>;
}

/** Creates the record of a sync that begins with `state`. `onChange` gets every view that readers get. */
export function createRecord(
  facts: SyncFacts,
  state: SyncState,
  clock: Clock,
  onChange: (sync: WeightSync) => void,
): SyncRecord {
  const broadcast = createBroadcast<FleetEvent>();
  const progress: SyncProgress = { received: { bytesDone: 0, bytesTotal: 0 }, staged: new Map() };
  let now = state;
  let finishedAt: string | null = null;
  let endsAt: string | null = null;
  let pending: Timer | undefined;
  let resolveEnded = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    resolveEnded = resolve;
  });

  const view = (): WeightSync => toWeightSync(facts, now, progress, finishedAt);
  const emit = (replaceable: boolean): void => {
    pending?.cancel();
    pending = undefined;
    const sync = view();
    broadcast.publish({ type: "sync", sync }, replaceable);
    onChange(sync);
  };
  const emitSoon = (): void => {
    if (finishedAt === null) pending ??= clock.timer(PROGRESS_MILLISECONDS, () => emit(true));
  };

  const end = (): string => {
    endsAt ??= new Date(clock.now()).toISOString();
    return endsAt;
  };

  return {
    facts,
    view,
    final: (to = {}) => toWeightSync(facts, { ...now, ...to }, progress, end()),
    ended,
    events: (signal) => broadcast.subscribe(signal, { type: "sync", sync: view() }),
    setState(next) {
      if (finishedAt !== null) return;
      now = next;
      emit(false);
    },
    setReceived(received) {
      progress.received = received;
      emitSoon();
    },
    setStaged(replica, staged) {
      progress.staged.set(replica, staged);
      emitSoon();
    },
    finish() {
      if (finishedAt !== null) return;
      finishedAt = end();
      emit(false);
      broadcast.close();
      resolveEnded();
    },
  };
}

/** A sync that somebody else runs or has run: shown as it was told. */
export interface FollowedRecord extends Pick<SyncRecord, "view" | "events" | "ended"> {
  readonly facts: Pick<SyncFacts, "id">;
  /** The news of it; ignored after the last. */
  show(sync: WeightSync): void;
}

/** Creates the record of a sync that was run by another gateway, or before this one started. */
export function createFollowedRecord(first: WeightSync): FollowedRecord {
  const broadcast = createBroadcast<FleetEvent>();
  let now = first;
  let resolveEnded = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    resolveEnded = resolve;
  });
  const closeIfEnded = (): void => {
    if (now.finished_at === null) return;
    broadcast.close();
    resolveEnded();
  };
  closeIfEnded();
  return {
    facts: { id: first.id },
    ended,
    view: () => now,
    events: (signal) => broadcast.subscribe(signal, { type: "sync", sync: now }),
    show(sync) {
      if (now.finished_at !== null) return;
      now = sync;
      broadcast.publish({ type: "sync", sync }, false);
      closeIfEnded();
    },
  };
}
