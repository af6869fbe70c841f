/**
 * Which groups of a layered model are in memory, and the moves between memory and disk. Changes happen between two
 * steps; the runner asks before each piece. Knows regions and names, no graphs.
 */
import type { ResidencyDirective } from "../../engine/engine.ts";
import { GatewayError } from "../../errors.ts";
import type { ModelReport, ModelResidency } from "../batch-types.ts";
import type { Region } from "../native/mapping.ts";
import { availableBytes } from "./available.ts";
import { type Beside, checkDirective, type GroupSize, planTiers, type TierPlan, unknownGroup } from "./plan-tiers.ts";

/** One group as it was loaded. */
export interface LoadedGroup {
  readonly name: string;
  /** Bytes of its weights, as the model counts them. */
  readonly bytes: number;
  /** What moves with it. */
  readonly regions: readonly Region[];
  /** Bytes in memory at a time while it is on disk; default: its largest region. */
  readonly piece?: number;
}

/** See the file's head. Starts asleep: nothing is in memory before `wake`. */
export class ResidentGroups implements ModelResidency {
  readonly #groups: readonly LoadedGroup[];
  readonly #sizes: readonly GroupSize[];
  readonly #beside: (directive: ResidencyDirective) => Beside;
  readonly #inMemory = new Set<string>();
  #directive: ResidencyDirective;
  #plan: TierPlan;
  #gathered: ReadonlySet<string> = new Set();
  #asleep = true;
  #pageIns = 0;

  /**
   * @param beside what the process takes beside the weights under a directive
   * @throws GatewayError what `planTiers` throws
   */
  constructor(
    groups: readonly LoadedGroup[],
    directive: ResidencyDirective,
    beside: (directive: ResidencyDirective) => Beside,
  ) {
    this.#groups = groups;
    this.#sizes = groups.map(({ name, regions, piece }) => ({
      name,
      bytes: regions.reduce((sum, region) => sum + region.bytes, 0),
      piece: piece ?? Math.max(0, ...regions.map((region) => region.bytes)),
    }));
    this.#beside = beside;
    this.#directive = directive;
    this.#plan = planTiers(this.#sizes, directive, beside(directive));
  }

  get #names(): readonly string[] {
    return this.#groups.map(({ name }) => name);
  }

  /** Pieces that may be under way from disk at a time, the one in use included. */
  get buffers(): number {
    return this.#plan.buffers;
  }

  /** true: its pages are in memory, and stay there. */
  isResident(group: string): boolean {
    return this.#inMemory.has(group);
  }

  /** Counts a group that a step read from disk. */
  countPageIn(): void {
    this.#pageIns += 1;
  }

  /** Throws GatewayError `limit_exceeded`, `invalid_value`; nothing has changed then. */
  apply(directive: ResidencyDirective): void {
    checkDirective(directive, this.#names);
    this.#plan = planTiers(this.#sizes, directive, this.#beside(directive));
    this.#directive = directive;
    this.#settle();
  }

  /** Throws GatewayError `limit_exceeded` with the bytes that are missing, `invalid_value`; nothing has changed then. */
  gather(groups: readonly string[] | "all"): void {
    const names = groups === "all" ? this.#names : groups;
    const unknown = names.find((name) => !this.#names.includes(name));
    if (unknown !== undefined) throw unknownGroup(unknown, this.#names);
    const wanted = new Set(names);
    const sizeOf = (test: (size: GroupSize) => boolean) =>
      this.#sizes.filter(test).reduce((sum, { bytes }) => sum + bytes, 0);
    const more = sizeOf(({ name }) => wanted.has(name) && !this.#inMemory.has(name));
    const after = sizeOf(({ name }) => wanted.has(name) || this.#plan.tiers.get(name) === "cpu");
    const limit = this.#directive.maxGatheredBytes;
    const missing = limit === undefined ? more - availableBytes() : after - limit;
    if (missing > 0) {
      throw new GatewayError(
        "limit_exceeded",
        `${missing} bytes are missing: gathering ${groups === "all" ? "all groups" : `${wanted.size} groups`} takes ` +
          (limit === undefined
            ? `${more} bytes more, and the machine has ${more - missing} available.`
            : `${after} bytes, and ${limit} are allowed while gathered.`),
        { missingBytes: missing },
      );
    }
    this.#gathered = wanted;
    this.#settle();
  }

  release(): void {
    this.#gathered = new Set();
    this.#settle();
  }

  /** Gives all memory back; no step may run before `wake`. */
  sleep(): void {
    this.#asleep = true;
    this.#settle();
  }

  wake(): void {
    this.#asleep = false;
    this.#settle();
  }

  report(): ModelReport {
    const groups = this.#groups.map(({ name, bytes, regions }) => ({
      name,
      tier: this.#inMemory.has(name) ? ("cpu" as const) : ("disk" as const),
      bytes,
      pinned: regions.length > 0 && regions.every((region) => region.locked),
    }));
    const bytesOf = (tier: string) => groups.reduce((sum, group) => sum + (group.tier === tier ? group.bytes : 0), 0);
    const { maxInCpuBytes } = this.#directive;
    return {
      groups,
      bytes: { device: 0, cpu: bytesOf("cpu"), disk: bytesOf("disk") },
      ...(maxInCpuBytes === undefined ? {} : { budgetBytes: maxInCpuBytes }),
      pageIns: this.#pageIns,
      gathered: groups.filter(({ name }) => this.#gathered.has(name) && this.#plan.tiers.get(name) === "disk").length,
    };
  }

  /** Makes memory agree with the wish: what is not wanted goes first. */
  #settle(): void {
    const wanted = (name: string) =>
      !this.#asleep && (this.#plan.tiers.get(name) === "cpu" || this.#gathered.has(name));
    for (const { name, regions } of this.#groups) {
      if (wanted(name) || !this.#inMemory.delete(name)) continue;
      for (const region of regions) region.drop();
    }
    for (const { name, regions } of this.#groups) {
      if (!wanted(name)) continue;
      if (!this.#inMemory.has(name)) for (const region of regions) region.populate();
      this.#inMemory.add(name);
      for (const region of regions) {
        if (this.#directive.pinMemory === true) region.lock();
        else if (region.locked) region.unlock();
      }
    }
  }
}
