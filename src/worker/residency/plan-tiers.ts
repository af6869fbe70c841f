/** Which groups stay in memory under a directive, and whether that fits. Pure. */
import type { ResidencyDirective, Tier } from "../../engine/engine.ts";
import { GatewayError, invalidValue, showValue } from "../../errors.ts";

/** What a group takes. */
export interface GroupSize {
  readonly name: string;
  /** Bytes of memory while it is resident, in whole pages. */
  readonly bytes: number;
  /** Bytes of its largest piece: what a step needs at a time while the group is on disk. */
  readonly piece: number;
}

export interface TierPlan {
  /** In the order of use. */
  readonly tiers: ReadonlyMap<string, "cpu" | "disk">;
  /** Pieces that may be in memory or under way at a time; 0 when nothing is on disk. */
  readonly buffers: number;
  /** Bytes of memory that this takes at most. */
  readonly memory: number;
}

const DEFAULT_BUFFERS = 2;
const BUFFER_LIMIT = 4096;
const TIERS: readonly Tier[] = ["device", "cpu", "disk"];

/** true: everything in memory, the plain way. */
export const isPlain = (directive: ResidencyDirective): boolean =>
  directive.maxInCpuBytes === undefined &&
  directive.pinMemory !== true &&
  !Object.values(directive.groups ?? {}).includes("disk");

/** Bytes that a worker takes beside the weights: the bare program, and what the model computes with. */
export interface Beside {
  readonly process: number;
  readonly model: number;
}

/** The process may be larger than its budget by this share: what it takes beside the weights is an estimate. */
const TOLERANCE = 0.1;

/**
 * Bytes of weights that a process may hold at a time: so many that all of it stays within the budget; where that is not
 * even enough for one step, so many that all stays within it but the bare program; else all that the budget says.
 */
export function toRooms({ maxInCpuBytes }: ResidencyDirective, beside: Beside | undefined): readonly number[] {
  if (maxInCpuBytes === undefined || beside === undefined) return [Number.POSITIVE_INFINITY];
  const forModel = (1 + TOLERANCE) * maxInCpuBytes - beside.model;
  return [forModel - beside.process, forModel, Number.POSITIVE_INFINITY];
}

/** Refuses what no model could follow. Throws GatewayError `invalid_value` naming the field. */
export function checkDirective(directive: ResidencyDirective, names: readonly string[]): void {
  const { maxInCpuBytes, maxGatheredBytes, bufferCount } = directive;
  for (const [field, value] of Object.entries({ maxInCpuBytes, maxGatheredBytes })) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0)) {
      throw invalidValue(field, value, "a number of bytes");
    }
  }
  if (
    bufferCount !== undefined &&
    !(Number.isInteger(bufferCount) && bufferCount >= 1 && bufferCount <= BUFFER_LIMIT)
  ) {
    throw invalidValue("bufferCount", bufferCount, `an integer from 1 to ${BUFFER_LIMIT}`);
  }
  for (const [name, tier] of Object.entries(directive.groups ?? {})) {
    if (!names.includes(name)) throw unknownGroup(name, names);
    if (!TIERS.includes(tier)) throw invalidValue(`groups.${name}`, tier, `one of ${TIERS.join(", ")}`);
  }
}

/** The refusal of a group that the model does not have. */
export function unknownGroup(name: string, names: readonly string[]): GatewayError {
  const layers = names.length - 2;
  return new GatewayError(
    "invalid_value",
    `The model has no group ${showValue(name)}; it has embed, layers.0${layers > 1 ? ` … layers.${layers - 1}` : ""} and head.`,
    { param: `groups.${name}` },
  );
}

const largest = (groups: readonly GroupSize[]): GroupSize | undefined =>
  groups.reduce<GroupSize | undefined>((best, group) => (group.piece > (best?.piece ?? 0) ? group : best), undefined);

const sum = (groups: readonly GroupSize[]) => groups.reduce((total, { bytes }) => total + bytes, 0);

const isKept = ({ groups }: ResidencyDirective, { name }: GroupSize): boolean =>
  groups?.[name] === "cpu" || groups?.[name] === "device";

/** Bytes of weights in memory at a time when no more is kept than the directive names. */
export function toLeastBytes(groups: readonly GroupSize[], directive: ResidencyDirective): number {
  const kept = groups.filter((group) => isKept(directive, group));
  return sum(kept) + (largest(groups.filter((group) => !isKept(directive, group)))?.piece ?? 0);
}

/**
 * Chooses the tiers: what the directive names, then as much as fits beside the buffers, in the order of use.
 *
 * @param beside what the worker takes besides: see `toRooms`
 * @throws GatewayError `limit_exceeded` with `details.missingBytes` when one step does not fit the budget
 */
export function planTiers(groups: readonly GroupSize[], directive: ResidencyDirective, beside?: Beside): TierPlan {
  const budget = directive.maxInCpuBytes ?? Number.POSITIVE_INFINITY;
  const asked = (group: GroupSize): Tier | undefined => directive.groups?.[group.name];
  const kept = new Set(groups.filter((group) => isKept(directive, group)));
  const free = groups.filter((group) => asked(group) === undefined);
  const streamed = () => groups.filter((group) => !kept.has(group));

  const piece = () => largest(streamed())?.piece ?? 0;
  const least = toLeastBytes(groups, directive);
  // Pieces that are read ahead are the operating system's; one at a time is the process's own.
  const limit = toRooms(directive, beside).find((room) => least <= room) ?? Number.POSITIVE_INFINITY;
  const fits = (bytes: number, buffers: number) =>
    bytes + buffers * piece() <= budget && bytes + Math.min(1, buffers) * piece() <= limit;
  const rest = groups.filter((group) => asked(group) === "disk");
  const all = [...kept, ...free];
  const restPiece = largest(rest)?.piece ?? 0;
  if (sum(all) + restPiece <= Math.min(budget, limit)) for (const group of free) kept.add(group);
  if (least > budget) {
    const group = largest(streamed());
    const parts = [
      ...(kept.size > 0 ? [`${sum([...kept])} bytes of groups that are to stay in memory`] : []),
      ...(group === undefined ? [] : [`${group.piece} bytes of the largest piece on disk (${group.name})`]),
    ];
    throw new GatewayError(
      "limit_exceeded",
      `${least - budget} bytes are missing: one step needs ${parts.join(" and ")}; max_in_cpu allows ${budget}.`,
      { param: "max_in_cpu", missingBytes: least - budget },
    );
  }
  let buffers = streamed().length === 0 ? 0 : (directive.bufferCount ?? DEFAULT_BUFFERS);
  while (buffers > 1 && !fits(sum([...kept]), buffers)) buffers -= 1;
  for (const group of free) {
    if (kept.has(group)) continue;
    if (fits(sum([...kept]) + group.bytes, buffers)) kept.add(group);
  }
  if (streamed().length === 0) buffers = 0;
  return {
    tiers: new Map(groups.map((group) => [group.name, kept.has(group) ? "cpu" : "disk"])),
    buffers,
    memory: sum([...kept]) + buffers * piece(),
  };
}
