/**
 * Tells whether the process behind a URL is still the one that was there before. A server that was restarted serves the
 * weights of its model directory again, and nothing else shows it: same URL, same model, /health 200.
 */
import type { Clock } from "../../ports.ts";
import type { Client } from "./client.ts";
import { readText } from "./client.ts";

/** What a process tells of itself; null = did not answer in time, or has no such thing. */
export interface Instance {
  /** `process_start_time_seconds` of the API server's Prometheus metrics, as text. */
  readonly started: string | null;
  /** `weight_version` of /weight_info (vLLM ≥ 0.30); it lives in the engine and begins as "default". */
  readonly label: string | null;
}

/** The label of an engine that nobody has given one since its start. */
const FRESH_LABEL = "default";
/** A blocked engine (one that waits for its trainer) answers /metrics but not /weight_info. */
const LOOK_MILLISECONDS = 1500;
/** vLLM's metrics are 25 KB, with many adapters some 100. */
const METRICS_LIMIT = 8 * 2 ** 20;
/** Standard metric of Prometheus' own process collector, seconds since the epoch. */
const START_TIME = /^process_start_time_seconds(?:\{[^}]*\})? (\S{1,40})/m;

/** The process' start time; null where its metrics do not have it. Rejects when it does not answer. */
export async function readStartTime(client: Client, signal: AbortSignal): Promise<string | null> {
  return START_TIME.exec(await readText(await client.open("/metrics", { signal }), METRICS_LIMIT))?.[1] ?? null;
}

/** The engine's label; null where the server has no such route. Rejects when it does not answer. */
export async function readLabel(client: Client, signal: AbortSignal): Promise<string | null> {
  const answer = await client.callIfThere("/weight_info", { signal });
  const version = (answer?.value as { weight_version?: unknown } | undefined)?.weight_version;
  return typeof version === "string" ? version : null;
}

/** Looks. Never rejects: what cannot be found out is null. `labels`: the server has dev routes. */
export async function readInstance(
  client: Client,
  clock: Pick<Clock, "timer">,
  labels: boolean,
  signal: AbortSignal,
  milliseconds = LOOK_MILLISECONDS,
): Promise<Instance> {
  const limit = new AbortController();
  const timer = clock.timer(milliseconds, () => limit.abort(new Error("no answer in time")));
  const own = AbortSignal.any([signal, limit.signal]);
  try {
    const [started, label] = await Promise.all([
      readStartTime(client, own).catch(() => null),
      labels ? readLabel(client, own).catch(() => null) : null,
    ]);
    return { started, label };
  } finally {
    timer.cancel();
  }
}

/** True when the label was given to this very process, by a sync: a restart loses it. */
export const hasOwnLabel = ({ label }: Instance): boolean => label !== null && label !== FRESH_LABEL;

/**
 * True when `now` is surely another process than `before`.
 *
 * @example
 * ```ts
 * import { isOtherInstance } from "./instance.ts";
 * if (!isOtherInstance({ started: "1.7e9", label: "3" }, { started: "1.8e9", label: null })) throw new Error("restarted");
 * if (isOtherInstance({ started: "1.7e9", label: "3" }, { started: null, label: null })) throw new Error("only silent");
 * ```
 */
export function isOtherInstance(before: Instance, now: Instance): boolean {
  if (before.started !== null && now.started !== null && before.started !== now.started) return true;
  return hasOwnLabel(before) && now.label === FRESH_LABEL;
}

/** True when it surely is the same one: told by its start time, or by a label that only it was given. */
export const isSameInstance = (before: Instance, now: Instance): boolean =>
  !isOtherInstance(before, now) &&
  ((before.started !== null && before.started === now.started) || (hasOwnLabel(before) && before.label === now.label));

/** What is known after both looks: silence does not erase. */
export const mergeInstance = (before: Instance, now: Instance): Instance => ({
  started: now.started ?? before.started,
  label: now.label ?? before.label,
});
