/**
 * The beginning of a call's prompt as chained block hashes, for routing to the replica that has it cached. Read from the
 * bytes of the body: token ids by value, texts and conversations as they are written. Tokenizes nothing, and a wrong
 * guess costs one prefill.
 */
import { readItems, readMembers, type Span } from "../lib/json-spans.ts";

/**
 * Blocks grow: 64 of the first size, then 64 of twice that, and so on. Differences near the beginning, where most groups
 * part, are seen finely, and a conversation of some 100,000 tokens still ends within the limit.
 */
const BLOCKS_PER_SIZE = 64;
const SIZES = 6;
const TOKENS = 16;
/** About as many bytes of text as 16 tokens. */
const BYTES = 64;

const FNV_PRIME = 0x01000193;

/** Two 32-bit hashes side by side, and blocks cut off as they fill. 53 bits of them are a block's name. */
class Chain {
  readonly blocks: number[] = [];
  #one: number;
  #two: number;
  #size: number;
  #filled = 0;

  constructor(model: string, size: number) {
    this.#one = 0x811c9dc5;
    this.#two = 0x9747b28c;
    this.#size = size;
    for (let at = 0; at < model.length; at += 1) this.#mix(model.charCodeAt(at));
  }

  #mix(value: number): void {
    this.#one = Math.imul(this.#one ^ value, FNV_PRIME);
    this.#two = Math.imul(this.#two ^ (value + 0x9e37), 0x85ebca6b) ^ (this.#two >>> 15);
  }

  get full(): boolean {
    return this.blocks.length >= BLOCKS_PER_SIZE * SIZES;
  }

  add(value: number): void {
    this.#mix(value);
    this.#filled += 1;
    if (this.#filled < this.#size) return;
    this.#filled = 0;
    this.blocks.push((this.#one >>> 0) * 2 ** 21 + (this.#two >>> 11));
    if (this.blocks.length % BLOCKS_PER_SIZE === 0) this.#size *= 2;
  }
}

const QUOTE = 0x22;
const BRACKET = 0x5b;

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;

function addText(body: Uint8Array, { start, end }: Span, model: string): readonly number[] {
  const chain = new Chain(model, BYTES);
  // Without the closing quote or bracket: a longer conversation goes on there.
  for (let at = start; at < end - 1 && !chain.full; at += 1) chain.add(body[at] as number);
  return chain.blocks;
}

function addIds(body: Uint8Array, { start, end }: Span, model: string): readonly number[] {
  const chain = new Chain(model, TOKENS);
  let at = start + 1;
  while (at < end && !chain.full) {
    if (!isDigit(body[at])) {
      at += 1;
      continue;
    }
    let id = 0;
    for (; at < end && isDigit(body[at]); at += 1) id = Math.imul(id, 10) + (body[at] as number) - 0x30;
    chain.add(id);
  }
  return chain.blocks;
}

/** The first non-space byte inside a list. */
function firstInside(body: Uint8Array, { start, end }: Span): number | undefined {
  let at = start + 1;
  while (at < end && (body[at] as number) <= 0x20) at += 1;
  return body[at];
}

/** Where prompts are, by dialect: completions, TRL, chat. */
const FIELDS = ["prompt", "prompts", "messages"] as const;

/**
 * Chained hashes of the full blocks of the (first) prompt; undefined where there is none to be found.
 *
 * @example
 * ```ts
 * import { toPrefix } from "./prefix.ts";
 * const ids = (count: number) => Array.from({ length: count }, (_, index) => index);
 * const of = (value: unknown) => toPrefix(new TextEncoder().encode(JSON.stringify(value)), "tiny") ?? [];
 * const short = of({ prompt: ids(32) });
 * const long = of({ prompt: ids(50) });
 * if (short.length !== 2 || long.length !== 3 || long[1] !== short[1]) throw new Error("blocks changed");
 * ```
 */
export function toPrefix(body: Uint8Array, model: string): readonly number[] | undefined {
  try {
    const members = readMembers(body, { start: 0, end: body.length });
    const name = FIELDS.find((field) => members.has(field));
    const span = name === undefined ? undefined : members.get(name);
    if (name === undefined || span === undefined) return undefined;
    if (body[span.start] === QUOTE) return addText(body, span, model);
    if (body[span.start] !== BRACKET) return undefined;
    if (isDigit(firstInside(body, span))) return addIds(body, span, model);
    // TRL's lists of conversations, and lists of prompts: the first one stands for all.
    const nested = name !== "messages" || firstInside(body, span) === BRACKET;
    const first = nested ? readItems(body, span)[0] : span;
    if (first === undefined) return undefined;
    const tokens = body[first.start] === BRACKET && isDigit(firstInside(body, first));
    return tokens ? addIds(body, first, model) : addText(body, first, model);
  } catch {
    // No JSON object: whoever answers words the refusal.
    return undefined;
  }
}
