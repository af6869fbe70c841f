/**
 * Which groups one replica holds in memory for generation leases: the union of what its holders want, brought about by
 * one call at a time. Knows no leases and no HTTP. What cannot be given back is tried again until it is, or until the
 * worker is gone, which gives back everything.
 */
import type { Engine, Residency, ResidencyDirective, ResidencyReport } from "../../engine/engine.ts";
import { GatewayError } from "../../errors.ts";
import { orAborted, sleep } from "../../lib/deadline.ts";
import type { Logger } from "../../observe/log.ts";
import type { Clock } from "../../ports.ts";

/** Reading a large model from a slow disk takes minutes; a worker that takes longer is left to its health checks. */
const CALL_MILLISECONDS = 600_000;
/** Between two attempts to give back. A gather is idempotent, so a repeat does no harm. */
const RETRY_MILLISECONDS = 500;

/** "all", or names of groups. Nobody wants anything: null. */
export type Groups = readonly string[] | "all";

export interface Hold {
  /** Idempotent. Resolves when the bytes are given back, or when the worker is gone. */
  release(): Promise<void>;
}

interface Holder {
  readonly groups: Groups;
  readonly onLost: (reason: string) => void;
}

/** Canonical text of a union, so that two can be compared. */
function union(holders: Iterable<Holder>): Groups | null {
  const names = new Set<string>();
  let any = false;
  for (const { groups } of holders) {
    any = true;
    if (groups === "all") return "all";
    for (const name of groups) names.add(name);
  }
  return any ? [...names].sort() : null;
}

const doesNotFit = (error: unknown): boolean => error instanceof GatewayError && error.code === "limit_exceeded";

const keyOf = (groups: Groups | null): string => JSON.stringify(groups);

/** The residency of one replica, shared by all who hold something of it. */
export class ReplicaResidency {
  readonly #engine: Engine;
  readonly #port: Residency;
  readonly #clock: Pick<Clock, "timer">;
  readonly #log: Logger;
  readonly #holders = new Set<Holder>();
  /** What the worker holds as far as is known; undefined = unknown. */
  #applied: string | undefined = keyOf(null);
  /** Calls run one after the other. */
  #tail: Promise<unknown> = Promise.resolve();
  /** Ends what runs for a worker that is gone. */
  #life = new AbortController();
  #directive: ResidencyDirective | undefined;
  readonly #unsubscribe: () => void;

  constructor(engine: Engine, port: Residency, clock: Pick<Clock, "timer">, log: Logger) {
    this.#engine = engine;
    this.#port = port;
    this.#clock = clock;
    this.#log = log;
    this.#unsubscribe = this.#engine.subscribe((notice) => {
      if (notice.type === "down") this.lose(notice.reason);
    });
  }

  /** How many hold something. */
  get holders(): number {
    return this.#holders.size;
  }

  /** The worker is gone, and with it everything it held. */
  lose(reason: string): void {
    this.#life.abort(new GatewayError("replica_failed", `The worker went down: ${reason}`));
    this.#life = new AbortController();
    this.#applied = keyOf(null);
    this.#dropAll(reason);
  }

  #dropAll(reason: string): void {
    const lost = [...this.#holders];
    this.#holders.clear();
    for (const { onLost } of lost) onLost(reason);
  }

  /** Forgets the engine. */
  close(reason: string): void {
    this.#unsubscribe();
    this.lose(reason);
  }

  /**
   * Brings groups into memory. Rejects with what the engine said, with the signal's reason, or with `replica_failed`
   * when the worker went down; then nothing is held.
   */
  async hold(groups: Groups, onLost: (reason: string) => void, signal: AbortSignal): Promise<Hold> {
    const holder: Holder = { groups, onLost };
    this.#holders.add(holder);
    const giveBack = (): Promise<void> => {
      this.#holders.delete(holder);
      return this.#settle();
    };
    try {
      await orAborted(this.#reconcile(), signal);
    } catch (error) {
      // The call may still be under way: what it brings in is taken out behind it.
      this.#holders.delete(holder);
      void this.#settle();
      throw error;
    }
    if (!this.#holders.has(holder)) throw new GatewayError("replica_failed", "The worker went down while it gathered.");
    let released: Promise<void> | undefined;
    return { release: () => (released ??= giveBack()) };
  }

  /** What the worker says, between two changes. */
  report(signal: AbortSignal): Promise<ResidencyReport> {
    return this.#exclusive((own) => this.#port.report({ signal: AbortSignal.any([own, signal]) }));
  }

  /** Applies a directive; what is held stays held. Rejects with what the engine said, and nothing has changed then. */
  async apply(directive: ResidencyDirective, signal: AbortSignal): Promise<ResidencyReport> {
    const report = await this.#exclusive((own) =>
      this.#port.apply(directive, { signal: AbortSignal.any([own, signal]) }),
    );
    this.#directive = directive;
    if (this.#holders.size === 0) return report;
    await this.regather();
    return this.report(signal);
  }

  /** The directive that was applied last; undefined: none was since the start. */
  get directive(): ResidencyDirective | undefined {
    return this.#directive;
  }

  /** What is held is brought in again: after weights were switched. */
  async regather(): Promise<void> {
    this.#applied = undefined;
    await this.#settle();
  }

  /** Runs alone, with a deadline, and ends with the worker. */
  #exclusive<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const run = async (): Promise<T> => {
      const limit = new AbortController();
      const timer = this.#clock.timer(CALL_MILLISECONDS, () =>
        limit.abort(new GatewayError("deadline_exceeded", "The worker did not move its weights in time.")),
      );
      const signal = AbortSignal.any([limit.signal, this.#life.signal]);
      try {
        return await orAborted(call(signal), signal);
      } finally {
        timer.cancel();
      }
    };
    const result = this.#tail.then(run, run);
    this.#tail = result.catch(() => undefined);
    return result;
  }

  /** One step towards what is wanted; a step that finds nothing to do costs nothing. */
  #reconcile(): Promise<void> {
    return this.#exclusive(async (signal) => {
      const wanted = union(this.#holders);
      const key = keyOf(wanted);
      if (this.#applied === key) return;
      const before = this.#applied;
      const life = this.#life;
      this.#applied = undefined;
      try {
        if (wanted === null) await this.#port.release({ signal });
        else await this.#port.gather(wanted, { signal });
      } catch (error) {
        // The port promises that a gather that does not fit has changed nothing.
        if (doesNotFit(error) && life === this.#life) this.#applied = before;
        throw error;
      }
      if (life === this.#life) this.#applied = key;
    });
  }

  /** Reconciles until it worked; the only ways out are success and the worker's end. */
  async #settle(): Promise<void> {
    const life = this.#life;
    while (life === this.#life && this.#applied !== keyOf(union(this.#holders))) {
      try {
        await this.#reconcile();
      } catch (error) {
        if (life !== this.#life) return;
        if (doesNotFit(error) && this.#holders.size > 0) {
          // The budget was made smaller under their feet.
          this.#dropAll((error as GatewayError).message);
          continue;
        }
        this.#log.warn("residency: weights could not be given back, trying again", { error });
        await sleep(this.#clock, RETRY_MILLISECONDS, life.signal).catch(() => undefined);
      }
    }
  }
}
