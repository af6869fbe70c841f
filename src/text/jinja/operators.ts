/** Python's operators on template values: comparison, arithmetic, membership, subscripts. */
import { charge } from "./budget.ts";
import { percentFormat } from "./format.ts";
import { intOf, numberOf } from "./numbers.ts";
import { toText } from "./text.ts";
import {
  Dict,
  fail,
  iterate,
  PyFloat,
  pointLength,
  Range,
  Tuple,
  toInt,
  toPoints,
  typeName,
  Undefined,
  type Value,
  View,
} from "./values.ts";

/** Greatest size of an int in bits: more than Python prints (4,300 digits), little enough to be quick. */
const BIT_LIMIT = 16_384;

const sequenceOf = (value: Value): readonly Value[] | undefined =>
  Array.isArray(value) ? value : value instanceof Tuple ? value.items : undefined;

/** `a == b`. */
export function isEqual(a: Value, b: Value): boolean {
  charge(1);
  if (a instanceof Undefined || b instanceof Undefined) return a instanceof Undefined && b instanceof Undefined;
  if (typeof a === "string" || typeof b === "string") {
    if (typeof a === "string" && typeof b === "string" && a.length === b.length) charge(a.length >>> 4);
    return a === b;
  }
  const [left, right] = [intOf(a), intOf(b)];
  if (left !== undefined && right !== undefined) return left === right;
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined && y !== undefined) return x === y;
  if (Array.isArray(a) === Array.isArray(b)) {
    const [first, second] = [sequenceOf(a), sequenceOf(b)];
    if (first !== undefined && second !== undefined) {
      return first.length === second.length && first.every((item, index) => isEqual(item, second[index] ?? null));
    }
  }
  if (a instanceof Dict && b instanceof Dict) {
    return (
      a.size === b.size &&
      a.entries().every(([key, item]) => {
        const other = b.get(key);
        return other !== undefined && isEqual(item, other);
      })
    );
  }
  if (a instanceof Range && b instanceof Range) {
    return a.length === b.length && (a.length === 0 || (a.start === b.start && (a.length === 1 || a.step === b.step)));
  }
  return a === b;
}

const byCodePoint = (a: string, b: string): number => {
  charge(Math.min(a.length, b.length) >>> 4);
  // UTF-16 order differs from code-point order only where a surrogate meets U+E000 … U+FFFF.
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    if (a[index] === b[index]) continue;
    const fix = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);
    return fix(a.charCodeAt(index)) - fix(b.charCodeAt(index));
  }
  return a.length - b.length;
};

/** Orders two values as `<` does; a TypeError naming `sign` where Python has no order. NaN compares as undefined. */
export function compare(a: Value, b: Value, sign = "<"): number {
  charge(1);
  if (a instanceof Undefined) return a.refuse();
  if (b instanceof Undefined) return b.refuse();
  if (typeof a === "string" && typeof b === "string") return byCodePoint(a, b);
  const [left, right] = [intOf(a), intOf(b)];
  if (left !== undefined && right !== undefined) return left < right ? -1 : left > right ? 1 : 0;
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined && y !== undefined) return x < y ? -1 : x > y ? 1 : x === y ? 0 : Number.NaN;
  const [first, second] = [sequenceOf(a), sequenceOf(b)];
  if (first !== undefined && second !== undefined && Array.isArray(a) === Array.isArray(b)) {
    for (const [index, item] of first.entries()) {
      const other = second[index];
      if (other === undefined) return 1;
      if (!isEqual(item, other)) return compare(item, other, sign);
    }
    return first.length - second.length;
  }
  return fail("TypeError", `'${sign}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

/** `item in container`. */
export function contains(container: Value, item: Value): boolean {
  if (typeof container === "string") {
    if (item instanceof Undefined) item.refuse();
    if (typeof item !== "string") {
      return fail("TypeError", `'in <string>' requires string as left operand, not ${typeName(item)}`);
    }
    charge(container.length >>> 3);
    return container.includes(item);
  }
  if (container instanceof Dict) return container.has(item);
  if (container instanceof View && container.kind === "keys") return container.dict.has(item);
  if (container instanceof Undefined) return false;
  try {
    for (const other of iterate(container)) if (other === item || isEqual(other, item)) return true;
  } catch (thrown) {
    if (thrown instanceof Error && /is not iterable$/.test(thrown.message)) {
      return fail("TypeError", `argument of type '${typeName(container)}' is not iterable`);
    }
    throw thrown;
  }
  return false;
}

const refuseOperands = (sign: string, a: Value, b: Value): never =>
  fail("TypeError", `unsupported operand type(s) for ${sign}: '${typeName(a)}' and '${typeName(b)}'`);

function repeated(value: Value, times: number | bigint): Value | undefined {
  const count = Math.max(0, Number(times));
  if (typeof value === "string") {
    charge(value.length * count);
    return value.repeat(value === "" ? 0 : count);
  }
  const list = sequenceOf(value);
  if (list === undefined) return undefined;
  charge(list.length * count);
  const out: Value[] = [];
  if (list.length > 0) for (let index = 0; index < count; index += 1) for (const item of list) out.push(item);
  return Array.isArray(value) ? out : new Tuple(out);
}

const bits = (value: number | bigint): number =>
  typeof value === "bigint" ? value.toString(16).length * 4 : Math.ceil(Math.log2(Math.abs(value) + 1));

function bigArithmetic(sign: string, a: bigint, b: bigint): bigint {
  if (sign === "+") return a + b;
  if (sign === "-") return a - b;
  if (sign === "*") return a * b;
  const quotient = a / b;
  const floored = a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
  return sign === "//" ? floored : a - floored * b;
}

function intArithmetic(sign: string, a: number | bigint, b: number | bigint): Value {
  const zero = b === 0 || b === 0n;
  if (sign === "/") return zero ? fail("ZeroDivisionError", "division by zero") : new PyFloat(Number(a) / Number(b));
  if ((sign === "//" || sign === "%") && zero) return fail("ZeroDivisionError", "integer modulo by zero");
  if (sign === "**") {
    if (b < 0) return floatArithmetic("**", Number(a), Number(b));
    if (bits(a) * Number(b) > BIT_LIMIT && bits(a) > 1) return fail("OverflowError", "the power is too large");
    return toInt(BigInt(a) ** BigInt(b));
  }
  if (bits(a) + bits(b) > BIT_LIMIT) return fail("OverflowError", "the integer is too large");
  if (typeof a === "number" && typeof b === "number" && sign !== "//" && sign !== "%") {
    const quick = sign === "+" ? a + b : sign === "-" ? a - b : a * b;
    if (Number.isSafeInteger(quick)) return quick === 0 ? 0 : quick;
  }
  return toInt(bigArithmetic(sign, BigInt(a), BigInt(b)));
}

function floatArithmetic(sign: string, a: number, b: number): Value {
  if (sign === "+") return new PyFloat(a + b);
  if (sign === "-") return new PyFloat(a - b);
  if (sign === "*") return new PyFloat(a * b);
  if (sign === "**") {
    if (a === 0 && b < 0) return fail("ZeroDivisionError", "0.0 cannot be raised to a negative power");
    return new PyFloat(a ** b);
  }
  if (b === 0) return fail("ZeroDivisionError", "float division by zero");
  if (sign === "/") return new PyFloat(a / b);
  let rest = a % b;
  if (rest !== 0 && rest < 0 !== b < 0) rest += b;
  return new PyFloat(sign === "%" ? rest : Math.round((a - rest) / b));
}

/** A binary operator of the template: `+ - * / // % **`. */
export function arithmetic(sign: string, a: Value, b: Value): Value {
  charge(1);
  if (a instanceof Undefined) return a.refuse();
  if (typeof a === "string" && sign === "%") return percentFormat(a, b);
  if (b instanceof Undefined) return b.refuse();
  const [left, right] = [intOf(a), intOf(b)];
  if (left !== undefined && right !== undefined) return intArithmetic(sign, left, right);
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined && y !== undefined) return floatArithmetic(sign, x, y);
  if (sign === "*") {
    const made = right !== undefined ? repeated(a, right) : left !== undefined ? repeated(b, left) : undefined;
    if (made !== undefined) return made;
  }
  if (sign === "+") {
    if (typeof a === "string") {
      if (typeof b === "string") return join(a, b);
      return fail("TypeError", `can only concatenate str (not "${typeName(b)}") to str`);
    }
    const [first, second] = [sequenceOf(a), sequenceOf(b)];
    if (first !== undefined && second !== undefined && Array.isArray(a) === Array.isArray(b)) {
      charge(first.length + second.length);
      return Array.isArray(a) ? [...first, ...second] : new Tuple([...first, ...second]);
    }
    if (first !== undefined) {
      const name = typeName(a);
      return fail("TypeError", `can only concatenate ${name} (not "${typeName(b)}") to ${name}`);
    }
  }
  return refuseOperands(sign === "**" ? "** or pow()" : sign, a, b);
}

/** Joins two strings; the length is charged, because doubling is how a template explodes. */
export function join(a: string, b: string): string {
  charge(a.length + b.length);
  return a + b;
}

/** `-value`, `+value`. */
export function unary(sign: "-" | "+", value: Value): Value {
  if (value instanceof Undefined) return value.refuse();
  if (value instanceof PyFloat) return new PyFloat(sign === "-" ? -value.value : value.value);
  const int = intOf(value);
  if (int === undefined) return fail("TypeError", `bad operand type for unary ${sign}: '${typeName(value)}'`);
  if (sign === "+") return int;
  return typeof int === "bigint" ? toInt(-int) : int === 0 ? 0 : -int;
}

/** `value[start:stop:step]`. */
export function slice(value: Value, start: Value, stop: Value, step: Value): Value {
  if (value instanceof Undefined) return value.refuse();
  const bound = (part: Value): number | undefined => {
    if (part === null) return undefined;
    const int = intOf(part);
    return int === undefined
      ? fail("TypeError", "slice indices must be integers or None or have an __index__ method")
      : Number(int);
  };
  const items = typeof value === "string" ? toPoints(value) : sequenceOf(value);
  if (items === undefined) {
    if (value instanceof Range) return slice([...iterate(value)], start, stop, step);
    return fail("TypeError", `'${typeName(value)}' object is not subscriptable`);
  }
  const stride = bound(step) ?? 1;
  if (stride === 0) return fail("ValueError", "slice step cannot be zero");
  const size = items.length;
  const [low, high] = stride > 0 ? [0, size] : [-1, size - 1];
  const clamp = (index: number | undefined, standard: number): number =>
    index === undefined ? standard : Math.min(high, Math.max(low, index < 0 ? index + size : index));
  const from = clamp(bound(start), stride > 0 ? 0 : size - 1);
  const to = clamp(bound(stop), stride > 0 ? size : -1);
  charge(items.length);
  let out: Value[];
  if (stride === 1) out = items.slice(from, Math.max(from, to)) as Value[];
  else {
    out = [];
    for (let at = from; stride > 0 ? at < to : at > to; at += stride) out.push(items[at] ?? null);
  }
  if (typeof value === "string") return out.join("");
  return Array.isArray(value) ? out : new Tuple(out);
}

/** `value[key]` without attributes; undefined where Python raises LookupError or TypeError. */
export function subscript(value: Value, key: Value): Value | undefined {
  if (value instanceof Dict) return isHashable(key) ? value.get(key) : undefined;
  const index = intOf(key);
  if (index === undefined) return undefined;
  const at = (size: number): number => (index < 0 ? Number(index) + size : Number(index));
  if (typeof value === "string") {
    const size = pointLength(value);
    if (size === value.length) return value[at(size)];
    return toPoints(value)[at(size)];
  }
  const list = sequenceOf(value);
  if (list !== undefined) return list[at(list.length)];
  if (value instanceof Range) {
    const place = at(value.length);
    return place >= 0 && place < value.length ? value.start + place * value.step : undefined;
  }
  return undefined;
}

const isHashable = (key: Value): boolean => !(Array.isArray(key) || key instanceof Dict);

/** `str()` of several values joined: the `~` operator. */
export function concatenate(values: readonly Value[]): string {
  let out = "";
  for (const value of values) out = join(out, toText(value));
  return out;
}
