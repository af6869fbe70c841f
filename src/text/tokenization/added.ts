/**
 * Added tokens inside a text, as tokenizers 0.23 finds them (`added_vocabulary.rs`): longest at the leftmost place; those
 * that are not normalised before the others; `lstrip` and `rstrip` take the white space beside them, `single_word`
 * needs word boundaries.
 */
import type { Normalizer } from "./normalize.ts";
import { list, record } from "./parts.ts";
import { sliceTraced, type Traced } from "./trace.ts";
import { type TracedNormalizer, traceText } from "./trace-normalize.ts";
import { Trie } from "./trie.ts";

/** One entry of `added_tokens`. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly singleWord: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
}

/** A part of the text: an added token, or text for the model; `first` marks the text's own beginning. */
export type Part = { readonly id: number } | { readonly text: string; readonly first: boolean };

/** Reads one entry; undefined where it has no content or no id. Standards are those of the library. */
export function toAddedToken(value: unknown, ownId?: number): AddedToken | undefined {
  const entry = record(value);
  const id = ownId ?? entry.id;
  if (typeof entry.content !== "string" || entry.content === "" || typeof id !== "number" || !Number.isSafeInteger(id))
    return undefined;
  const special = entry.special === true;
  return {
    id,
    content: entry.content,
    special,
    singleWord: entry.single_word === true,
    lstrip: entry.lstrip === true,
    rstrip: entry.rstrip === true,
    normalized: typeof entry.normalized === "boolean" ? entry.normalized : !special,
  };
}

/** Every readable entry of a list. */
export const toAddedTokens = (value: unknown): AddedToken[] =>
  list(value)
    .map((entry) => toAddedToken(entry))
    .filter((token) => token !== undefined);

const WORD_AT_END = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const WORD_AT_START = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const SPACE = /\p{White_Space}/u;

interface Finder {
  readonly trie: Trie;
  readonly tokens: readonly AddedToken[];
}

/** A stretch of the text in UTF-16 units; with an id it is an added token. */
interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly id?: number;
}

function* cut(text: string, { trie, tokens }: Finder): Generator<Stretch> {
  let done = 0;
  for (let at = 0; at < text.length; ) {
    let end = -1;
    let token: AddedToken | undefined;
    trie.match(text, at, (found, index) => {
      end = found;
      token = tokens[index];
    });
    const match = token as AddedToken | undefined;
    if (match === undefined) {
      at += 1;
      continue;
    }
    const start = at;
    at = end;
    // The character before may be two units, so two are looked at.
    if (
      match.singleWord &&
      (WORD_AT_END.test(text.slice(Math.max(0, start - 2), start)) || WORD_AT_START.test(text.slice(end, end + 2)))
    )
      continue;
    let from = start;
    if (match.lstrip) {
      while (from > done && SPACE.test(text[from - 1] ?? "")) from -= 1;
      from = Math.max(from, done);
    }
    let to = end;
    if (match.rstrip) while (to < text.length && SPACE.test(text[to] ?? "")) to += 1;
    if (from > done) yield { start: done, end: from };
    yield { id: match.id, start: from, end: to };
    // A token that begins with the white space just taken is found all the same, and stands for it once more.
    done = to;
  }
  if (done < text.length) yield { start: done, end: text.length };
}

function createFinder(tokens: readonly AddedToken[], spell: (token: AddedToken) => string): Finder | null {
  const trie = new Trie();
  for (const [index, token] of tokens.entries()) {
    const spelling = spell(token);
    if (spelling !== "") trie.add(spelling, index);
  }
  return tokens.length === 0 ? null : { trie, tokens };
}

/** The two searches, and the normaliser that runs between them. */
export interface PartFinder {
  /** Text → added tokens and normalised text between them. */
  parts(text: string): Generator<Part>;
  /** The same with traces, the tokens' own text included. */
  tracedParts(text: string): Generator<TracedPart>;
}

/** A part and where it came from. */
export interface TracedPart extends Traced {
  /** An added token; undefined for text that goes to the model. */
  readonly id: number | undefined;
  readonly first: boolean;
}

/** Builds the cutter. `traced` is the same normaliser with traces. */
export function createPartFinder(
  tokens: readonly AddedToken[],
  normalizer: Normalizer | null,
  traced: () => TracedNormalizer | null,
): PartFinder {
  const normalize = (text: string): string => (normalizer === null ? text : normalizer(text));
  const plain = createFinder(
    tokens.filter((token) => !token.normalized),
    (token) => token.content,
  );
  const normalized = createFinder(
    tokens.filter((token) => token.normalized),
    (token) => normalize(token.content),
  );
  // Where the normaliser drops the first character, what is left does not begin where the text begins.
  const keepsStart = (text: string): boolean => normalize(String.fromCodePoint(text.codePointAt(0) ?? 0)) !== "";
  const stretches = (text: string, finder: Finder | null): Iterable<Stretch> =>
    finder === null ? (text === "" ? [] : [{ start: 0, end: text.length }]) : cut(text, finder);

  function* texts(text: string, atStart: boolean): Generator<Part> {
    const ready = normalize(text);
    const first = atStart && keepsStart(text);
    for (const { start, end, id } of stretches(ready, normalized)) {
      if (id !== undefined) yield { id };
      else yield { text: ready.slice(start, end), first: first && start === 0 };
    }
  }
  return {
    *parts(text) {
      for (const { start, end, id } of stretches(text, plain)) {
        if (id !== undefined) yield { id };
        else yield* texts(text.slice(start, end), start === 0);
      }
    },
    *tracedParts(text) {
      const step = traced();
      const whole = traceText(text);
      for (const outer of stretches(text, plain)) {
        const piece = sliceTraced(whole, outer.start, outer.end);
        if (outer.id !== undefined) {
          yield { ...piece, id: outer.id, first: false };
          continue;
        }
        const first = outer.start === 0 && keepsStart(piece.text);
        const ready = step === null ? piece : step(piece);
        for (const { start, end, id } of stretches(ready.text, normalized)) {
          yield { ...sliceTraced(ready, start, end), id, first: id === undefined && first && start === 0 };
        }
      }
    },
  };
}
