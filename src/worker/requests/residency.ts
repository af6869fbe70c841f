/**
 * Where the served weights are: on disk or in memory, gathered, asleep. One change at a time, each between two steps;
 * models that must be loaded in another form are loaded beside the one that serves.
 */
import process from "node:process";
import type { ResidencyDirective, ResidencyReport } from "../../engine/engine.ts";
import { GatewayError } from "../../errors.ts";
import type { LoadedModel } from "../batch-types.ts";
import { giveMemoryBack } from "../native/give-back.ts";
import { checkDirective, isPlain, unknownGroup } from "../residency/plan-tiers.ts";
import type { Scheduler } from "./scheduler.ts";
import type { ServedWeights } from "./served-weights.ts";

/** 0: awake. 1: not in memory. 2: discarded. */
type Level = 0 | 1 | 2;

const NO_SIGNAL = new AbortController().signal;

export class WeightResidency {
  readonly #weights: ServedWeights;
  readonly #scheduler: Scheduler;
  #gathered: readonly string[] | "all" | null = null;
  #asleep: Level = 0;
  /** false: the model that serves is released, and only what is known of it is left. */
  #loaded = true;
  /** Nobody is to load these weights before all is awake: others may come first. */
  #discarded = false;
  /** Counted by models that are gone. */
  #past = { pageIns: 0, tokens: 0 };
  #turn: Promise<unknown> = Promise.resolve();

  constructor(weights: ServedWeights, scheduler: Scheduler) {
    this.#weights = weights;
    this.#scheduler = scheduler;
    this.#serve(weights.model);
  }

  report(): ResidencyReport {
    return { ...this.#reportWeights(), processBytes: process.memoryUsage.rss() };
  }

  #reportWeights(): ResidencyReport {
    const { model, directive } = this.#weights;
    const tokens = this.#past.tokens + (model.computedTokens?.() ?? 0);
    const { pageIns } = this.#past;
    const { maxInCpuBytes } = directive;
    const budget = maxInCpuBytes === undefined ? {} : { budgetBytes: maxInCpuBytes };
    if (this.#discarded) {
      return { groups: [], bytes: { device: 0, cpu: 0, disk: 0 }, ...budget, pageIns, tokens, gathered: 0 };
    }
    if (model.residency !== undefined && this.#loaded) {
      const report = model.residency.report();
      return { ...report, pageIns: pageIns + report.pageIns, tokens };
    }
    const tier = this.#loaded ? ("cpu" as const) : ("disk" as const);
    const groups = [...(model.groupBytes ?? [])].map(([name, bytes]) => ({ name, tier, bytes, pinned: false }));
    const total = groups.reduce((sum, { bytes }) => sum + bytes, 0);
    return { groups, bytes: { device: 0, cpu: 0, disk: 0, [tier]: total }, ...budget, pageIns, tokens, gathered: 0 };
  }

  /** Resolves when no change is under way: what is loaded from then on has the form that is wanted. */
  async settled(): Promise<void> {
    await this.#turn;
  }

  /** Throws GatewayError `conflict` while weights are staged or asleep, and what the directive is refused with. */
  apply(directive: ResidencyDirective, signal: AbortSignal): Promise<ResidencyReport> {
    return this.#exclusive(async () => {
      this.#refuseAsleep();
      if (this.#weights.busy) {
        throw new GatewayError("conflict", "Weights are being staged; commit or discard them first.");
      }
      const { model, directive: before } = this.#weights;
      checkDirective(directive, this.#names());
      if (isPlain(directive) === (model.residency === undefined)) {
        model.residency?.apply(directive);
        this.#weights.directive = directive;
        return this.report();
      }
      this.#weights.directive = directive;
      try {
        await this.#reload(signal);
      } catch (error) {
        this.#weights.directive = before;
        throw error;
      }
      giveMemoryBack();
      return this.report();
    });
  }

  /** Exactly these groups are in memory beside what the directive keeps there. */
  gather(groups: readonly string[] | "all"): Promise<ResidencyReport> {
    return this.#exclusive(async () => {
      this.#refuseAsleep();
      const names = this.#names();
      const unknown = groups === "all" ? undefined : groups.find((name) => !names.includes(name));
      if (unknown !== undefined) throw unknownGroup(unknown, names);
      this.#weights.model.residency?.gather(groups);
      this.#gathered = groups;
      return this.report();
    });
  }

  release(): Promise<ResidencyReport> {
    return this.#exclusive(async () => {
      this.#gathered = null;
      if (this.#loaded) this.#weights.model.residency?.release();
      return this.report();
    });
  }

  /** Gives the memory of the weights back. No step may run before `wake` and `ensureLoaded`. */
  sleep(level: 1 | 2): Promise<void> {
    return this.#exclusive(async () => {
      this.#asleep = level === 2 || this.#discarded ? 2 : 1;
      this.#rest();
      giveMemoryBack();
    });
  }

  /** The weights are to be in memory again; discarded ones when `ensureLoaded` is called. */
  wake(): Promise<void> {
    return this.#exclusive(async () => {
      if (!this.#loaded && !this.#discarded) await this.#reload(NO_SIGNAL);
      this.#asleep = 0;
      if (this.#loaded) this.#serve(this.#weights.model);
    });
  }

  /** All is awake: what was discarded and not replaced is loaded. */
  ensureLoaded(): Promise<void> {
    return this.#exclusive(async () => {
      if (!this.#loaded) await this.#reload(NO_SIGNAL);
      this.#asleep = 0;
      this.#serve(this.#weights.model);
    });
  }

  /** A model is about to be replaced by a switch of weights. */
  leaving(model: LoadedModel): void {
    this.#past.pageIns += this.#loaded ? (model.residency?.report().pageIns ?? 0) : 0;
    this.#past.tokens += model.computedTokens?.() ?? 0;
  }

  /** A switch of weights is done. */
  arrived(model: LoadedModel): void {
    this.#loaded = true;
    this.#discarded = false;
    if (this.#asleep === 0) this.#serve(model);
    else this.#rest();
    // A layered model's past is files and pages; the old one's memory is worth having back at once.
    if (model.residency !== undefined || this.#asleep > 0) giveMemoryBack();
  }

  #names(): readonly string[] {
    return [...(this.#weights.model.groupBytes?.keys() ?? [])];
  }

  #refuseAsleep(): void {
    if (this.#asleep > 0 || !this.#loaded) {
      throw new GatewayError("conflict", "The weights are asleep; wake them up first (POST /wake_up).");
    }
  }

  /** Takes the weights out of memory as the level says. */
  #rest(): void {
    const { model } = this.#weights;
    if (model.residency !== undefined && this.#asleep === 1) {
      if (this.#loaded) model.residency.sleep();
      return;
    }
    if (this.#loaded) this.#past.pageIns += model.residency?.report().pageIns ?? 0;
    model.release();
    this.#loaded = false;
    this.#discarded = this.#asleep === 2;
  }

  async #reload(signal: AbortSignal): Promise<void> {
    await this.#weights.reload((model) => {
      const old = this.#scheduler.swapModel(model);
      this.leaving(old);
      this.#loaded = true;
      this.#discarded = false;
      return old;
    }, signal);
    this.#serve(this.#weights.model);
  }

  #serve({ residency }: LoadedModel): void {
    if (residency === undefined) return;
    // What loading left behind.
    giveMemoryBack();
    residency.wake();
    if (this.#gathered === null) return;
    try {
      residency.gather(this.#gathered);
    } catch {
      // Other weights, other sizes: what does not fit any more is not gathered.
      this.#gathered = null;
    }
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }
}
