/** Pre-tokenizers of a `tokenizer.json` (tokenizers 0.23): text → pieces, within which the model works. */
import { toByteCharacters } from "../token-bytes.ts";
import { list, record, refusePart, text } from "./parts.ts";
import { toRegExp } from "./pattern.ts";
import { mapCharacters, prependTraced, replaceTraced, sliceTrace, type Trace } from "./trace.ts";

/** A piece of the text; `first` marks the one that begins where the whole text begins. */
export interface Piece {
  readonly text: string;
  readonly first: boolean;
  /** Where it came from; only there when offsets are asked for. */
  readonly trace?: Trace;
}

export type Splitter = (piece: Piece) => Piece[];

/** A stretch of the text, in UTF-16 units. */
interface Part {
  readonly start: number;
  readonly end: number;
  readonly match: boolean;
}

function* matches(value: string, pattern: RegExp): Generator<Part> {
  let from = 0;
  for (const found of value.matchAll(pattern)) {
    if (found[0] === "") continue;
    const end = found.index + found[0].length;
    if (found.index > from) yield { start: from, end: found.index, match: false };
    yield { start: found.index, end, match: true };
    from = end;
  }
  if (from < value.length) yield { start: from, end: value.length, match: false };
}

type Range = [start: number, end: number];

/** What becomes of the matches: dropped, alone, or joined to a neighbour. */
function arrange(parts: Iterable<Part>, behavior: string): Range[] {
  const out: Range[] = [];
  let previous: boolean | undefined;
  let open = false;
  const join = (end: number): void => {
    const last = out.at(-1);
    if (last !== undefined) last[1] = end;
  };
  for (const { start, end, match } of parts) {
    if (behavior === "removed") {
      // An empty place keeps the order: what follows a dropped beginning is not the first piece.
      if (!match) out.push([start, end]);
      else if (out.length === 0) out.push([start, start]);
    } else if (behavior === "mergedwithprevious") {
      if (match && previous === false) join(end);
      else out.push([start, end]);
    } else if (behavior === "mergedwithnext") {
      if (open && !match) join(end);
      else out.push([start, end]);
      open = match;
    } else if (behavior === "contiguous" && previous === match) join(end);
    else out.push([start, end]);
    previous = match;
  }
  return out;
}

/** The stretches that are not empty, as pieces. */
function toPieces({ text: value, first, trace }: Piece, ranges: readonly Range[]): Piece[] {
  const out: Piece[] = [];
  for (const [index, [start, end]] of ranges.entries()) {
    if (start === end) continue;
    const piece = { text: value.slice(start, end), first: first && index === 0 };
    out.push(trace === undefined ? piece : { ...piece, trace: sliceTrace(trace, start, end) });
  }
  return out;
}

/** The same piece with text in front of it. */
function withPrefix({ text: value, first, trace }: Piece, prefix: string): Piece {
  if (trace === undefined) return { text: prefix + value, first };
  return { ...prependTraced({ text: value, trace }, prefix), first };
}

function splitBy(pattern: RegExp, behavior: unknown, invert = false): Splitter {
  const kind = text(behavior, "Isolated").toLowerCase().replaceAll("_", "");
  return (piece) => {
    const parts = matches(piece.text, pattern);
    const turned = invert ? [...parts].map((part) => ({ ...part, match: !part.match })) : parts;
    return toPieces(piece, arrange(turned, kind));
  };
}

const GPT2 =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
const WORDS =
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu;
const PUNCTUATION = /[!-/:-@[-`{-~]|\p{P}/gu;
/** Scripts that are told apart; what is in none of them counts as one more. The common ones come first. */
const SCRIPTS: readonly (readonly [name: string, pattern: RegExp])[] = (
  "Latin Common Han Hiragana Katakana Cyrillic Greek Hangul Arabic Inherited Hebrew Thai Devanagari Bengali Tamil Telugu " +
  "Kannada Malayalam Gujarati Gurmukhi Oriya Sinhala Lao Khmer Myanmar Tibetan Mongolian Georgian Armenian Ethiopic " +
  "Cherokee Canadian_Aboriginal Syriac Thaana Nko Bopomofo Yi Tifinagh Coptic Gothic Runic Ogham Braille Javanese Balinese"
)
  .split(" ")
  .map((name) => [name, new RegExp(`\\p{Script=${name}}`, "u")]);

/** Each byte of the piece as one printable character. */
const toBytes = ({ text: value, first, trace }: Piece): Piece =>
  trace === undefined
    ? { text: toByteCharacters(value), first }
    : { ...mapCharacters({ text: value, trace }, toByteCharacters), first };

function byteLevel(part: Readonly<Record<string, unknown>>): Splitter {
  const words = splitBy(GPT2, "Isolated");
  return (piece) => {
    const padded = part.add_prefix_space !== false && !piece.text.startsWith(" ") ? withPrefix(piece, " ") : piece;
    return (part.use_regex === false ? [padded] : words(padded)).map(toBytes).filter(({ text: value }) => value !== "");
  };
}

function metaspace(part: Readonly<Record<string, unknown>>): Splitter {
  const mark = text(part.replacement, "\u2581");
  const scheme = text(part.prepend_scheme, part.add_prefix_space === false ? "never" : "always").toLowerCase();
  const cut = splitBy(toRegExp(mark), "MergedWithNext");
  return ({ text: value, first, trace }) => {
    const marked: Piece =
      trace === undefined
        ? { text: value.replaceAll(" ", mark), first }
        : { ...replaceTraced({ text: value, trace }, / /g, mark), first };
    const wants = !marked.text.startsWith(mark) && (scheme === "always" || (scheme === "first" && first));
    const ready = wants ? withPrefix(marked, mark) : marked;
    return part.split === false ? [ready] : cut(ready);
  };
}

/** Hiragana and Katakana count as Han, as SentencePiece counts them; a space has no script, nor has what Unicode does not assign. */
function scriptOf(c: string): string | undefined {
  if (c === "\u30fc") return "Han";
  if (c === " " || /[\p{Cn}\p{Co}]/u.test(c)) return undefined;
  const name = SCRIPTS.find(([, pattern]) => pattern.test(c))?.[0] ?? "Other";
  return name === "Hiragana" || name === "Katakana" ? "Han" : name;
}

/** Cuts where the script changes. Spaces before the first script are dropped, as in the reference; others stay where they are. */
const byScript: Splitter = (piece) => {
  const out: Range[] = [];
  let last: string | undefined;
  let at = 0;
  for (const c of piece.text) {
    const script = scriptOf(c);
    const open = out.at(-1);
    if (script !== undefined && script !== last) out.push([at, at + c.length]);
    else if (open !== undefined && last !== undefined) open[1] = at + c.length;
    // An empty place: what follows is not where the text begins.
    else if (open === undefined) out.push([0, 0]);
    at += c.length;
    last = script ?? last;
  }
  return toPieces(piece, out);
};

const fixedLength =
  (length: number): Splitter =>
  (piece) => {
    const out: Range[] = [];
    let [at, points] = [0, 0];
    for (const c of piece.text) {
      const open = out.at(-1);
      if (open !== undefined && points % length !== 0) open[1] = at + c.length;
      else out.push([at, at + c.length]);
      at += c.length;
      points += 1;
    }
    return toPieces(piece, out);
  };

/** Builds a pre-tokenizer; null when there is none. Throws GatewayError `unsupported` for an unknown type. */
export function createSplitter(value: unknown): Splitter | null {
  if (value === null || value === undefined) return null;
  const part = record(value);
  switch (part.type) {
    case "Sequence": {
      const steps = list(part.pretokenizers)
        .map(createSplitter)
        .filter((step) => step !== null);
      return (piece) => steps.reduce<Piece[]>((pieces, step) => pieces.flatMap(step), [piece]);
    }
    case "ByteLevel":
      return byteLevel(part);
    case "Metaspace":
      return metaspace(part);
    case "Split":
      return splitBy(toRegExp(part.pattern), part.behavior, part.invert === true);
    case "Digits":
      return splitBy(/\p{N}/gu, part.individual_digits === true ? "Isolated" : "Contiguous");
    case "Whitespace":
      return splitBy(WORDS, "Removed", true);
    case "WhitespaceSplit":
      return splitBy(/\p{White_Space}/gu, "Removed");
    case "Punctuation":
      return splitBy(PUNCTUATION, part.behavior);
    case "BertPreTokenizer": {
      const [words, marks] = [splitBy(/\p{White_Space}/gu, "Removed"), splitBy(PUNCTUATION, "Isolated")];
      return (piece) => words(piece).flatMap(marks);
    }
    case "CharDelimiterSplit":
    case "Delimiter":
      return splitBy(toRegExp(text(part.delimiter)), "Removed");
    case "UnicodeScripts":
      return byScript;
    case "FixedLength":
      return fixedLength(Math.max(1, Number(part.length) || 5));
    default:
      return refusePart("pre-tokenizer", value);
  }
}
