/**
 * A vocabulary as a tree of bytes, and which tokens may follow a grammar's state: one walk over the tree, whose branches
 * are left as soon as no text goes on so. Tokens without bytes and special tokens are never part of a constrained text.
 */
import type { Tokenizer } from "../../text/tokenizer.ts";
import type { Automaton, GrammarState } from "./automaton.ts";

/** Nodes in preorder: a branch that is left is jumped over. */
export interface Vocabulary {
  /** Logits per row: ids from here on are no tokens. */
  readonly size: number;
  readonly bytesOf: (id: number) => Uint8Array;
  readonly isToken: (id: number) => boolean;
  readonly depths: Uint16Array;
  readonly bytes: Uint8Array;
  /** First node after the branch. */
  readonly ends: Uint32Array;
  /** A token that ends here, −1 = none; further ones with the same bytes by `twins`. */
  readonly tokens: Int32Array;
  readonly twins: Int32Array;
}

/** Longer tokens (runs of spaces, mostly) are left out: depths have 16 bits, and nothing needs them. */
const TOKEN_BYTES_LIMIT = 1024;

interface Entry {
  readonly id: number;
  readonly bytes: Uint8Array;
}

function compare(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) if (a[index] !== b[index]) return a[index]! - b[index]!;
  return a.length - b.length;
}

function collect(tokenizer: Tokenizer, size: number): Entry[] {
  const entries: Entry[] = [];
  for (let id = 0; id < Math.min(size, tokenizer.vocabSize); id += 1) {
    if (tokenizer.isSpecial(id)) continue;
    const bytes = tokenizer.tokenBytes(id);
    if (bytes.length > 0 && bytes.length <= TOKEN_BYTES_LIMIT) entries.push({ id, bytes });
  }
  return entries.sort((a, b) => compare(a.bytes, b.bytes) || a.id - b.id);
}

/** @param size rows of the model's output layer */
export function createVocabulary(tokenizer: Tokenizer, size: number): Vocabulary {
  const entries = collect(tokenizer, size);
  const total = entries.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const depths = new Uint16Array(total + 1);
  const bytes = new Uint8Array(total + 1);
  const ends = new Uint32Array(total + 1);
  const tokens = new Int32Array(total + 1).fill(-1);
  const twins = new Int32Array(size).fill(-1);
  const known = new Set<number>();
  const path: number[] = [];
  let before = new Uint8Array(0);
  let nodes = 0;
  for (const entry of entries) {
    known.add(entry.id);
    let shared = 0;
    while (shared < before.length && shared < entry.bytes.length && before[shared] === entry.bytes[shared]) shared += 1;
    while (path.length > shared) ends[path.pop()!] = nodes;
    for (let index = shared; index < entry.bytes.length; index += 1) {
      depths[nodes] = index + 1;
      bytes[nodes] = entry.bytes[index]!;
      path.push(nodes);
      nodes += 1;
    }
    const last = path.at(-1)!;
    if (tokens[last] === -1) tokens[last] = entry.id;
    else {
      twins[entry.id] = tokens[last]!;
      tokens[last] = entry.id;
    }
    before = entry.bytes as Uint8Array<ArrayBuffer>;
  }
  while (path.length > 0) ends[path.pop()!] = nodes;
  return {
    size,
    bytesOf: (id) => tokenizer.tokenBytes(id),
    isToken: (id) => known.has(id),
    depths: depths.slice(0, nodes),
    bytes: bytes.slice(0, nodes),
    ends: ends.slice(0, nodes),
    tokens: tokens.slice(0, nodes),
    twins,
  };
}

/** Bit id & 31 of word id >> 5: this token may come next. */
export function maskOf(vocabulary: Vocabulary, automaton: Automaton, state: GrammarState): Uint32Array {
  if (state.mask !== undefined) return state.mask;
  const { depths, bytes, ends, tokens, twins } = vocabulary;
  const mask = new Uint32Array(Math.ceil(vocabulary.size / 32));
  const states: GrammarState[] = [state];
  for (let node = 0; node < bytes.length; ) {
    const depth = depths[node]!;
    const from = states[depth - 1]!;
    const byte = bytes[node]!;
    const known = from.next[byte];
    const to = known === undefined ? automaton.advance(from, byte) : known;
    if (to === null) {
      node = ends[node]!;
      continue;
    }
    states[depth] = to;
    for (let id = tokens[node]!; id >= 0; id = twins[id]!) mask[id >> 5]! |= 1 << (id & 31);
    node += 1;
  }
  state.mask = mask;
  return mask;
}
