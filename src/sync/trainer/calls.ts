/**
 * One trainer call after the other, each with the deadline and the fate of its client. A trainer whose connection broke
 * sends the same call again: it then gets the first one's result instead of a second broadcast that nobody sends.
 */
import { GatewayError } from "../../errors.ts";
import { orAborted } from "../../lib/deadline.ts";
import type { TrainerCaller, TrainerResult } from "./api.ts";
import type { Conductor } from "./conductor.ts";
import type { TrainerEvent } from "./types.ts";

interface Running {
  readonly fingerprint: string;
  readonly result: Promise<TrainerResult>;
  /** Its client left before the answer. */
  orphan: boolean;
}

/** One call: how it is prepared, and what its answer is made of. */
export interface CallPlan {
  /** Equal for a repetition of the same call. */
  readonly fingerprint: string;
  /** Everything that can be refused without asking a server. */
  readonly prepare: (signal: AbortSignal) => Promise<TrainerEvent>;
  readonly toResult: () => TrainerResult;
}

/** Creates the queue. */
export function createCalls(conductor: Conductor): (plan: CallPlan, by: TrainerCaller) => Promise<TrainerResult> {
  let running: Running | null = null;

  async function make({ prepare, toResult }: CallPlan, by: TrainerCaller): Promise<TrainerResult> {
    await conductor.idle(by.signal);
    const event = await prepare(by.signal);
    by.signal.throwIfAborted();
    const failure = await conductor.ask(event);
    await conductor.settled(by.signal);
    if (failure === null) return toResult();
    const { code, message, replica, upstream, phase } = failure;
    throw new GatewayError(code, message, {
      ...(phase === undefined ? {} : { phase }),
      ...(replica === undefined ? {} : { replica }),
      ...(upstream === undefined ? {} : { upstream }),
    });
  }

  async function watch(call: Running, signal: AbortSignal): Promise<TrainerResult> {
    call.orphan = false;
    let leave = (): void => undefined;
    const left = new Promise<never>((_, reject) => {
      leave = () => {
        const { reason } = signal as { readonly reason: unknown };
        if (reason instanceof GatewayError && reason.code === "deadline_exceeded") return conductor.expire();
        call.orphan = true;
        reject(reason);
      };
    });
    left.catch(() => undefined);
    if (signal.aborted) leave();
    else signal.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([call.result, left]);
    } finally {
      signal.removeEventListener("abort", leave);
      if (running === call && !call.orphan) running = null;
    }
  }

  return async (plan, by) => {
    const { fingerprint } = plan;
    if (running?.orphan === true && running.fingerprint === fingerprint) return watch(running, by.signal);
    if (running !== null && !running.orphan) {
      throw new GatewayError(
        "conflict",
        `The servers are busy (${conductor.state().stage}); wait for the running call.`,
      );
    }
    if (running !== null)
      await orAborted(
        running.result.catch(() => undefined),
        by.signal,
      );
    const mine: Running = { fingerprint, result: make(plan, by), orphan: false };
    running = mine;
    return watch(mine, by.signal);
  };
}
