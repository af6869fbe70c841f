/**
 * Hedging for the tail (`--hedge-after`): a plain call that has no answer after a while is asked of a second replica with
 * the same weights too, and the first answer counts. Safe, because a generation has no effect besides its answer and
 * nothing has been given out; off by default, because it costs capacity, and because of two different draws the one that
 * is done first is the shorter one.
 */
import { GatewayError } from "../errors.ts";
import type { Lease } from "../fleet/types.ts";
import type { InboundCall, Outcome } from "../gateway-types.ts";
import type { Clock } from "../ports.ts";

/** What became of a second try. */
export type HedgeEnd = "won" | "lost" | "failed";

/** When, and whom to tell. */
export interface HedgeOptions {
  readonly clock: Pick<Clock, "timer">;
  readonly afterMilliseconds: number;
  /** A second replica was asked. */
  readonly onStart: () => void;
  readonly onEnd: (end: HedgeEnd) => void;
}

/** Generation calls whose answer comes at once: the only ones that may be asked twice. */
export const canHedge = ({ stream, method, wishes }: InboundCall): boolean =>
  !stream && method === "POST" && wishes.sessionId === undefined;

/** Frees what an answer that nobody wants holds. */
async function drop(outcome: Outcome): Promise<void> {
  if (outcome.kind === "generated") await outcome.events[Symbol.asyncIterator]().return?.();
  else await outcome.response.body?.cancel();
}

const good = (outcome: Outcome): boolean => outcome.kind === "generated" || outcome.response.status < 500;

/**
 * Runs the call, and after a while a second time.
 *
 * @param first the call as ever; it tells the lease that it has.
 * @param second a lease for the second try at once, or undefined: then there is none.
 * @param again the call on that very lease; it ends the lease, whatever happens.
 */
export function hedge(
  call: InboundCall,
  { clock, afterMilliseconds, onStart, onEnd }: HedgeOptions,
  first: (call: InboundCall, onLease: (lease: Lease) => void) => Promise<Outcome>,
  second: (lease: Lease) => Lease | undefined,
  again: (call: InboundCall, lease: Lease) => Promise<Outcome>,
): Promise<Outcome> {
  let lease: Lease | undefined;
  let hedged = false;
  const tries: AbortController[] = [];
  const onAbort = (): void => {
    for (const one of tries) one.abort(call.signal.reason);
  };
  const begin = (): InboundCall => {
    const own = new AbortController();
    tries.push(own);
    if (call.signal.aborted) own.abort(call.signal.reason);
    return { ...call, signal: own.signal };
  };
  call.signal.addEventListener("abort", onAbort, { once: true });

  return new Promise<Outcome>((resolve, reject) => {
    let running = 0;
    let over = false;
    let failure: { readonly thrown: unknown } | undefined;
    let spare: Outcome | undefined;

    const end = (): void => {
      over = true;
      timer.cancel();
      // A long body may still be on its way: the winner's signal stays the caller's.
    };
    const win = (outcome: Outcome, at: number): void => {
      end();
      for (const [index, one] of tries.entries()) {
        if (index !== at) one.abort(new GatewayError("client_closed", "Another replica answered first."));
      }
      if (hedged) onEnd(at === 1 ? "won" : "lost");
      resolve(outcome);
    };
    const settle = (promise: Promise<Outcome>, at: number): void => {
      running += 1;
      promise.then(
        (outcome) => {
          running -= 1;
          if (over) void drop(outcome).catch(() => undefined);
          else if (good(outcome) || running === 0) win(outcome, at);
          // A 500 of one replica counts only when the other has nothing better.
          else spare = outcome;
        },
        (thrown: unknown) => {
          running -= 1;
          failure ??= { thrown };
          if (over || running > 0) return;
          end();
          if (hedged) onEnd("failed");
          if (spare === undefined) reject(failure.thrown);
          else resolve(spare);
        },
      );
    };

    const timer = clock.timer(afterMilliseconds, () => {
      const other = over || lease === undefined ? undefined : second(lease);
      if (other === undefined) return;
      hedged = true;
      onStart();
      settle(again(begin(), other), 1);
    });
    settle(
      first(begin(), (taken) => {
        lease = taken;
      }),
      0,
    );
  });
}
