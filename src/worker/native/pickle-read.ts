/**
 * Reads the pickles that vLLM's process group sends: None, bool, int, str, bytes, list, tuple, dict and `ncclUniqueId`.
 * A pickle is a program; this reader runs none: the one call it knows builds an ncclUniqueId from 128 bytes. Every other
 * class, function and opcode is refused by name. Opcodes: CPython `Lib/pickle.py`, protocols 2 to 5.
 */
import {
  DEFAULT_PICKLE_LIMITS,
  NCCL_UNIQUE_ID_BYTES,
  NCCL_UNIQUE_ID_CLASS,
  NcclUniqueId,
  type PickleKey,
  type PickleLimits,
  PickleTuple,
  type PickleValue,
  pickleError,
} from "./pickle-values.ts";

/** Names of opcodes that exist and are refused, for the error text. */
const REFUSED: Readonly<Record<string, string>> = {
  "0": "POP",
  "1": "POP_MARK",
  "2": "DUP",
  F: "FLOAT",
  I: "INT",
  L: "LONG",
  P: "PERSID",
  Q: "BINPERSID",
  S: "STRING",
  T: "BINSTRING",
  U: "SHORT_BINSTRING",
  V: "UNICODE",
  b: "BUILD",
  d: "DICT",
  g: "GET",
  i: "INST",
  l: "LIST",
  o: "OBJ",
  p: "PUT",
  G: "BINFLOAT (a float)",
  "\x81": "NEWOBJ",
  "\x82": "EXT1",
  "\x83": "EXT2",
  "\x84": "EXT4",
  "\x8b": "LONG4",
  "\x8f": "EMPTY_SET",
  "\x90": "ADDITEMS",
  "\x91": "FROZENSET",
  "\x92": "NEWOBJ_EX",
  "\x96": "BYTEARRAY8",
  "\x97": "NEXT_BUFFER",
  "\x98": "READONLY_BUFFER",
};

/** The longest LONG1 that is taken; a 64-bit unsigned integer needs nine. */
const LONGEST_INTEGER = 9;
/** The longest line of a GLOBAL opcode. */
const LONGEST_NAME = 200;

/** A class or function, named but never looked up. */
class GlobalName {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

const UNPICKLE = "_ctypes._unpickle";
const UNIQUE_ID = `${NCCL_UNIQUE_ID_CLASS.module}.${NCCL_UNIQUE_ID_CLASS.name}`;
const TAKEN = new Set([UNPICKLE, UNIQUE_ID]);

const MARK = Symbol("mark");

/** What lies on the stack; `depth` counts the containers inside. */
interface Item {
  readonly value: PickleValue | GlobalName | typeof MARK;
  depth: number;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

class Machine {
  /** What each opcode does. */
  static readonly #steps: Readonly<Record<string, (machine: Machine) => void>> = {
    "\x80": (machine) => machine.#protocol(machine.#unsigned(1)),
    // A frame only helps a reader that reads in pieces; its length must still be one that can be.
    "\x95": (machine) => machine.#need(machine.#length()),
    N: (machine) => machine.#push(null),
    "\x88": (machine) => machine.#push(true),
    "\x89": (machine) => machine.#push(false),
    K: (machine) => machine.#push(machine.#unsigned(1)),
    M: (machine) => machine.#push(machine.#unsigned(2)),
    J: (machine) => machine.#push(machine.#view.getInt32(machine.#skip(4), true)),
    "\x8a": (machine) => machine.#push(machine.#long(machine.#unsigned(1))),
    "\x8c": (machine) => machine.#push(machine.#text(machine.#unsigned(1))),
    X: (machine) => machine.#push(machine.#text(machine.#unsigned(4))),
    "\x8d": (machine) => machine.#push(machine.#text(machine.#length())),
    C: (machine) => machine.#push(machine.#copy(machine.#unsigned(1))),
    B: (machine) => machine.#push(machine.#copy(machine.#unsigned(4))),
    "\x8e": (machine) => machine.#push(machine.#copy(machine.#length())),
    "(": (machine) => machine.#stack.push({ value: MARK, depth: 0 }),
    "]": (machine) => machine.#push([], 1),
    "}": (machine) => machine.#push(new Map(), 1),
    ")": (machine) => machine.#push(new PickleTuple([]), 1),
    "\x85": (machine) => machine.#tuple(machine.#take(1)),
    "\x86": (machine) => machine.#tuple(machine.#take(2)),
    "\x87": (machine) => machine.#tuple(machine.#take(3)),
    t: (machine) => machine.#tuple(machine.#toMark()),
    a: (machine) => machine.#append(machine.#take(1)),
    e: (machine) => machine.#append(machine.#toMark()),
    s: (machine) => machine.#setItems(machine.#take(2)),
    u: (machine) => machine.#setItems(machine.#toMark()),
    "\x94": (machine) => machine.#remember(machine.#memo.size),
    q: (machine) => machine.#remember(machine.#unsigned(1)),
    r: (machine) => machine.#remember(machine.#unsigned(4)),
    h: (machine) => machine.#recall(machine.#unsigned(1)),
    j: (machine) => machine.#recall(machine.#unsigned(4)),
    c: (machine) => machine.#global(`${machine.#line()}.${machine.#line()}`),
    "\x93": (machine) => machine.#stackGlobal(),
    R: (machine) => machine.#reduce(),
  };

  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #limits: PickleLimits;
  readonly #stack: Item[] = [];
  readonly #memo = new Map<number, Item>();
  #at = 0;

  constructor(bytes: Uint8Array, limits: PickleLimits) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#limits = limits;
  }

  run(): PickleValue {
    for (let step = 0; step < this.#limits.steps; step += 1) {
      const opcode = String.fromCharCode(this.#unsigned(1));
      if (step === 0 && opcode !== "\x80")
        throw pickleError("it does not begin with PROTO; protocols 2 to 5 are taken.");
      if (opcode === ".") return this.#stop();
      const act = Object.hasOwn(Machine.#steps, opcode) ? Machine.#steps[opcode] : undefined;
      if (act === undefined) {
        const code = `0x${opcode.charCodeAt(0).toString(16).padStart(2, "0")}`;
        throw pickleError(`the opcode ${REFUSED[opcode] ?? code} is not one that rendezvous sends.`);
      }
      act(this);
    }
    throw pickleError(`more than ${this.#limits.steps} opcodes.`);
  }

  #stop(): PickleValue {
    const { value } = this.#pop();
    if (this.#stack.length > 0) throw pickleError("values are left over at its end.");
    if (this.#at !== this.#bytes.length) throw pickleError("bytes follow its end.");
    return this.#data(value);
  }

  #protocol(version: number): void {
    if (version < 2 || version > 5) throw pickleError(`protocol ${version}; 2 to 5 are taken.`);
  }

  #need(count: number): void {
    if (count > this.#bytes.length - this.#at) throw pickleError(`it is cut off: ${count} more bytes announced.`);
  }

  #skip(count: number): number {
    this.#need(count);
    this.#at += count;
    return this.#at - count;
  }

  #unsigned(width: 1 | 2 | 4): number {
    const at = this.#skip(width);
    if (width === 1) return this.#view.getUint8(at);
    return width === 2 ? this.#view.getUint16(at, true) : this.#view.getUint32(at, true);
  }

  #length(): number {
    const length = this.#view.getBigUint64(this.#skip(8), true);
    if (length > BigInt(this.#bytes.length)) throw pickleError(`it announces a length of ${length}.`);
    return Number(length);
  }

  #copy(count: number): Uint8Array {
    const at = this.#skip(count);
    return this.#bytes.slice(at, at + count);
  }

  #text(count: number): string {
    const at = this.#skip(count);
    try {
      return utf8.decode(this.#bytes.subarray(at, at + count));
    } catch {
      throw pickleError("a str is not UTF-8.");
    }
  }

  #line(): string {
    const end = this.#bytes.subarray(this.#at, this.#at + LONGEST_NAME).indexOf(0x0a);
    if (end < 0) throw pickleError(`a name has no end within ${LONGEST_NAME} bytes.`);
    const text = this.#text(end);
    this.#at += 1;
    return text;
  }

  #long(count: number): number | bigint {
    if (count > LONGEST_INTEGER) throw pickleError(`an int of ${count} bytes; at most ${LONGEST_INTEGER} are taken.`);
    const at = this.#skip(count);
    let value = 0n;
    for (let index = count - 1; index >= 0; index -= 1) value = (value << 8n) | BigInt(this.#bytes[at + index]!);
    value = BigInt.asIntN(Math.max(8, count * 8), value);
    return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
  }

  #push(value: PickleValue | GlobalName, depth = 0): void {
    if (depth > this.#limits.depth) throw pickleError(`more than ${this.#limits.depth} containers inside each other.`);
    this.#stack.push({ value, depth });
  }

  #pop(): Item {
    const item = this.#stack.pop();
    if (item === undefined || item.value === MARK) throw pickleError("a value is missing on the stack.");
    return item;
  }

  #data(value: Item["value"]): PickleValue {
    if (value instanceof GlobalName) throw pickleError(`the name ${value.name} where a value must be.`);
    if (value === MARK) throw pickleError("a MARK where a value must be.");
    return value;
  }

  #take(count: number): Item[] {
    const items = this.#stack.splice(Math.max(0, this.#stack.length - count));
    if (items.length < count || items.some(({ value }) => value === MARK)) {
      throw pickleError("a value is missing on the stack.");
    }
    return items;
  }

  #toMark(): Item[] {
    const at = this.#stack.findLastIndex(({ value }) => value === MARK);
    if (at < 0) throw pickleError("a MARK is missing on the stack.");
    return this.#stack.splice(at).slice(1);
  }

  #tuple(items: Item[]): void {
    // A tuple may hold the class as an argument of the one call that is taken; `#data` refuses it everywhere else.
    const values = items.map(({ value }) => (value instanceof GlobalName ? (value as never) : this.#data(value)));
    this.#push(new PickleTuple(values), 1 + depthOf(items));
  }

  #top(): Item {
    const item = this.#stack.at(-1);
    if (item === undefined) throw pickleError("a value is missing on the stack.");
    return item;
  }

  #deepen(container: Item, items: Item[]): void {
    container.depth = Math.max(container.depth, 1 + depthOf(items));
    if (container.depth > this.#limits.depth) {
      throw pickleError(`more than ${this.#limits.depth} containers inside each other.`);
    }
  }

  #append(items: Item[]): void {
    const list = this.#top();
    if (!Array.isArray(list.value)) throw pickleError("APPEND to something that is no list.");
    for (const { value } of items) list.value.push(this.#plain(value));
    this.#deepen(list, items);
  }

  #setItems(items: Item[]): void {
    const dict = this.#top();
    if (!(dict.value instanceof Map) || items.length % 2 !== 0)
      throw pickleError("SETITEM to something that is no dict.");
    for (let index = 0; index < items.length; index += 2) {
      const key = this.#plain(items[index]!.value);
      if (typeof key !== "string" && typeof key !== "number" && typeof key !== "bigint") {
        throw pickleError("a key of a dict is neither str nor int.");
      }
      (dict.value as Map<PickleKey, PickleValue>).set(key, this.#plain(items[index + 1]!.value));
    }
    this.#deepen(dict, items);
  }

  /** A value that goes into a list or dict: no name may hide in a tuple inside it. */
  #plain(value: Item["value"]): PickleValue {
    const data = this.#data(value);
    if (data instanceof PickleTuple) for (const item of data.items) this.#plain(item);
    return data;
  }

  #remember(index: number): void {
    if (this.#memo.size >= this.#limits.steps) throw pickleError("too many memo entries.");
    const item = this.#top();
    if (item.value === MARK) throw pickleError("a MARK in the memo.");
    this.#memo.set(index, item);
  }

  /** Only what cannot grow: a container used twice could be made to unfold without bound. */
  #recall(index: number): void {
    const item = this.#memo.get(index);
    if (item === undefined) throw pickleError(`memo entry ${index} does not exist.`);
    if (item.depth > 0 || item.value instanceof NcclUniqueId) throw pickleError("the same container appears twice.");
    this.#stack.push(item);
  }

  #global(name: string): void {
    if (!TAKEN.has(name)) {
      throw pickleError(`it names ${JSON.stringify(name.slice(0, 120))}, and only ncclUniqueId is taken.`);
    }
    this.#push(new GlobalName(name));
  }

  #stackGlobal(): void {
    const [module, name] = this.#take(2);
    if (typeof module?.value !== "string" || typeof name?.value !== "string") {
      throw pickleError("STACK_GLOBAL without two names.");
    }
    this.#global(`${module.value}.${name.value}`);
  }

  /** `_ctypes._unpickle(ncclUniqueId, ({}, 128 bytes))`, and nothing else. */
  #reduce(): void {
    const [callee, argument] = this.#take(2);
    const called = callee?.value instanceof GlobalName ? callee.value.name : "something that is no name";
    const args = argument?.value instanceof PickleTuple ? argument.value.items : [];
    const type = args[0] as PickleValue | GlobalName | undefined;
    const state = args[1] instanceof PickleTuple ? args[1].items : [];
    const right =
      called === UNPICKLE &&
      args.length === 2 &&
      type instanceof GlobalName &&
      type.name === UNIQUE_ID &&
      state.length === 2 &&
      state[0] instanceof Map &&
      state[0].size === 0;
    if (!right) throw pickleError(`a call of ${called} that is not the one of ncclUniqueId.`);
    const bytes = state[1];
    if (!(bytes instanceof Uint8Array) || bytes.length !== NCCL_UNIQUE_ID_BYTES) {
      throw pickleError(`an ncclUniqueId without its ${NCCL_UNIQUE_ID_BYTES} bytes.`);
    }
    this.#push(new NcclUniqueId(bytes));
  }

  /** The result, with no name hidden in a tuple. */
  result(): PickleValue {
    return this.#plain(this.run());
  }
}

const depthOf = (items: readonly Item[]): number => items.reduce((deepest, { depth }) => Math.max(deepest, depth), 0);

/**
 * Reads one pickle. Executes nothing and looks nothing up.
 *
 * @throws GatewayError `sync_failed` that names what is refused.
 * @example
 * ```ts
 * import { readPickle } from "./pickle-read.ts";
 * import { toPickle } from "./pickle-write.ts";
 * const value = readPickle(toPickle(new Map([["world_size", 3]])));
 * if (!(value instanceof Map) || value.get("world_size") !== 3) throw new Error("wrong value");
 * ```
 */
export function readPickle(bytes: Uint8Array, limits: Partial<PickleLimits> = {}): PickleValue {
  const bounds = { ...DEFAULT_PICKLE_LIMITS, ...limits };
  if (bytes.length > bounds.bytes) throw pickleError(`${bytes.length} bytes; at most ${bounds.bytes} are taken.`);
  return new Machine(bytes, bounds).result();
}
