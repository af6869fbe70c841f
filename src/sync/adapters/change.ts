/**
 * One change of an adapter on several servers: on all of them, or on none. Each server's own list says what it held
 * before, and that is what it is brought back to when another one fails. Decides nothing about who takes part.
 */
import type { ReplicaId } from "../../contract/ids.ts";
import type { AdapterSpec, AdapterTarget } from "../../engine/engine.ts";
import { GatewayError, toGatewayError } from "../../errors.ts";
import { orAborted } from "../../lib/deadline.ts";
import type { Clock } from "../../ports.ts";

/** A server that takes part. */
export interface AdapterMember {
  readonly id: ReplicaId;
  readonly target: AdapterTarget;
}

/** What became of it. */
export interface ChangeResult {
  /** Empty: every server confirmed. */
  readonly failed: readonly { readonly id: ReplicaId; readonly error: GatewayError }[];
  /** Servers that may hold what nobody wants: their undo failed. */
  readonly stuck: readonly { readonly id: ReplicaId; readonly error: GatewayError }[];
  /** Servers whose earlier adapter is gone for good: its files were overwritten. They hold none now. */
  readonly lost: readonly ReplicaId[];
}

/** Reading an adapter of some gigabytes from a network disk. */
const LOAD_MS = 300_000;
/** Looking at the list; the API process answers that by itself. */
const LIST_MS = 10_000;

/** Runs `call` for each server at once, each under its own limit; never rejects. */
async function each<T>(
  clock: Pick<Clock, "timer">,
  milliseconds: number,
  members: readonly AdapterMember[],
  call: (member: AdapterMember, signal: AbortSignal) => Promise<T>,
): Promise<readonly ({ readonly id: ReplicaId } & ({ readonly value: T } | { readonly error: GatewayError }))[]> {
  const one = async (member: AdapterMember) => {
    const limit = new AbortController();
    const late = new GatewayError("deadline_exceeded", `It did not answer within ${milliseconds / 1000} s.`);
    const timer = clock.timer(milliseconds, () => limit.abort(late));
    try {
      return { id: member.id, value: await orAborted(call(member, limit.signal), limit.signal) };
    } catch (thrown) {
      return { id: member.id, error: toGatewayError(thrown) };
    } finally {
      timer.cancel();
    }
  };
  return Promise.all(members.map(one));
}

const failuresOf = (results: readonly ({ id: ReplicaId } & ({ value: unknown } | { error: GatewayError }))[]) =>
  results.flatMap((result) => ("error" in result ? [{ id: result.id, error: result.error }] : []));

/** What each server holds under these names before anything is changed. Throws `replica_failed` when one cannot tell. */
export async function readHeld(
  clock: Pick<Clock, "timer">,
  members: readonly AdapterMember[],
): Promise<ReadonlyMap<ReplicaId, ReadonlyMap<string, string>>> {
  const lists = await each(clock, LIST_MS, members, ({ target }, signal) => target.list({ signal }));
  const [first] = failuresOf(lists);
  if (first !== undefined) {
    throw new GatewayError("replica_failed", `${first.id} did not tell its adapters: ${first.error.message}`, {
      replica: first.id,
    });
  }
  return new Map(lists.flatMap((list) => ("value" in list ? [[list.id, list.value] as const] : [])));
}

/** Where a server is brought back to. `null`: it had no such adapter. */
export interface AdapterUndo {
  readonly path: string;
  readonly is3d: boolean;
}

/**
 * Loads (`spec`) or unloads (`spec` null) the adapter `name` on all members.
 *
 * @param before what each member held under that name.
 */
export async function changeAll(options: {
  readonly clock: Pick<Clock, "timer">;
  readonly members: readonly AdapterMember[];
  readonly name: string;
  readonly spec: AdapterSpec | null;
  readonly before: (id: ReplicaId) => AdapterUndo | null;
  /** After a load: whatever was computed with another adapter of that name and path must be forgotten. */
  readonly settle: (id: ReplicaId, signal: AbortSignal) => Promise<void>;
}): Promise<ChangeResult> {
  const { clock, members, name, spec, before, settle } = options;
  const done = await each(clock, LOAD_MS, members, async ({ id, target }, signal) => {
    if (spec === null) await target.unload(name, { signal });
    else {
      await target.load(spec, before(id) !== null, { signal });
      await settle(id, signal);
    }
  });
  const failed = failuresOf(done);
  if (failed.length === 0) return { failed, stuck: [], lost: [] };
  const lost: ReplicaId[] = [];
  // Also where it failed: a server may have done it and not said so.
  const undone = await each(clock, LOAD_MS, members, async ({ id, target }, signal) => {
    const old = before(id);
    if (old === null) await target.unload(name, { signal });
    else if (spec !== null && old.path === spec.path) {
      // The same directory: what it held before is nowhere any more.
      await target.unload(name, { signal });
      lost.push(id);
    } else {
      await target.load({ name, ...old }, true, { signal });
      await settle(id, signal);
    }
  });
  return { failed, stuck: failuresOf(undone), lost };
}
