/** The two models that look whole words up: WordPiece and WordLevel (tokenizers 0.23). */
import { byteLength, type Model } from "./bpe.ts";
import { type Json, text } from "./parts.ts";

/** Builds a WordPiece model: greedy, longest piece first. */
export function createWordPiece(model: Json, vocabulary: ReadonlyMap<string, number>): Model {
  const prefix = text(model.continuing_subword_prefix, "##");
  const longest = typeof model.max_input_chars_per_word === "number" ? model.max_input_chars_per_word : 100;
  const unknown = vocabulary.get(text(model.unk_token, "[UNK]"));
  let limit = 0;
  for (const word of vocabulary.keys()) limit = Math.max(limit, word.length);
  return (word, out, lengths) => {
    const ids: number[] = [];
    const bytes: number[] = [];
    let broken = Array.from(word).length > longest;
    for (let start = 0; !broken && start < word.length; ) {
      let end = Math.min(word.length, start + limit);
      let id: number | undefined;
      while (end > start && id === undefined) {
        id = vocabulary.get((start > 0 ? prefix : "") + word.slice(start, end));
        if (id === undefined) end -= 1;
      }
      if (id === undefined) broken = true;
      else {
        ids.push(id);
        if (lengths !== undefined) bytes.push(byteLength(word.slice(start, end)));
      }
      start = end;
    }
    if (!broken) {
      out.push(...ids);
      lengths?.push(...bytes);
    } else if (unknown !== undefined) {
      out.push(unknown);
      lengths?.push(byteLength(word));
    }
  };
}

/** Builds a WordLevel model. */
export function createWordLevel(model: Json, vocabulary: ReadonlyMap<string, number>): Model {
  const unknown = vocabulary.get(text(model.unk_token, "<unk>"));
  return (word, out, lengths) => {
    const id = vocabulary.get(word) ?? unknown;
    if (id === undefined) return;
    out.push(id);
    lengths?.push(byteLength(word));
  };
}
