/** The whole pipeline of a `tokenizer.json`: added tokens, normaliser, pre-tokenizer, model, post-processor. */
import { type AddedToken, createPartFinder } from "./added.ts";
import { createBpe, type Model } from "./bpe.ts";
import { createNormalizer } from "./normalize.ts";
import { type Json, list, record, refusePart } from "./parts.ts";
import { createPostProcessor } from "./post.ts";
import { createSplitter } from "./split.ts";
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

function createModel(model: Json, vocabulary: ReadonlyMap<string, number>): Model {
  // Files of old versions leave the type out.
  const type =
    model.type ?? (model.merges !== undefined ? "BPE" : Array.isArray(model.vocab) ? "Unigram" : "WordPiece");
  if (type === "BPE") return createBpe(model, vocabulary);
  if (type === "Unigram") return createUnigram(model, vocabulary);
  if (type === "WordPiece") return createWordPiece(model, vocabulary);
  if (type === "WordLevel") return createWordLevel(model, vocabulary);
  return refusePart("model", model);
}

/** Builds the encoder. Throws GatewayError `unsupported` for a part that is not known. */
export function createEncoder(
  source: Json,
  vocabulary: ReadonlyMap<string, number>,
  added: readonly AddedToken[],
): (text: string, addSpecialTokens: boolean) => number[] {
  const split = createSplitter(source.pre_tokenizer);
  const model = createModel(record(source.model), vocabulary);
  const finish = createPostProcessor(source.post_processor);
  const parts = createPartFinder(added, createNormalizer(source.normalizer));
  return (text, addSpecialTokens) => {
    const ids: number[] = [];
    for (const part of parts(text)) {
      if ("id" in part) ids.push(part.id);
      else if (split === null) model(part.text, ids);
      else for (const piece of split(part)) model(piece.text, ids);
    }
    return addSpecialTokens && finish !== null ? finish(ids) : ids;
  };
}
