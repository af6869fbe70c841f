/**
 * Attributes and items as the immutable sandbox of jinja2 gives them (`sandbox.py`): nothing private, nothing that changes
 * a list or a dict. Calling what is refused raises its reason.
 */
import { braceFormat } from "./format.ts";
import { intOf } from "./numbers.ts";
import { compare, isEqual, slice, subscript } from "./operators.ts";
import { stringMethod } from "./string-methods.ts";
import { toRepr } from "./text.ts";
import {
  Callable,
  Dict,
  fail,
  iterate,
  type Kwargs,
  Namespace,
  PyFloat,
  Range,
  Tuple,
  typeName,
  Undefined,
  type Value,
  View,
} from "./values.ts";

const LIST_CHANGES = new Set(["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"]);
const DICT_CHANGES = new Set(["clear", "pop", "popitem", "setdefault", "update"]);

/** What every Python object has, and the sandbox refuses. */
const PRIVATE =
  /^__(class|doc|init|new|repr|str|eq|ne|lt|le|gt|ge|hash|dir|format|reduce|reduce_ex|sizeof|subclasshook|init_subclass|getattribute|setattr|delattr|getstate|len|iter|getitem|contains|add|mul|rmul|mod|rmod|getnewargs|class_getitem|reversed|or|ror|ior|iadd|imul|setitem|delitem|dict|module|weakref|call|name|qualname|code|globals|closure|defaults|kwdefaults|annotations|self|bool|int|float|abs|neg|pos)__$/;

/** What an undefined value has of these, and beside them: reading it gives nothing, any other name is an error. */
const UNDEFINED_OWN =
  /^(__(aiter|complex|div|floordiv|getattr|pow|radd|rdiv|rfloordiv|rpow|rsub|rtruediv|slots|sub|truediv)__|_fail_with_undefined_error|_undefined_(exception|hint|message|name|obj))$/;
const UNDEFINED_LACKS =
  /^__(contains|getnewargs|class_getitem|reversed|or|ror|ior|iadd|imul|setitem|delitem|dict|weakref|name|qualname|code|globals|closure|defaults|kwdefaults|annotations|self|abs)__$/;

/** `'dict object'`, `'None'`: how jinja2 names an object in its messages. */
const describe = (value: Value): string => (value === null ? "None" : `${typeName(value)} object`);

const missing = (value: Value, key: Value): Undefined =>
  new Undefined(
    typeof key === "string"
      ? `'${describe(value)}' has no attribute ${toRepr(key)}`
      : `${describe(value)} has no element ${toRepr(key)}`,
  );

const unsafe = (value: Value, name: string): Undefined =>
  new Undefined(`access to attribute '${name}' of '${typeName(value)}' object is unsafe.`, "SecurityError");

const method = (name: string, call: (args: readonly Value[], kwargs: Kwargs) => Value): Callable =>
  new Callable(name, call);

function indexOf(items: readonly Value[], item: Value, owner: string): number {
  const at = items.findIndex((other) => isEqual(other, item));
  return at < 0 ? fail("ValueError", `${owner}.index(x): x not in ${owner}`) : at;
}

function sequenceMethod(items: readonly Value[], owner: string, name: string): Value | undefined {
  if (name === "count") return method(name, ([item = null]) => items.filter((other) => isEqual(other, item)).length);
  if (name === "index") return method(name, ([item = null]) => indexOf(items, item, owner));
  if (name === "copy" && owner === "list") return method(name, () => [...items]);
  return undefined;
}

/** `dict.fromkeys`, of the type and of each dict. */
export const FROM_KEYS: Callable = method("fromkeys", ([keys = [], item = null]) => {
  const made = new Dict();
  for (const key of iterate(keys)) made.set(key, item);
  return made;
});

function dictMethod(dict: Dict, name: string): Value | undefined {
  switch (name) {
    case "get":
      return method(name, ([key = null, standard = null]) => {
        const found = dict.get(key);
        return found === undefined ? standard : found;
      });
    case "items":
    case "keys":
    case "values":
      return method(name, (args) =>
        args.length > 0
          ? fail("TypeError", `dict.${name}() takes no arguments (${args.length} given)`)
          : new View(name, dict),
      );
    case "copy":
      return method(name, () => dict.entries().reduce((copy, [key, item]) => copy.set(key, item), new Dict()));
    case "fromkeys":
      return FROM_KEYS;
    default:
      return undefined;
  }
}

function numberAttribute(value: Value, name: string): Value | undefined {
  const int = intOf(value);
  if (name === "real") return int ?? value;
  if (name === "imag") return int === undefined ? new PyFloat(0) : 0;
  if (int !== undefined) {
    if (name === "numerator") return int;
    if (name === "denominator") return 1;
    if (name === "bit_length")
      return method(name, () => (int === 0 ? 0 : BigInt(int < 0 ? -int : int).toString(2).length));
    if (name === "is_integer") return method(name, () => true);
  }
  if (name === "is_integer" && value instanceof PyFloat) return method(name, () => Number.isInteger(value.value));
  if (name === "conjugate") return method(name, () => value);
  return undefined;
}

function ownAttribute(value: Value, name: string): Value | undefined {
  if (typeof value === "string") {
    if (name === "format" || name === "format_map") {
      return method(name, (args, kwargs) => {
        const map = name === "format_map" ? args[0] : undefined;
        const read = (key: string): Value | undefined => (map instanceof Dict ? map.get(key) : kwargs.get(key));
        const access = (of: Value, key: Value, dotted: boolean): Value =>
          dotted ? getAttribute(of, String(key)) : getItem(of, key);
        return braceFormat(value, map === undefined ? args : [], read, access);
      });
    }
    const call = stringMethod(value, name);
    return call === undefined ? undefined : method(name, call);
  }
  if (Array.isArray(value)) return LIST_CHANGES.has(name) ? unsafe(value, name) : sequenceMethod(value, "list", name);
  if (value instanceof Tuple) {
    const field = value.fields.indexOf(name);
    return field >= 0 ? value.items[field] : sequenceMethod(value.items, "tuple", name);
  }
  if (value instanceof Dict) return DICT_CHANGES.has(name) ? unsafe(value, name) : dictMethod(value, name);
  if (value instanceof Namespace) return value.fields.get(name);
  if (value instanceof Callable) return value.attributes?.(name);
  if (value instanceof Range) {
    return name === "start" || name === "stop" || name === "step"
      ? value[name]
      : sequenceMethod([...iterate(value)], "range", name);
  }
  return numberAttribute(value, name);
}

/** `value.name`: the attribute, else the item, else undefined. */
export function getAttribute(value: Value, name: string): Value {
  if (value instanceof Undefined) {
    const own = UNDEFINED_OWN.test(name) || (PRIVATE.test(name) && !UNDEFINED_LACKS.test(name));
    return own ? unsafe(value, name) : value.refuse();
  }
  if (PRIVATE.test(name)) return unsafe(value, name);
  const own = ownAttribute(value, name);
  if (own !== undefined) return own;
  const item = subscript(value, name);
  return item === undefined ? missing(value, name) : item;
}

/** `value[key]`: the item, else (for a string) the attribute, else undefined. */
export function getItem(value: Value, key: Value): Value {
  if (value instanceof Undefined) return value.refuse();
  const item = subscript(value, key);
  if (item !== undefined) return item;
  if (typeof key !== "string") {
    if (key instanceof Tuple && value instanceof Dict) {
      const found = value.get(key);
      return found === undefined ? missing(value, key) : found;
    }
    return missing(value, key);
  }
  if (PRIVATE.test(key)) return unsafe(value, key);
  const own = ownAttribute(value, key);
  return own === undefined ? missing(value, key) : own;
}

/** `value[a:b:c]`; what cannot be sliced gives undefined, as any failing subscript. */
export function getSlice(value: Value, start: Value, stop: Value, step: Value): Value {
  if (value instanceof Undefined) return value.refuse();
  if (typeof value === "string" || Array.isArray(value) || value instanceof Tuple || value instanceof Range) {
    return slice(value, start, stop, step);
  }
  if (value instanceof Dict) return fail("TypeError", "unhashable type: 'slice'");
  return new Undefined(
    `${describe(value)} has no element slice(${[start, stop, step].map((part) => toRepr(part)).join(", ")})`,
  );
}

/** Reads `attribute` (`"a.b.0"` or a number) of an item, for filters that take one; `standard` where it is undefined. */
export function attributeGetter(
  attribute: Value | undefined,
  standard: Value | undefined = undefined,
): (item: Value) => Value {
  if (attribute === undefined || attribute === null) return (item) => item;
  const parts: Value[] =
    typeof attribute === "string"
      ? attribute.split(".").map((part) => (/^\d+$/.test(part) ? Number(part) : part))
      : [attribute];
  return (item) => {
    let value = item;
    for (const part of parts) {
      value = getItem(value, part);
      if (value instanceof Undefined && standard !== undefined && standard !== null) return standard;
    }
    return value;
  };
}

/** Lowers strings, for filters that ignore case. */
export const ignoreCase = (value: Value): Value => (typeof value === "string" ? value.toLowerCase() : value);

/** A stable sort by key with Python's order. */
export function sortBy<T>(items: readonly T[], key: (item: T) => Value, reverse: boolean): T[] {
  const keyed = items.map((item) => ({ item, key: key(item) }));
  keyed.sort((a, b) => (reverse ? -compare(a.key, b.key) : compare(a.key, b.key)));
  return keyed.map(({ item }) => item);
}
