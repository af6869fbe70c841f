/** The functions that jinja2's sandbox and transformers give a template: range, dict, namespace, cycler, joiner, and the like. */
import { FROM_KEYS } from "./access.ts";
import { intOf } from "./numbers.ts";
import { toText } from "./text.ts";
import { Callable, Dict, fail, iterate, type Kwargs, Namespace, Range, type Value } from "./values.ts";

/** Longest range, as jinja2's sandbox has it (`MAX_RANGE`). */
const RANGE_LIMIT = 100_000;

function toRange(args: readonly Value[]): Range {
  const ints = args.map((arg) => {
    const int = intOf(arg);
    return int === undefined ? fail("TypeError", "range() takes integers") : Number(int);
  });
  const [first = 0, second, step = 1] = ints;
  if (ints.length === 0 || ints.length > 3)
    return fail("TypeError", `range expected 1 to 3 arguments, got ${ints.length}`);
  if (step === 0) return fail("ValueError", "range() arg 3 must not be zero");
  const range = second === undefined ? new Range(0, first, 1) : new Range(first, second, step);
  if (range.length > RANGE_LIMIT) {
    return fail("OverflowError", `Range too big. The sandbox blocks ranges larger than MAX_RANGE (${RANGE_LIMIT}).`);
  }
  return range;
}

function toDict(args: readonly Value[], kwargs: Kwargs): Dict {
  const made = new Dict();
  const [source] = args;
  if (source instanceof Dict) for (const [key, value] of source.entries()) made.set(key, value);
  else if (source !== undefined) {
    for (const pair of iterate(source)) {
      const [key, value, ...more] = [...iterate(pair)];
      if (key === undefined || value === undefined || more.length > 0) return fail("ValueError", "dict() takes pairs");
      made.set(key, value);
    }
  }
  for (const [key, value] of kwargs) made.set(key, value);
  return made;
}

function toNamespace(args: readonly Value[], kwargs: Kwargs): Namespace {
  const made = new Namespace();
  for (const [key, value] of toDict(args, kwargs).entries()) made.set(toText(key), value);
  return made;
}

function createCycler(items: readonly Value[]): Callable {
  if (items.length === 0) return fail("RuntimeError", "at least one item has to be provided");
  let at = 0;
  const next = new Callable("next", () => {
    const item = items[at] ?? null;
    at = (at + 1) % items.length;
    return item;
  });
  const reset = new Callable("reset", () => {
    at = 0;
    return null;
  });
  return new Callable(
    "Cycler",
    () => fail("TypeError", "'Cycler' object is not callable"),
    (name) =>
      name === "next" ? next : name === "reset" ? reset : name === "current" ? (items[at] ?? null) : undefined,
  );
}

function createJoiner(mark: Value): Callable {
  let used = false;
  return new Callable(
    "Joiner",
    () => {
      const text = used ? mark : "";
      used = true;
      return text;
    },
    (name) => (name === "sep" ? mark : name === "used" ? used : undefined),
  );
}

/** Builds the globals; `strftime` formats the present time, once for the whole rendering. */
export function createGlobals(strftime: (format: string) => string): ReadonlyMap<string, Value> {
  const define = (name: string, call: (args: readonly Value[], kwargs: Kwargs) => Value): [string, Value] => [
    name,
    new Callable(name, call),
  ];
  return new Map([
    define("range", toRange),
    ["dict", new Callable("dict", toDict, (name) => (name === "fromkeys" ? FROM_KEYS : undefined))],
    define("namespace", toNamespace),
    define("cycler", createCycler),
    define("joiner", ([mark], kwargs) => createJoiner(mark ?? kwargs.get("sep") ?? ", ")),
    define("lipsum", () => fail("TemplateRuntimeError", "lipsum is not available: a prompt must be reproducible")),
    define("raise_exception", ([message], kwargs) =>
      fail("TemplateError", toText(message ?? kwargs.get("message") ?? null)),
    ),
    define("strftime_now", ([format], kwargs) => strftime(toText(format ?? kwargs.get("format") ?? null))),
  ]);
}
