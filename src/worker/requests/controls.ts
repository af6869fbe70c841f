/**
 * Pause, resume, sleep, cache reset and the switch of weights over one scheduler: vLLM 0.32's rules
 * (`EngineCore.pause_generation`, `/sleep`, `/reset_prefix_cache`), between two steps.
 */
import type { WeightVersion } from "../../contract/ids.ts";
import type { PauseMode } from "../../engine/engine.ts";
import type { WeightResidency } from "./residency.ts";
import type { Scheduler } from "./scheduler.ts";
import type { ServedWeights } from "./served-weights.ts";

/** What `/sleep` puts to sleep; `/wake_up` wakes all or some of it. Level 0 is but a pause, which any waking ends. */
const SLEEPERS = ["weights", "kv_cache"] as const;
const PAUSE_ONLY = "scheduling";

export class Controls {
  readonly #scheduler: Scheduler;
  readonly #weights: ServedWeights;
  #paused: PauseMode | null = null;
  #asleep = new Set<string>();
  #switches = 0;
  /** Counts pauses and resumes: a pause that is given up undoes only itself. */
  #turn = 0;

  readonly #residency: WeightResidency;

  constructor(scheduler: Scheduler, weights: ServedWeights, residency: WeightResidency) {
    this.#scheduler = scheduler;
    this.#weights = weights;
    this.#residency = residency;
  }

  get isPaused(): boolean {
    return this.#paused !== null || this.isSleeping;
  }

  get isSleeping(): boolean {
    return this.#asleep.size > 0;
  }

  /** A pause whose caller leaves before it is complete is undone: nobody would resume it. */
  async pause(mode: PauseMode, clearCache: boolean, signal: AbortSignal): Promise<void> {
    const before = this.#paused;
    this.#turn += 1;
    const turn = this.#turn;
    this.#paused = mode;
    this.#scheduler.hold("pause");
    this.#thaw();
    try {
      if (mode === "abort") this.#scheduler.abortRunning();
      if (mode === "wait") await this.#scheduler.whenIdle(signal);
    } catch (error) {
      if (before === null && turn === this.#turn) this.resume();
      throw error;
    }
    if (clearCache) this.#scheduler.resetPrefixCache();
  }

  resume(): void {
    this.#turn += 1;
    this.#paused = null;
    this.#thaw();
    this.#scheduler.unhold("pause");
  }

  /** false when something runs and the caller did not ask to reset all the same. */
  resetPrefixCache(resetRunning: boolean): boolean {
    const busy = this.#scheduler.running > 0 && !this.#scheduler.frozen;
    if (busy && !resetRunning) return false;
    // Running sequences keep their own cache: it was made by the weights that still serve.
    this.#scheduler.resetPrefixCache();
    return true;
  }

  /**
   * Stops scheduling, as a pause of that mode does; from level 1 on gives the memory of the KV cache and of the weights
   * back. What was kept is recomputed after the waking. Level 2 discards the weights: see `WeightResidency`.
   */
  async sleep(level: number, mode: PauseMode, signal: AbortSignal): Promise<void> {
    const awake = !this.isSleeping;
    this.#scheduler.hold("sleep");
    try {
      if (mode === "abort") this.#scheduler.abortRunning();
      if (mode === "wait" && !this.#scheduler.frozen) await this.#scheduler.whenIdle(signal);
    } catch (error) {
      if (awake && !this.isSleeping) this.#scheduler.unhold("sleep");
      throw error;
    }
    for (const name of level === 0 ? [PAUSE_ONLY] : SLEEPERS) this.#asleep.add(name);
    this.#thaw();
    if (level === 0) return;
    this.#scheduler.releaseCache();
    await this.#residency.sleep(level === 1 ? 1 : 2);
  }

  /** Throws what loading throws; what sleeps then still sleeps. */
  async wakeUp(tags: readonly string[] | null): Promise<void> {
    const waking = new Set<string>(tags ?? SLEEPERS);
    if (waking.has("weights") && this.#asleep.has("weights")) await this.#residency.wake();
    const left = [...this.#asleep].filter((name) => name !== PAUSE_ONLY && !waking.has(name));
    if (left.length === 0 && this.isSleeping) await this.#residency.ensureLoaded();
    this.#asleep = new Set(left);
    if (this.isSleeping) return;
    this.#thaw();
    this.#scheduler.unhold("sleep");
  }

  /**
   * Switches to staged weights between two steps. `wait` lets running requests end first, `abort` ends them, `keep`
   * recomputes them with the new weights. Requests frozen by a pause cannot end: they are kept.
   */
  async commit(stage: string, version: WeightVersion, mode: PauseMode, signal: AbortSignal): Promise<void> {
    if (this.#weights.isCommitted(stage)) return;
    this.#switches += 1;
    this.#scheduler.hold("switch");
    try {
      if (mode === "abort") this.#scheduler.abortRunning();
      if (mode === "wait" && !this.#scheduler.frozen) await this.#scheduler.whenIdle(signal);
      this.#residency.leaving(this.#weights.model);
      this.#weights.commit(stage, version, (model) => this.#scheduler.replaceModel(model));
      this.#residency.arrived(this.#weights.model);
      this.#scheduler.resetPrefixCache();
    } finally {
      this.#switches -= 1;
      if (this.#switches === 0) this.#scheduler.unhold("switch");
    }
  }

  /** Steps are made unless requests are to stay as they are. */
  #thaw(): void {
    this.#scheduler.freeze(this.#paused === "keep" || this.isSleeping);
  }
}
