/**
 * Special tokens in a `tokenizer.json`: which ids they get, as the Rust library assigns them (tokenizers 0.21,
 * `added_vocabulary.rs`). Pure: takes the parsed file, gives the new `added_tokens` list.
 */
import { GatewayError, showValue } from "../errors.ts";
import type { JsonObject } from "./read-files.ts";

/** An entry of `added_tokens`, in the order in which the Rust library writes its fields. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

/** A token to add; without flags a special one that is found anywhere in a text. */
export type NewToken = Omit<AddedToken, "id">;

export interface Vocabulary {
  /** Sorted by id. */
  readonly added: readonly AddedToken[];
  /** `len(tokenizer)`: distinct tokens, added ones included. */
  readonly length: number;
  /** One more than the greatest id. Greater than `length` when ids have gaps. */
  readonly end: number;
  idOf(token: string): number | undefined;
}

const isRecord = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const malformed = (what: string): GatewayError =>
  new GatewayError("source_unreadable", `tokenizer.json cannot be used: ${what}.`);

const isId = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** Text → id of the model's own vocabulary: an object, or for Unigram a list of `[piece, score]`. */
function readModelVocabulary(model: unknown): Map<string, number> {
  const vocab = isRecord(model) ? model.vocab : undefined;
  const out = new Map<string, number>();
  if (Array.isArray(vocab)) {
    vocab.forEach((entry: unknown, id) => {
      const piece = Array.isArray(entry) ? entry[0] : undefined;
      if (typeof piece !== "string") throw malformed(`model.vocab.${id} must be a piece with its score`);
      out.set(piece, id);
    });
  } else if (isRecord(vocab)) {
    for (const [token, id] of Object.entries(vocab)) {
      if (!isId(id)) throw malformed(`model.vocab gives ${showValue(token)} the id ${showValue(id)}`);
      out.set(token, id);
    }
  } else throw malformed("model.vocab must be an object or a list");
  return out;
}

function readAdded(value: unknown): AddedToken[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw malformed("added_tokens must be a list");
  return value.map((entry: unknown, index) => {
    if (!isRecord(entry) || typeof entry.content !== "string" || !isId(entry.id)) {
      throw malformed(`added_tokens.${index} must have an id and a content`);
    }
    return {
      id: entry.id,
      content: entry.content,
      single_word: entry.single_word === true,
      lstrip: entry.lstrip === true,
      rstrip: entry.rstrip === true,
      normalized: entry.normalized === true,
      special: entry.special === true,
    };
  });
}

/** A special token with no further flags. */
export const toSpecialToken = (content: string): NewToken => ({
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
});

/**
 * The vocabulary of a parsed `tokenizer.json` after `tokens` were added in order. One that exists, as an added token or
 * as an entry of the model's vocabulary, keeps its id and gets the flags given here.
 *
 * @throws GatewayError `source_unreadable` for a file of another form.
 *
 * @example
 * ```ts
 * import { addTokens, toSpecialToken } from "./add-tokens.ts";
 * const json = { model: { vocab: { a: 0, b: 1 } }, added_tokens: [] };
 * const { added, length } = addTokens(json, [toSpecialToken("<x>")]);
 * if (length !== 3 || added[0]?.id !== 2) throw new Error("a new token comes after the others");
 * ```
 */
export function addTokens(tokenizerJson: JsonObject, tokens: readonly NewToken[]): Vocabulary {
  const model = readModelVocabulary(tokenizerJson.model);
  const added = new Map(readAdded(tokenizerJson.added_tokens).map((token) => [token.content, token]));
  const idOf = (token: string): number | undefined => added.get(token)?.id ?? model.get(token);
  const taken = new Set([...model.values(), ...[...added.values()].map(({ id }) => id)]);
  const greatest = (): number => [...taken].reduce((most, id) => Math.max(most, id), -1);
  const nextId = (): number => {
    // The library counts from the size of the model's vocabulary, or from the greatest added id when that is beyond it.
    const most = [...added.values()].reduce((greater, { id }) => Math.max(greater, id), -1);
    const id = most >= model.size || model.size === 0 ? most + 1 : model.size;
    // With gaps in the model's ids the library would give out an id that has a token already.
    return taken.has(id) ? greatest() + 1 : id;
  };
  for (const token of tokens) {
    const id = idOf(token.content) ?? nextId();
    taken.add(id);
    added.set(token.content, { id, ...token });
  }
  return {
    added: [...added.values()].sort((a, b) => a.id - b.id),
    length: new Set([...model.keys(), ...added.keys()]).size,
    end: greatest() + 1,
    idOf,
  };
}
