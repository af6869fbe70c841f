/**
 * Answers to the slices of one batch, put together as one answer in the same dialect. Prompt-major, counts checked, and
 * every number as the server wrote it: only the places of choices and the sums of tokens are written anew. Pure.
 */
import { readItems, readMembers, type Span } from "../../lib/json-spans.ts";
import { concatenate, type Slice } from "./slices.ts";

/** One server's answer to one slice. */
export interface PartAnswer {
  readonly slice: Slice;
  readonly body: Uint8Array;
}

/** Thrown where an answer is not what its dialect promises; `part` is its place in the list. */
export class BadPart extends Error {
  readonly part: number;
  constructor(part: number, message: string) {
    super(message);
    this.part = part;
  }
}

interface OpenPart extends PartAnswer {
  readonly members: ReadonlyMap<string, Span>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function openPart(answer: PartAnswer, part: number): OpenPart {
  try {
    return { ...answer, members: readMembers(answer.body, { start: 0, end: answer.body.byteLength }) };
  } catch (cause) {
    throw new BadPart(part, `it is no JSON object: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

const textOf = (body: Uint8Array, { start, end }: Span): string => decoder.decode(body.subarray(start, end));

/** The items of a member; null where that is null or absent. */
function itemsOf({ body, members }: OpenPart, name: string, part: number): Span[] | null {
  const span = members.get(name);
  if (span === undefined || textOf(body, span) === "null") return null;
  try {
    return readItems(body, span);
  } catch {
    throw new BadPart(part, `its \`${name}\` is no list`);
  }
}

/** The first answer with some members replaced; `undefined` keeps what is there. */
function replaceMembers(
  { body, members }: OpenPart,
  replaced: ReadonlyMap<string, Uint8Array>,
): Uint8Array<ArrayBuffer> {
  const places = [...replaced]
    .flatMap(([name, value]) => {
      const span = members.get(name);
      return span === undefined ? [] : [{ span, value }];
    })
    .sort((a, b) => a.span.start - b.span.start);
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (const { span, value } of places) {
    pieces.push(body.subarray(at, span.start), value);
    at = span.end;
  }
  pieces.push(body.subarray(at));
  return concatenate(pieces);
}

const COMMA = encoder.encode(",");

function toList(items: readonly Uint8Array[]): Uint8Array {
  const pieces: Uint8Array[] = [encoder.encode("[")];
  for (const [index, item] of items.entries()) {
    if (index > 0) pieces.push(COMMA);
    pieces.push(item);
  }
  pieces.push(encoder.encode("]"));
  return concatenate(pieces);
}

/** Sums numbers of the same name, at any depth; what is no number is the first one's. */
function sum(first: unknown, second: unknown): unknown {
  if (typeof first === "number" && typeof second === "number") return first + second;
  if (typeof first !== "object" || first === null || typeof second !== "object" || second === null)
    return first ?? second;
  const other = second as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries({ ...other, ...first }).map(([name]) => [
      name,
      sum((first as Record<string, unknown>)[name], other[name]),
    ]),
  );
}

/** A choice with its place in the whole answer, and that place. */
function placeChoice(
  body: Uint8Array,
  choice: Span,
  offset: number,
): { readonly index: number; readonly bytes: Uint8Array } {
  const span = readMembers(body, choice).get("index");
  const index = span === undefined ? Number.NaN : Number(textOf(body, span));
  if (span === undefined || !Number.isSafeInteger(index)) throw new SyntaxError("a choice has no index");
  return {
    index,
    bytes: concatenate([
      body.subarray(choice.start, span.start),
      encoder.encode(String(offset + index)),
      body.subarray(span.end, choice.end),
    ]),
  };
}

/** Choices of one part in order. Throws `BadPart` where one is missing, or there twice. */
function readChoices(opened: OpenPart, part: number, samples: number): Uint8Array[] {
  const found = itemsOf(opened, "choices", part) ?? [];
  const wanted = opened.slice.count * samples;
  if (found.length !== wanted) throw new BadPart(part, `it has ${found.length} choices instead of ${wanted}`);
  const placed: (Uint8Array | undefined)[] = new Array(wanted).fill(undefined);
  for (const span of found) {
    let one: ReturnType<typeof placeChoice>;
    try {
      one = placeChoice(opened.body, span, opened.slice.first * samples);
    } catch (cause) {
      throw new BadPart(part, cause instanceof Error ? cause.message : String(cause));
    }
    if (one.index < 0 || one.index >= wanted || placed[one.index] !== undefined) {
      throw new BadPart(part, `it has the choice ${one.index} twice, or that is none of the ${wanted}`);
    }
    placed[one.index] = one.bytes;
  }
  return placed.filter((bytes) => bytes !== undefined);
}

/**
 * Answers of `POST /v1/completions`, in the order of their slices. `samples` are those of one prompt. Id, model and
 * everything else are the first one's.
 */
export function mergeCompletions(answers: readonly PartAnswer[], samples: number): Uint8Array<ArrayBuffer> {
  const parts = answers.map(openPart);
  const choices = parts.flatMap((opened, part) => readChoices(opened, part, samples));
  const replaced = new Map<string, Uint8Array>([["choices", toList(choices)]]);
  const usages: unknown[] = parts.map(({ body, members }, part) => {
    const span = members.get("usage");
    try {
      return span === undefined ? null : (JSON.parse(textOf(body, span)) as unknown);
    } catch {
      throw new BadPart(part, "its `usage` is no JSON");
    }
  });
  if (!usages.includes(null)) replaced.set("usage", encoder.encode(JSON.stringify(usages.reduce(sum))));
  return replaceMembers(parts[0] as OpenPart, replaced);
}

/** One item per prompt, and one per completion. */
const TRL_LISTS = {
  prompt_ids: "prompts",
  completion_ids: "completions",
  logprobs: "completions",
  logprob_token_ids: "completions",
} as const;

/** Answers of TRL's `/generate/` and `/chat/`, of any release. `samples` undefined: as many as the first one has. */
export function mergeTrl(answers: readonly PartAnswer[], samples: number | undefined): Uint8Array<ArrayBuffer> {
  const parts = answers.map(openPart);
  const replaced = new Map<string, Uint8Array>();
  const first = parts[0] as OpenPart;
  const each = samples ?? (itemsOf(first, "completion_ids", 0)?.length ?? 0) / first.slice.count;
  if (!Number.isInteger(each)) throw new BadPart(0, "its completions are not the same number for each prompt");
  for (const [name, unit] of Object.entries(TRL_LISTS)) {
    const lists = parts.map((opened, part) => itemsOf(opened, name, part));
    if (lists.every((list) => list === null) && name !== "completion_ids") continue;
    const items = lists.flatMap((list, part) => {
      const { slice, body } = parts[part] as OpenPart;
      const wanted = slice.count * (unit === "prompts" ? 1 : each);
      if (list?.length !== wanted)
        throw new BadPart(part, `its \`${name}\` has ${list?.length ?? "no"} items instead of ${wanted}`);
      return list.map(({ start, end }) => body.subarray(start, end));
    });
    replaced.set(name, toList(items));
  }
  return replaceMembers(first, replaced);
}
