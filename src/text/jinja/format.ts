/** Python's two ways of formatting: `"%03d" % 7` and `"{:>5}".format("x")`, and the rounding both rest on. */
import { charge } from "./budget.ts";
import { intOf, numberOf } from "./numbers.ts";
import { floatText, toRepr, toText } from "./text.ts";
import { Dict, fail, PyFloat, pointLength, Tuple, toPoints, typeName, type Value } from "./values.ts";

/** Most digits after the point that are made; a double has no more than 1,074. */
const PRECISION_LIMIT = 100;

/** Widest field; a template has no use for more, and the number may be the caller's. */
const WIDTH_LIMIT = 100_000;

/** Decimal text of a float with `digits` places, ties to even as Python rounds (the value is taken exactly). */
export function toFixed(value: number, digits: number): string {
  if (!Number.isFinite(value)) return floatText(value);
  if (digits > PRECISION_LIMIT) return fail("ValueError", `precision is limited to ${PRECISION_LIMIT}`);
  const size = Math.abs(value);
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  if (size >= 1e21) return `${sign}${BigInt(size)}${digits > 0 ? `.${"0".repeat(digits)}` : ""}`;
  const up = size.toFixed(digits);
  // toFixed rounds ties away from zero; one that is exact goes to the even neighbour.
  const exact = size.toFixed(PRECISION_LIMIT);
  const cut = exact.indexOf(".") + 1 + digits;
  if (digits < PRECISION_LIMIT && /^50*$/.test(exact.slice(cut))) {
    const down = digits === 0 ? exact.slice(0, cut - 1) : exact.slice(0, cut);
    if (Number(down.at(-1)) % 2 === 0) return sign + down;
  }
  return sign + up;
}

/** `round(x, digits)` of a float. */
export function roundFloat(value: number, digits: number): number {
  if (!Number.isFinite(value)) return value;
  if (digits >= 0) return digits > 22 ? value : Number(toFixed(value, digits));
  const unit = 10 ** -digits;
  const scaled = value / unit;
  const low = Math.floor(scaled);
  const half = scaled - low;
  const nearest = half < 0.5 || (half === 0.5 && low % 2 === 0) ? low : low + 1;
  return nearest * unit;
}

function exponential(value: number, digits: number, upper: boolean): string {
  const [mantissa = "", power = "0"] = value.toExponential(Math.min(digits, PRECISION_LIMIT)).split("e");
  const exponent = Number(power);
  const text = `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  return upper ? text.toUpperCase() : text;
}

function general(value: number, precision: number, keepZeros: boolean, upper: boolean): string {
  const digits = Math.max(1, precision);
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const exponent = Number(value.toExponential(Math.min(digits - 1, PRECISION_LIMIT)).split("e")[1]);
  const scientific = exponent < -4 || exponent >= digits;
  const text = scientific ? exponential(value, digits - 1, upper) : toFixed(value, digits - 1 - exponent);
  if (keepZeros || !text.includes(".")) return text;
  return text.replace(/\.?0+(?=e|E|$)/, "");
}

function floatBody(value: number, type: string, precision: number): string {
  if (!Number.isFinite(value)) return /[A-Z]/.test(type) ? floatText(value).toUpperCase() : floatText(value);
  if (type === "f" || type === "F") return toFixed(value, precision);
  if (type === "e" || type === "E") return exponential(value, precision, type === "E");
  return general(value, precision, false, type === "G");
}

interface Spec {
  readonly fill: string;
  readonly align: string;
  readonly sign: string;
  readonly alternate: boolean;
  readonly width: number;
  readonly grouping: string;
  readonly precision: number | undefined;
  readonly type: string;
}

function pad(sign: string, body: string, spec: Spec, standard: string): string {
  if (spec.width > WIDTH_LIMIT) return fail("ValueError", `a width is limited to ${WIDTH_LIMIT}`);
  const missing = spec.width - pointLength(sign + body);
  if (missing <= 0) return sign + body;
  charge(missing);
  const align = spec.align || standard;
  if (align === "=") return sign + spec.fill.repeat(missing) + body;
  if (align === "<") return sign + body + spec.fill.repeat(missing);
  if (align === ">") return spec.fill.repeat(missing) + sign + body;
  const left = Math.floor(missing / 2);
  return spec.fill.repeat(left) + sign + body + spec.fill.repeat(missing - left);
}

const grouped = (body: string, mark: string): string =>
  mark === "" ? body : body.replace(/^\d+/, (whole) => whole.replace(/\B(?=(\d{3})+$)/g, mark));

function formatNumber(value: Value, spec: Spec): string {
  const int = intOf(value);
  const type = spec.type || (int === undefined ? "" : "d");
  let negative: boolean;
  let body: string;
  if (int !== undefined && /[bcdoxXn]/.test(type)) {
    negative = int < 0;
    const size = negative ? -int : int;
    if (type === "c") return pad("", String.fromCodePoint(Number(int)), spec, "<");
    const base = { b: 2, o: 8, x: 16, X: 16 }[type] ?? 10;
    body = size.toString(base);
    if (type === "X") body = body.toUpperCase();
    if (spec.alternate && base !== 10) body = `0${type}${body}`;
  } else {
    if (int === undefined && /[bcdoxX]/.test(type)) {
      return fail("ValueError", `Unknown format code '${type}' for object of type 'float'`);
    }
    const number = numberOf(value) ?? 0;
    negative = number < 0 || Object.is(number, -0);
    const size = Math.abs(number);
    if (type === "")
      body = spec.precision === undefined ? floatText(size) : withPoint(general(size, spec.precision, false, false));
    else if (type === "%") body = `${toFixed(size * 100, spec.precision ?? 6)}%`;
    else if (/[eEfFgGn]/.test(type)) body = floatBody(size, type === "n" ? "g" : type, spec.precision ?? 6);
    else return fail("ValueError", `Unknown format code '${type}' for object of type '${typeName(value)}'`);
  }
  const sign = negative ? "-" : spec.sign === "-" ? "" : spec.sign;
  return pad(sign, grouped(body, spec.grouping), spec, ">");
}

/** A float without a type keeps one digit after the point. */
const withPoint = (text: string): string => (/[.en]/.test(text) ? text : `${text}.0`);

const SPEC = /^(?:(.)?([<>=^]))?([-+ ])?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([a-zA-Z%])?$/su;

/** `format(value, spec)`. */
export function formatValue(value: Value, text: string): string {
  if (text === "") return toText(value);
  const match = SPEC.exec(text);
  if (match === null) return fail("ValueError", "Invalid format specifier");
  const [, fill, align = "", sign = "-", alternate, zero, width, grouping = "", precision, type = ""] = match;
  const spec: Spec = {
    fill: fill ?? (zero === undefined ? " " : "0"),
    align: align || (zero === undefined || typeof value === "string" ? "" : "="),
    sign,
    alternate: alternate !== undefined,
    width: Number(width ?? 0),
    grouping,
    precision: precision === undefined ? undefined : Number(precision),
    type,
  };
  if (typeof value === "string") {
    if (type !== "" && type !== "s")
      return fail("ValueError", `Unknown format code '${type}' for object of type 'str'`);
    const body = spec.precision === undefined ? value : toPoints(value).slice(0, spec.precision).join("");
    return pad("", body, spec, "<");
  }
  if (typeof value === "boolean" && type === "") return formatValue(toText(value), text);
  if (numberOf(value) === undefined) {
    return fail("TypeError", `unsupported format string passed to ${typeName(value)}.__format__`);
  }
  return formatNumber(value, spec);
}

const PERCENT = /%(?:\(([^)]*)\))?([-+ 0#]*)(\*|\d+)?(?:\.(\*|\d+)?)?[hlL]?(.)?/gsu;

/** `template % argument`. */
export function percentFormat(template: string, argument: Value): string {
  const list = argument instanceof Tuple ? argument.items : [argument];
  let next = 0;
  let named = false;
  const take = (): Value => {
    const value = list[next];
    if (value === undefined) return fail("TypeError", "not enough arguments for format string");
    next += 1;
    return value;
  };
  const number = (text: string | undefined): number | undefined =>
    text === undefined ? undefined : text === "*" ? Number(intOf(take()) ?? 0) : Number(text);
  charge(template.length);
  const out = template.replace(
    PERCENT,
    (
      whole: string,
      name: string | undefined,
      flags: string,
      width: string | undefined,
      precision: string | undefined,
      type: string | undefined,
    ) => {
      if (type === undefined) return fail("ValueError", "incomplete format");
      if (type === "%") return "%";
      const wide = number(width) ?? 0;
      const dot = whole.includes(".", name === undefined ? 0 : name.length);
      const exact = number(precision) ?? (dot ? 0 : undefined);
      let value: Value;
      if (name === undefined) value = take();
      else {
        if (!(argument instanceof Dict)) return fail("TypeError", "format requires a mapping");
        named = true;
        const found = argument.get(name);
        value = found === undefined ? fail("KeyError", `'${name}'`) : found;
      }
      return percentItem(value, type, flags, wide, exact);
    },
  );
  if (next < list.length && !named && !(argument instanceof Dict)) {
    return fail("TypeError", "not all arguments converted during string formatting");
  }
  charge(out.length);
  return out;
}

function percentItem(value: Value, type: string, flags: string, width: number, precision: number | undefined): string {
  const left = flags.includes("-");
  const sign = flags.includes("+") ? "+" : flags.includes(" ") ? " " : "-";
  const spec: Spec = {
    fill: flags.includes("0") && !left ? "0" : " ",
    align: left ? "<" : flags.includes("0") ? "=" : ">",
    sign,
    alternate: flags.includes("#"),
    width,
    grouping: "",
    precision,
    type,
  };
  if (type === "s" || type === "r" || type === "a") {
    const text = type === "s" ? toText(value) : toRepr(value);
    const cut = precision === undefined ? text : toPoints(text).slice(0, precision).join("");
    return pad("", cut, { ...spec, fill: " ", align: left ? "<" : ">" }, ">");
  }
  if (type === "c") {
    const code = intOf(value);
    return pad(
      "",
      code === undefined ? toText(value) : String.fromCodePoint(Number(code)),
      { ...spec, fill: " " },
      ">",
    );
  }
  const amount = numberOf(value);
  if (amount === undefined) {
    const what = /[diu]/.test(type) ? "a real number is required" : "must be real number";
    return fail("TypeError", `%${type} format: ${what}, not ${typeName(value)}`);
  }
  if (/[diu]/.test(type)) {
    const int = intOf(value) ?? Math.trunc(amount);
    const size = String(int < 0 ? -int : int).padStart(precision ?? 0, "0");
    return pad(int < 0 ? "-" : sign === "-" ? "" : sign, size, spec, ">");
  }
  if (/[xXo]/.test(type)) {
    if (intOf(value) === undefined) return fail("TypeError", `%${type} format: an integer is required, not float`);
    return formatNumber(value, { ...spec, type });
  }
  if (/[eEfFgG]/.test(type)) return formatNumber(new PyFloat(amount), { ...spec, precision: precision ?? 6 });
  return fail("ValueError", `unsupported format character '${type}'`);
}

/** How `str.format` reads `{a.b[0]}`: with the template's own rules of access. */
export type Access = (value: Value, key: Value, dotted: boolean) => Value;

/** `template.format(*args, **kwargs)`. */
export function braceFormat(
  template: string,
  args: readonly Value[],
  named: (name: string) => Value | undefined,
  access: Access,
  depth = 0,
): string {
  if (depth > 2) return fail("ValueError", "Max string recursion exceeded");
  charge(template.length);
  let auto = 0;
  let out = "";
  const field = (text: string): string => {
    const bang = /^([^!:]*)(?:!([a-z]))?(?::(.*))?$/su.exec(text);
    if (bang === null) return fail("ValueError", "expected ':' after conversion specifier");
    const [, path = "", conversion, spec = ""] = bang;
    const [, first = "", rest = ""] = /^([^.[]*)(.*)$/su.exec(path) ?? [];
    let value: Value;
    if (first === "" || /^\d+$/.test(first)) {
      const index = first === "" ? auto : Number(first);
      if (first === "") auto += 1;
      const found = args[index];
      value =
        found === undefined
          ? fail("IndexError", `Replacement index ${index} out of range for positional args tuple`)
          : found;
    } else {
      const found = named(first);
      value = found === undefined ? fail("KeyError", `'${first}'`) : found;
    }
    for (const [, dotted, key = ""] of rest.matchAll(/\.([^.[]+)|\[([^\]]+)\]/gsu)) {
      value =
        dotted === undefined
          ? access(value, /^\d+$/.test(key) ? Number(key) : key, false)
          : access(value, dotted, true);
    }
    const shown = conversion === "r" || conversion === "a" ? toRepr(value) : conversion === "s" ? toText(value) : value;
    return formatValue(shown, spec.includes("{") ? expand(spec) : spec);
  };
  const expand = (text: string): string => {
    let made = "";
    for (let at = 0; at < text.length; at += 1) {
      const c = text[at] ?? "";
      if ((c === "{" || c === "}") && text[at + 1] === c) {
        made += c;
        at += 1;
      } else if (c === "}") return fail("ValueError", "Single '}' encountered in format string");
      else if (c !== "{") made += c;
      else {
        let open = 1;
        let end = at + 1;
        for (; end < text.length && open > 0; end += 1) open += text[end] === "{" ? 1 : text[end] === "}" ? -1 : 0;
        if (open > 0) return fail("ValueError", "expected '}' before end of string");
        made += field(text.slice(at + 1, end - 1));
        at = end - 1;
      }
    }
    return made;
  };
  out = expand(template);
  charge(out.length);
  return out;
}
