/**
 * Added tokens inside a text, as tokenizers 0.23 finds them (`added_vocabulary.rs`): longest at the leftmost place; those
 * that are not normalised before the others; `lstrip` and `rstrip` take the white space beside them, `single_word`
 * needs word boundaries.
 */
import type { Normalizer } from "./normalize.ts";
import { list, record } from "./parts.ts";
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

function* cut(text: string, { trie, tokens }: Finder): Generator<{ id: number } | { start: number; end: number }> {
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
    if (match.lstrip) while (from > done && SPACE.test(text[from - 1] ?? "")) from -= 1;
    from = Math.max(from, done);
    let to = end;
    if (match.rstrip) while (to < text.length && SPACE.test(text[to] ?? "")) to += 1;
    if (from > done) yield { start: done, end: from };
    yield { id: match.id };
    // A token that begins with the white space just taken is found all the same.
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

/** Builds the cutter: text → added tokens and normalised text between them. */
export function createPartFinder(
  tokens: readonly AddedToken[],
  normalizer: Normalizer | null,
): (text: string) => Generator<Part> {
  const normalize = (text: string): string => (normalizer === null ? text : normalizer(text));
  const plain = createFinder(
    tokens.filter((token) => !token.normalized),
    (token) => token.content,
  );
  const normalized = createFinder(
    tokens.filter((token) => token.normalized),
    (token) => normalize(token.content),
  );

  function* texts(text: string, atStart: boolean): Generator<Part> {
    const ready = normalize(text);
    // Where the normaliser drops the first character, what is left does not begin where the text begins.
    const first = atStart && normalize(String.fromCodePoint(text.codePointAt(0) ?? 0)) !== "";
    if (normalized === null) {
      if (ready !== "") yield { text: ready, first };
      return;
    }
    for (const piece of cut(ready, normalized)) {
      if ("id" in piece) yield piece;
      else yield { text: ready.slice(piece.start, piece.end), first: first && piece.start === 0 };
    }
  }
  return function* (text) {
    if (plain === null) {
      yield* texts(text, true);
      return;
    }
    for (const piece of cut(text, plain)) {
      if ("id" in piece) yield piece;
      else yield* texts(text.slice(piece.start, piece.end), piece.start === 0);
    }
  };
}
