/** Unigram as tokenizers 0.23 does it (`models/unigram`, the optimised encoder): the likeliest path, ties to the first found. */
import { byteLength, fallbackIds, type Model, SAME } from "./bpe.ts";
import { type Json, list } from "./parts.ts";
import { Trie } from "./trie.ts";

/** `K_UNK_PENALTY` of SentencePiece. */
const UNKNOWN_PENALTY = 10;

/** Builds the model. `vocabulary` holds the ids by piece. */
export function createUnigram(model: Json, vocabulary: ReadonlyMap<string, number>): Model {
  const pieces = list(model.vocab);
  const scores = new Float64Array(pieces.length);
  const trie = new Trie();
  let least = Number.POSITIVE_INFINITY;
  for (const [id, entry] of pieces.entries()) {
    const [piece, score] = list(entry);
    scores[id] = Number(score);
    least = Math.min(least, Number(score));
    if (String(piece) !== "") trie.add(String(piece), id);
  }
  const unknown = typeof model.unk_id === "number" ? model.unk_id : undefined;
  const unknownScore = least - UNKNOWN_PENALTY;
  const fallback = model.byte_fallback === true;

  /** Ids of one piece of the path. Each byte of a piece without an id stands for the whole piece. */
  const emit = (piece: string, out: number[], lengths?: number[]): void => {
    const id = vocabulary.get(piece);
    const bytes = id === undefined && fallback ? fallbackIds(piece, vocabulary) : undefined;
    const ids = id !== undefined ? [id] : (bytes ?? (unknown === undefined ? [] : [unknown]));
    for (const [index, one] of ids.entries()) {
      out.push(one);
      lengths?.push(index === 0 ? byteLength(piece) : SAME);
    }
  };

  return (text, out, lengths) => {
    const size = text.length;
    const best = new Float64Array(size + 1);
    const from = new Int32Array(size + 1).fill(-1);
    const ids = new Int32Array(size + 1);
    for (let at = 0; at < size; ) {
      const here = best[at] ?? 0;
      const next = at + ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1);
      let single = false;
      const start = at;
      trie.match(text, start, (end, id) => {
        const candidate = (scores[id] ?? 0) + here;
        if (from[end] === -1 || candidate > (best[end] ?? 0)) {
          best[end] = candidate;
          from[end] = start;
          ids[end] = id;
        }
        if (end === next) single = true;
      });
      if (!single && unknown !== undefined) {
        const candidate = unknownScore + here;
        if (from[next] === -1 || candidate > (best[next] ?? 0)) {
          best[next] = candidate;
          from[next] = start;
          ids[next] = unknown;
        }
      }
      at = next;
    }
    // Back along the best path; a run of unknown characters is one piece.
    const path: string[] = [];
    let run: string | undefined;
    for (let end = size; end > 0; ) {
      const start = Math.max(0, from[end] ?? 0);
      const piece = text.slice(start, end);
      if (unknown !== undefined && ids[end] === unknown) run = piece + (run ?? "");
      else {
        if (run !== undefined) path.push(run);
        run = undefined;
        path.push(piece);
      }
      end = start;
    }
    if (run !== undefined) path.push(run);
    for (let index = path.length - 1; index >= 0; index -= 1) emit(path[index] ?? "", out, lengths);
  };
}
