/** Does a tokenizer belong to the model it lies beside? Told by numbers alone, before any weight is read. */
import { GatewayError, showValue } from "../../errors.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";

/** Token names that a message shows. */
const SHOWN = 3;

/** Where a tokenizer was found. */
export interface VocabularySource {
  /** Of the model's directory or GGUF file. */
  readonly path: string;
  /** As parsed: added tokens alone (of tokenizer_config.json, too) make no vocabulary. */
  readonly tokenizerJson: Readonly<Record<string, unknown>>;
}

/** A vocabulary is an object of ids (BPE, WordPiece) or a list of pairs (Unigram). */
function hasVocabulary({ model }: VocabularySource["tokenizerJson"]): boolean {
  const vocab = typeof model === "object" && model !== null ? (model as { readonly vocab?: unknown }).vocab : undefined;
  return typeof vocab === "object" && vocab !== null && Object.keys(vocab).length > 0;
}

/**
 * Every token must have a row of the embeddings. More rows than tokens are fine: models pad them.
 *
 * @param rows `vocab_size` of config.json; what is no number is refused where the model is read
 * @throws GatewayError `invalid_value` with the tokens, their ids and both sizes
 */
export function checkVocabulary(tokenizer: Tokenizer, rows: unknown, source: VocabularySource): void {
  const { path, tokenizerJson } = source;
  if (tokenizer.vocabSize === 0 || !hasVocabulary(tokenizerJson)) {
    throw new GatewayError(
      "invalid_value",
      `${path}: the tokenizer has no tokens of its own: tokenizer.json must hold model.vocab. Save it again, or serve token ids alone with --skip-tokenizer-init.`,
      { param: "model" },
    );
  }
  if (typeof rows !== "number" || tokenizer.vocabSize <= rows) return;
  const beyond: string[] = [];
  let count = 0;
  for (let id = rows; id < tokenizer.vocabSize; id += 1) {
    const token = tokenizer.tokenString(id);
    if (token === "") continue;
    count += 1;
    if (beyond.length < SHOWN) beyond.push(`${showValue(token)} = ${id}`);
  }
  const shown = `${beyond.join(", ")}${count > beyond.length ? ", \u2026" : ""}`;
  throw new GatewayError(
    "invalid_value",
    `${path}: the tokenizer does not match the model: the embeddings have ${rows} rows (vocab_size in config.json), and ${count} ` +
      `token${count === 1 ? " has an id" : "s have ids"} beyond them: ${shown}. Take the tokenizer that the model was trained with, ` +
      "or resize the model (transformers: model.resize_token_embeddings(len(tokenizer))).",
    { param: "model" },
  );
}
