/** The filters of jinja2 that walk, pick, order or group. Those that are generators in Python give an Iter. */
import { attributeGetter, getAttribute, ignoreCase, sortBy } from "./access.ts";
import { charge, STEP } from "./budget.ts";
import type { Filter, Names } from "./evaluate.ts";
import { argument, argumentOr, intArgument } from "./filters-text.ts";
import { arithmetic, compare, isEqual } from "./operators.ts";
import { flag, toText } from "./text.ts";
import {
  Dict,
  fail,
  Iter,
  isTrue,
  iterate,
  type Kwargs,
  lengthOf,
  Range,
  Tuple,
  toPoints,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

const keyed = (attribute: Value | undefined, caseSensitive: boolean, standard?: Value): ((item: Value) => Value) => {
  const read = attributeGetter(attribute, standard);
  return caseSensitive ? read : (item) => ignoreCase(read(item));
};

const first: Filter = (value) => {
  for (const item of iterate(value)) return item;
  return new Undefined("No first item, sequence was empty.");
};

const last: Filter = (value) => {
  if (value instanceof Iter) return fail("TypeError", `'${typeName(value)}' object is not reversible`);
  const item = [...iterate(value)].at(-1);
  return item === undefined ? new Undefined("No last item, sequence was empty.") : item;
};

const extreme =
  (sign: 1 | -1): Filter =>
  (value, args, kwargs) => {
    const key = keyed(argument(args, kwargs, 1, "attribute"), flag(argument(args, kwargs, 0, "case_sensitive")));
    let best: { item: Value; key: Value } | undefined;
    for (const item of iterate(value)) {
      const candidate = { item, key: key(item) };
      if (best === undefined || compare(candidate.key, best.key, sign > 0 ? ">" : "<") * sign > 0) best = candidate;
    }
    return best !== undefined ? best.item : new Undefined("No aggregated item, sequence was empty.");
  };

const groupBy: Filter = (value, args, kwargs) => {
  const attribute = argument(args, kwargs, 0, "attribute");
  const standard = argument(args, kwargs, 1, "default");
  const caseSensitive = flag(argument(args, kwargs, 2, "case_sensitive"));
  const key = keyed(attribute, caseSensitive, standard);
  const groups: { key: Value; items: Value[] }[] = [];
  for (const item of sortBy([...iterate(value)], key, false)) {
    const own = key(item);
    const open = groups.at(-1);
    if (open !== undefined && isEqual(open.key, own)) open.items.push(item);
    else groups.push({ key: own, items: [item] });
  }
  const shown = attributeGetter(attribute, standard);
  return groups.map(({ key: own, items }) => {
    const name = caseSensitive ? own : shown(items[0] ?? null);
    return new Tuple([name, items], ["grouper", "list"]);
  });
};

const dictSort: Filter = (value, args, kwargs) => {
  if (!(value instanceof Dict)) return fail("AttributeError", `'${typeName(value)}' object has no attribute 'items'`);
  const caseSensitive = flag(argument(args, kwargs, 0, "case_sensitive"));
  const by = argument(args, kwargs, 1, "by") ?? "key";
  if (by !== "key" && by !== "value")
    return fail("FilterArgumentError", 'You can only sort by either "key" or "value"');
  const pick = (item: readonly [Value, Value]): Value => item[by === "key" ? 0 : 1];
  const key = (item: readonly [Value, Value]): Value => (caseSensitive ? pick(item) : ignoreCase(pick(item)));
  return sortBy(value.entries(), key, flag(argument(args, kwargs, 2, "reverse"))).map((entry) => new Tuple(entry));
};

const joinFilter: Filter = (value, args, kwargs) => {
  const mark = toText(argumentOr(args, kwargs, 0, "d", ""));
  const read = attributeGetter(argument(args, kwargs, 1, "attribute"));
  const parts: string[] = [];
  for (const item of iterate(value)) {
    const text = toText(read(item));
    charge(text.length + mark.length);
    parts.push(text);
  }
  return parts.join(mark);
};

const reverse: Filter = (value) => {
  if (typeof value === "string") return toPoints(value).reverse().join("");
  if (value instanceof Undefined) return value.refuse();
  if (value instanceof Iter) return [...iterate(value)].reverse();
  const items = [...iterate(value)].reverse();
  return new Iter(
    items,
    Array.isArray(value) ? "list_reverseiterator" : value instanceof Range ? "range_iterator" : "reversed",
  );
};

function* batches(value: Value, size: number, filler: Value): Generator<Value> {
  let row: Value[] = [];
  for (const item of iterate(value)) {
    if (row.length === size) {
      yield row;
      row = [];
    }
    row.push(item);
  }
  if (row.length === 0) return;
  if (filler !== null) {
    charge(Math.max(0, size - row.length));
    while (row.length < size) row.push(filler);
  }
  yield row;
}

function* columns(value: Value, count: number, filler: Value): Generator<Value> {
  const items = [...iterate(value)];
  if (count === 0) fail("ZeroDivisionError", "integer division or modulo by zero");
  const size = Math.floor(items.length / count);
  const extra = items.length % count;
  let offset = 0;
  for (let column = 0; column < count; column += 1) {
    charge(STEP);
    const start = offset + column * size;
    if (column < extra) offset += 1;
    const part = items.slice(start, offset + (column + 1) * size);
    if (filler !== null && column >= extra) part.push(filler);
    yield part;
  }
}

function* unique(value: Value, key: (item: Value) => Value): Generator<Value> {
  const seen = new Dict();
  for (const item of iterate(value)) {
    const own = key(item);
    if (seen.has(own)) continue;
    seen.set(own, true);
    yield item;
  }
}

function* dictItems(value: Value): Generator<Value> {
  if (value instanceof Undefined) return;
  if (!(value instanceof Dict)) return fail("TypeError", "Can only get item pairs from a mapping.");
  for (const entry of value.entries()) yield new Tuple(entry);
}

/** The filters that call other filters or tests by name. */
export function createCallingFilters(names: Pick<Names, "filter" | "test">): Record<string, Filter> {
  function* map(value: Value, args: readonly Value[], kwargs: Kwargs): Generator<Value> {
    if (!isTrue(value)) return;
    let apply: (item: Value) => Value;
    if (args.length === 0 && kwargs.has("attribute")) {
      const other = [...kwargs.keys()].find((name) => name !== "attribute" && name !== "default");
      if (other !== undefined) fail("FilterArgumentError", `Unexpected keyword argument '${other}'`);
      apply = attributeGetter(kwargs.get("attribute"), kwargs.get("default"));
    } else {
      const [name, ...rest] = args;
      if (name === undefined) return fail("FilterArgumentError", "map requires a filter argument");
      const filter = names.filter(toText(name));
      if (filter === undefined) return fail("TemplateRuntimeError", `No filter named '${toText(name)}'.`);
      apply = (item) => filter(item, rest, kwargs);
    }
    for (const item of iterate(value)) yield apply(item);
  }
  function* pick(
    value: Value,
    args: readonly Value[],
    kwargs: Kwargs,
    keep: boolean,
    byAttribute: boolean,
  ): Generator<Value> {
    if (!isTrue(value)) return;
    if (byAttribute && args.length === 0) return fail("FilterArgumentError", "Missing parameter for attribute name");
    const read = byAttribute ? attributeGetter(args[0]) : (item: Value) => item;
    const [name, ...rest] = byAttribute ? args.slice(1) : args;
    const test = name === undefined ? isTrue : names.test(toText(name));
    if (test === undefined) return fail("TemplateRuntimeError", `No test named '${toText(name ?? null)}'.`);
    for (const item of iterate(value)) if (test(read(item), rest, kwargs) === keep) yield item;
  }
  return {
    map: (value, args, kwargs) => new Iter(map(value, args, kwargs)),
    select: (value, args, kwargs) => new Iter(pick(value, args, kwargs, true, false)),
    reject: (value, args, kwargs) => new Iter(pick(value, args, kwargs, false, false)),
    selectattr: (value, args, kwargs) => new Iter(pick(value, args, kwargs, true, true)),
    rejectattr: (value, args, kwargs) => new Iter(pick(value, args, kwargs, false, true)),
  };
}

const length: Filter = (value) => lengthOf(value);
const orDefault: Filter = (value, args, kwargs) => {
  const standard = argumentOr(args, kwargs, 0, "default_value", "");
  const boolean = flag(argument(args, kwargs, 1, "boolean"));
  return value instanceof Undefined || (boolean && !isTrue(value)) ? standard : value;
};

/** By name. */
export const LIST_FILTERS: Readonly<Record<string, Filter>> = {
  attr: (value, args, kwargs) => {
    const name = toText(argument(args, kwargs, 0, "name") ?? null);
    const found = getAttribute(value, name);
    // Only real attributes count here: a key of the same name does not.
    const isItem = value instanceof Dict && value.has(name) && found === value.get(name);
    return isItem ? getAttribute(new Dict(), name) : found;
  },
  batch: (value, args, kwargs) =>
    new Iter(
      batches(
        value,
        intArgument(argument(args, kwargs, 0, "linecount"), 0),
        argument(args, kwargs, 1, "fill_with") ?? null,
      ),
    ),
  count: length,
  d: orDefault,
  default: orDefault,
  dictsort: dictSort,
  first,
  groupby: groupBy,
  items: (value) => new Iter(dictItems(value)),
  join: joinFilter,
  last,
  length,
  list: (value) => [...iterate(value)],
  max: extreme(1),
  min: extreme(-1),
  random: () => fail("TemplateRuntimeError", "the filter 'random' is not available: a prompt must be reproducible"),
  reverse,
  slice: (value, args, kwargs) =>
    new Iter(
      columns(
        value,
        intArgument(argument(args, kwargs, 0, "slices"), 0),
        argument(args, kwargs, 1, "fill_with") ?? null,
      ),
    ),
  sort: (value, args, kwargs) => {
    const attribute = argument(args, kwargs, 2, "attribute");
    const caseSensitive = flag(argument(args, kwargs, 1, "case_sensitive"));
    const parts = typeof attribute === "string" ? attribute.split(",") : [attribute];
    const keys = parts.map((part) => keyed(part, caseSensitive));
    const key = (item: Value): Value => keys.map((read) => read(item));
    return sortBy([...iterate(value)], key, flag(argument(args, kwargs, 0, "reverse")));
  },
  sum: (value, args, kwargs) => {
    const read = attributeGetter(argument(args, kwargs, 0, "attribute"));
    let total: Value = argument(args, kwargs, 1, "start") ?? 0;
    if (typeof total === "string") return fail("TypeError", "sum() can't sum strings [use ''.join(seq) instead]");
    for (const item of iterate(value)) total = arithmetic("+", total, read(item));
    return total;
  },
  unique: (value, args, kwargs) =>
    new Iter(
      unique(value, keyed(argument(args, kwargs, 1, "attribute"), flag(argument(args, kwargs, 0, "case_sensitive")))),
    ),
};
