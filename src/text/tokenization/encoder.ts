/** The whole pipeline of a `tokenizer.json`: added tokens, normaliser, pre-tokenizer, model, post-processor. */
import { type AddedToken, createPartFinder } from "./added.ts";
import { createBpe, type Model } from "./bpe.ts";
import { createNormalizer } from "./normalize.ts";
import { type PlacedToken, placeTokens, trimSpaces } from "./offsets.ts";
import { type Json, list, record, refusePart } from "./parts.ts";
import { createPostProcessor } from "./post.ts";
import { createSplitter } from "./split.ts";
import { type Offset, offsetOf } from "./trace.ts";
import { createTracedNormalizer, type TracedNormalizer } from "./trace-normalize.ts";
import { createUnigram } from "./unigram.ts";
import { createWordLevel, createWordPiece } from "./words.ts";

/** The model's own vocabulary: ids by token. */
export function readVocabulary(model: Json): Map<string, number> {
  const vocabulary = new Map<string, number>();
  if (Array.isArray(model.vocab)) {
    for (const [id, entry] of model.vocab.entries()) vocabulary.set(String(list(entry)[0]), id);
  } else {
    for (const [token, id] of Object.entries(record(model.vocab))) {
      if (typeof id === "number" && Number.isSafeInteger(id) && id >= 0) vocabulary.set(token, id);
    }
  }
  return vocabulary;
}

/** Files of old versions leave the type out. */
const typeOf = (model: Json): unknown =>
  model.type ?? (model.merges !== undefined ? "BPE" : Array.isArray(model.vocab) ? "Unigram" : "WordPiece");

function createModel(model: Json, vocabulary: ReadonlyMap<string, number>): Model {
  const type = typeOf(model);
  if (type === "BPE") return createBpe(model, vocabulary);
  if (type === "Unigram") return createUnigram(model, vocabulary);
  if (type === "WordPiece") return createWordPiece(model, vocabulary);
  if (type === "WordLevel") return createWordLevel(model, vocabulary);
  return refusePart("model", model);
}

/** Text → ids, and where each came from. */
export interface Encoder {
  encode(text: string, addSpecialTokens: boolean): number[];
  /** Slower than `encode`; the same ids. */
  encodeWithOffsets(text: string, addSpecialTokens: boolean): Encoded;
}

/** Ids and where in the text each came from. */
export interface Encoded {
  readonly ids: readonly number[];
  /** One per id, in code points of the text. Special tokens that the post-processor put there have [0, 0]. */
  readonly offsets: readonly Offset[];
}

/** Builds the encoder. Throws GatewayError `unsupported` for a part that is not known. */
export function createEncoder(
  source: Json,
  vocabulary: ReadonlyMap<string, number>,
  added: readonly AddedToken[],
): Encoder {
  const split = createSplitter(source.pre_tokenizer);
  const model = createModel(record(source.model), vocabulary);
  const finish = createPostProcessor(source.post_processor);
  let tracer: TracedNormalizer | null | undefined;
  const finder = createPartFinder(added, createNormalizer(source.normalizer), () => {
    if (tracer === undefined) tracer = createTracedNormalizer(source.normalizer);
    return tracer;
  });
  let strings: Map<number, string> | undefined;
  const unknown = typeOf(record(source.model)) === "Unigram" ? record(source.model).unk_id : undefined;
  const stringOf = (id: number, taken: string): string => {
    strings ??= new Map(Array.from(vocabulary, ([token, own]) => [own, token]));
    // Unigram alone calls what it does not know by its own text.
    return id === unknown ? taken : (strings.get(id) ?? "");
  };

  return {
    encode(text, addSpecialTokens) {
      const ids: number[] = [];
      for (const part of finder.parts(text)) {
        if ("id" in part) ids.push(part.id);
        else if (split === null) model(part.text, ids);
        else for (const piece of split(part)) model(piece.text, ids);
      }
      if (!addSpecialTokens || finish === null) return ids;
      return [...finish(ids, { special: (id) => id, trim: (items) => items, addSpecial: true })];
    },
    encodeWithOffsets(text, addSpecialTokens) {
      const tokens: PlacedToken[] = [];
      for (const { id, ...part } of finder.tracedParts(text)) {
        if (id !== undefined) tokens.push({ id, text: part.text, offset: offsetOf(part.trace, 0, part.text.length) });
        else for (const piece of split === null ? [part] : split(part)) placeTokens(piece, model, stringOf, tokens);
      }
      const special = (id: number): PlacedToken => ({ id, text: stringOf(id, ""), offset: [0, 0] });
      const placed = finish?.(tokens, { special, trim: trimSpaces, addSpecial: addSpecialTokens }) ?? tokens;
      return { ids: placed.map(({ id }) => id), offsets: placed.map(({ offset }) => offset) };
    },
  };
}
