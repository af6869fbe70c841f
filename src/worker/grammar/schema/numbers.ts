/** Numbers between bounds as grammar nodes: digits compared from the left, so that no answer has to be looked at twice. */
import type { GrammarBuilder, GrammarNode } from "../nodes.ts";

export interface NumberBounds {
  readonly minimum: number;
  readonly maximum: number;
  readonly exclusiveMinimum: number;
  readonly exclusiveMaximum: number;
  readonly integer: boolean;
  /** 1 = any. */
  readonly multipleOf: number;
}

/** Decimals at most: with the digits before the point, what a double tells apart. */
const DECIMALS_LIMIT = 9;
/** Decimals that are offered although the bounds have fewer. */
const DECIMALS = 3;
/** What stands for "no bound": beyond it a double cannot tell integers apart. */
const FAR = 10n ** 15n - 1n;
/** Multiples that are listed one by one. */
const LISTED_LIMIT = 2000;
/** Remainders followed digit by digit, and the digits of such a number. */
const REMAINDER_LIMIT = 100;
const MULTIPLE_DIGITS = 12;

/** A finite double's decimal digits and how many of them are behind the point; exact as it is written. */
function toDecimal(value: number): { readonly digits: bigint; readonly decimals: number } {
  const [mantissa = "0", exponent = "0"] = value.toExponential().split("e");
  const [whole = "0", fraction = ""] = mantissa.split(".");
  const shift = Number(exponent) - fraction.length;
  const digits = BigInt(whole + fraction);
  return shift >= 0 ? { digits: digits * 10n ** BigInt(shift), decimals: 0 } : { digits, decimals: -shift };
}

const floorDivide = (a: bigint, b: bigint): bigint => (a >= 0n ? a / b : -((-a + b - 1n) / b));
const ceilDivide = (a: bigint, b: bigint): bigint => -floorDivide(-a, b);

/** Least (or greatest, by `up`) whole count of 10^-decimals on the right side of a bound; null = no bound. */
function toUnits(bound: number, decimals: number, up: boolean, exclusive: boolean): bigint | null {
  if (!Number.isFinite(bound)) return null;
  const exact = toDecimal(bound);
  const scaled = exact.digits * 10n ** BigInt(decimals);
  const unit = 10n ** BigInt(exact.decimals);
  const rounded = up ? ceilDivide(scaled, unit) : floorDivide(scaled, unit);
  if (!exclusive || rounded * unit !== scaled) return rounded;
  return up ? rounded + 1n : rounded - 1n;
}

const largest = (...values: readonly (bigint | null)[]): bigint | null =>
  values.reduce((best, value) => (best === null || (value !== null && value > best) ? value : best), null);
const smallest = (...values: readonly (bigint | null)[]): bigint | null =>
  values.reduce((best, value) => (best === null || (value !== null && value < best) ? value : best), null);

class Digits {
  readonly #builder: GrammarBuilder;
  /** Where the point is, counted from the right. */
  readonly #decimals: number;

  constructor(builder: GrammarBuilder, decimals: number) {
    this.#builder = builder;
    this.#decimals = decimals;
  }

  /** Digit texts of one length from `low` to `high`, `left` of them to come. */
  #between(low: string, high: string, left: number): GrammarNode {
    const builder = this.#builder;
    if (left === 0) return builder.empty;
    const digit = (from: string, to: string): GrammarNode => builder.range(from.charCodeAt(0), to.charCodeAt(0));
    const point = left === this.#decimals ? builder.literal(".") : builder.empty;
    const [first = "0", last = "0"] = [low[0], high[0]];
    const [lowRest, highRest] = [low.slice(1), high.slice(1)];
    const zeros = "0".repeat(left - 1);
    const nines = "9".repeat(left - 1);
    const after = (from: string, to: string): GrammarNode => this.#between(from, to, left - 1);
    if (first === last) return builder.sequence([point, digit(first, first), after(lowRest, highRest)]);
    const from = lowRest === zeros ? first : String(Number(first) + 1);
    const to = highRest === nines ? last : String(Number(last) - 1);
    const parts: GrammarNode[] = [];
    if (from !== first) parts.push(builder.sequence([digit(first, first), after(lowRest, nines)]));
    if (from <= to) parts.push(builder.sequence([digit(from, to), after(zeros, nines)]));
    if (to !== last) parts.push(builder.sequence([digit(last, last), after(zeros, highRest)]));
    return builder.sequence([point, builder.choice(parts)]);
  }

  /** Counts from `low` to `high`, both at least 0, as decimal numbers without needless zeros in front. */
  range(low: bigint, high: bigint): GrammarNode {
    const parts: GrammarNode[] = [];
    const shortest = this.#decimals + 1;
    for (let length = shortest; length <= Math.max(shortest, String(high).length); length += 1) {
      const least = length === shortest ? 0n : 10n ** BigInt(length - 1);
      const most = 10n ** BigInt(length) - 1n;
      const [from, to] = [low > least ? low : least, high < most ? high : most];
      if (from > to) continue;
      parts.push(this.#between(String(from).padStart(length, "0"), String(to).padStart(length, "0"), length));
    }
    return this.#builder.choice(parts);
  }

  /** The same with negative ones. */
  signed(low: bigint, high: bigint): GrammarNode {
    const parts: GrammarNode[] = [];
    if (low < 0n) {
      const minus = this.#builder.literal("-");
      parts.push(this.#builder.sequence([minus, this.range(high < 0n ? -high : 1n, -low)]));
    }
    if (high >= 0n) parts.push(this.range(low > 0n ? low : 0n, high));
    return this.#builder.choice(parts);
  }
}

/** Multiples of an integer without bounds: the remainder is followed from digit to digit. */
function multiples(builder: GrammarBuilder, of: number): GrammarNode {
  /** By digits left and remainder so far. */
  let after: readonly GrammarNode[] = Array.from({ length: of }, (_, remainder) =>
    remainder === 0 ? builder.empty : builder.never,
  );
  const more = (remainder: number, from: number): GrammarNode => {
    const parts = Array.from({ length: 10 - from }, (_, index) =>
      builder.sequence([builder.literal(String(from + index)), after[(remainder * 10 + from + index) % of]!]),
    );
    return builder.choice(parts);
  };
  for (let digits = 1; digits < MULTIPLE_DIGITS; digits += 1) {
    after = after.map((_, remainder) =>
      builder.choice([...(remainder === 0 ? [builder.empty] : []), more(remainder, 0)]),
    );
  }
  const first = [more(0, 1)];
  return builder.choice([
    builder.literal("0"),
    builder.sequence([builder.optional(builder.literal("-")), builder.choice(first)]),
  ]);
}

/** Why bounds cannot be followed. */
export type NumberProblem = "empty" | "multipleOf";

/** Numbers within the bounds, or why not. */
export function boundedNumber(builder: GrammarBuilder, bounds: NumberBounds): GrammarNode | NumberProblem {
  const { multipleOf, integer } = bounds;
  const ends = (decimals: number): readonly [bigint, bigint] => {
    const low = largest(
      toUnits(bounds.minimum, decimals, true, false),
      toUnits(bounds.exclusiveMinimum, decimals, true, true),
    );
    const high = smallest(
      toUnits(bounds.maximum, decimals, false, false),
      toUnits(bounds.exclusiveMaximum, decimals, false, true),
    );
    const far = FAR;
    return [
      low ?? (high === null || high > -far ? -far : high * 1000n),
      high ?? (low === null || low < far ? far : low * 1000n),
    ];
  };
  if (multipleOf !== 1) {
    if (!Number.isSafeInteger(multipleOf) || multipleOf < 1) return "multipleOf";
    const [low, high] = ends(0);
    const unit = BigInt(multipleOf);
    const [first, last] = [ceilDivide(low, unit), floorDivide(high, unit)];
    if (first > last) return "empty";
    if (last - first < BigInt(LISTED_LIMIT)) {
      return builder.choice(
        Array.from({ length: Number(last - first) + 1 }, (_, index) =>
          builder.literal(String((first + BigInt(index)) * unit)),
        ),
      );
    }
    const open = low <= -FAR && high >= FAR;
    return open && multipleOf <= REMAINDER_LIMIT ? multiples(builder, multipleOf) : "multipleOf";
  }
  const [low, high] = ends(0);
  const whole = low > high ? [] : [new Digits(builder, 0).signed(low, high)];
  if (integer) return whole.length === 0 ? "empty" : whole[0]!;
  const named = [bounds.minimum, bounds.maximum, bounds.exclusiveMinimum, bounds.exclusiveMaximum]
    .filter((bound) => Number.isFinite(bound))
    .map((bound) => toDecimal(bound).decimals);
  const decimals = Math.min(DECIMALS_LIMIT, Math.max(DECIMALS, ...named));
  const parts = [...whole];
  for (let count = 1; count <= decimals; count += 1) {
    const [from, to] = ends(count);
    if (from <= to) parts.push(new Digits(builder, count).signed(from, to));
  }
  return parts.length === 0 ? "empty" : builder.choice(parts);
}
