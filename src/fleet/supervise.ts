/**
 * Keeps one replica's health true: the first start with its deadline, then a probe at intervals for engines that have
 * a URL, and the engine's own notices. Never restarts anything: that is the engine's work.
 */

import type { Engine, EngineInfo } from "../engine/engine.ts";
import { GatewayError, toGatewayError } from "../errors.ts";
import type { Clock, Random, Timer } from "../ports.ts";

/** Timeouts in a row before a replica counts as unreachable: a server under full load may answer /health late once. */
const SLOW_PROBES = 2;
/** Least deadline of a probe, milliseconds; vLLM's API process answers in 1 to 40 ms, under load in seconds. */
const PROBE_DEADLINE_MS = 5000;

/** Times in milliseconds, and whom to tell. The callbacks come only while supervision lasts. */
export interface SuperviseOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly startTimeoutMs: number;
  readonly probeIntervalMs: number;
  readonly onUp: (info: EngineInfo) => void;
  readonly onDown: (reason: string, recovering: boolean) => void;
}

/** The watch over one engine. */
export interface Supervisor {
  /** Resolves when the engine serves; rejects with its GatewayError. An engine with a URL is tried again in the background. */
  start(signal: AbortSignal): Promise<EngineInfo>;
  /** Ends probes and notices; does not stop the engine. Idempotent. */
  end(): void;
}

/** Runs `call` under a deadline of its own. */
async function withDeadline<T>(
  clock: Clock,
  milliseconds: number,
  message: string,
  outers: readonly AbortSignal[],
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const late = new GatewayError("deadline_exceeded", message);
  const onAbort = (): void => controller.abort(outers.find((outer) => outer.aborted)?.reason);
  let onEnd: () => void = () => undefined;
  const ended = new Promise<never>((_, reject) => {
    onEnd = () => reject(controller.signal.reason);
  });
  ended.catch(() => undefined);
  controller.signal.addEventListener("abort", onEnd, { once: true });
  const timer = clock.timer(milliseconds, () => controller.abort(late));
  for (const outer of outers) outer.addEventListener("abort", onAbort, { once: true });
  if (outers.some((outer) => outer.aborted)) onAbort();
  try {
    // Raced: an engine that overlooks its signal must not hold its owner.
    return await Promise.race([call(controller.signal), ended]);
  } catch (error) {
    if (controller.signal.aborted) throw controller.signal.reason;
    throw error;
  } finally {
    timer.cancel();
    for (const outer of outers) outer.removeEventListener("abort", onAbort);
    controller.signal.removeEventListener("abort", onEnd);
  }
}

/** Creates the supervisor of one engine; nothing happens before `start`. */
export function createSupervisor(engine: Engine, options: SuperviseOptions): Supervisor {
  const { clock, random, onUp, onDown, probeIntervalMs } = options;
  let timer: Timer | null = null;
  /** Aborts with the supervisor: ends a start or a probe under way. */
  const life = new AbortController();
  let ended = false;
  let up = false;
  let slow = 0;

  const unsubscribe = engine.subscribe((notice) => {
    if (ended) return;
    slow = 0;
    up = notice.type === "up";
    if (notice.type === "up") onUp(notice.info);
    else onDown(notice.reason, notice.recovering);
  });

  const startOnce = (...signals: readonly AbortSignal[]): Promise<EngineInfo> =>
    withDeadline(
      clock,
      options.startTimeoutMs,
      `${engine.url ?? "The worker"} did not serve within ${options.startTimeoutMs / 1000} s (--start-timeout).`,
      [life.signal, ...signals],
      (own) => engine.start({ signal: own }),
    );

  function schedule(): void {
    if (ended || engine.url === null) return;
    // Jitter of a fifth either way: many replicas and gateways must not probe in step.
    const pause = probeIntervalMs * (0.8 + 0.4 * random.float());
    timer = clock.timer(pause, () => void probe());
  }

  /** Never rejects. */
  async function probe(): Promise<void> {
    const deadline = Math.max(PROBE_DEADLINE_MS, probeIntervalMs);
    try {
      await withDeadline(
        clock,
        deadline,
        `GET /health took longer than ${deadline / 1000} s.`,
        [life.signal],
        (signal) => engine.probe({ signal }),
      );
      slow = 0;
      if (!up && !ended) {
        const info = await startOnce();
        if (!up && !ended) {
          up = true;
          onUp(info);
        }
      }
    } catch (thrown) {
      const error = toGatewayError(thrown);
      slow += 1;
      const certain = error.code !== "deadline_exceeded" || slow >= SLOW_PROBES;
      if (!ended && certain) {
        up = false;
        onDown(error.message, false);
      }
    }
    schedule();
  }

  return {
    async start(signal) {
      try {
        const info = await startOnce(signal);
        up = true;
        if (!ended) onUp(info);
        return info;
      } catch (thrown) {
        const error = toGatewayError(thrown);
        if (!ended) onDown(error.message, false);
        throw error;
      } finally {
        schedule();
      }
    },
    end() {
      ended = true;
      life.abort(new GatewayError("draining", "The replica is being detached."));
      timer?.cancel();
      unsubscribe();
    },
  };
}
