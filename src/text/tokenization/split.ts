/** Pre-tokenizers of a `tokenizer.json` (tokenizers 0.23): text → pieces, within which the model works. */
import { toByteCharacters } from "../token-bytes.ts";
import { list, record, refusePart, text } from "./parts.ts";
import { toRegExp } from "./pattern.ts";

/** A piece of the text; `first` marks the one that begins where the whole text begins. */
export interface Piece {
  readonly text: string;
  readonly first: boolean;
}

export type Splitter = (piece: Piece) => Piece[];

interface Part {
  readonly text: string;
  readonly match: boolean;
}

function* matches(value: string, pattern: RegExp): Generator<Part> {
  let from = 0;
  for (const found of value.matchAll(pattern)) {
    if (found[0] === "") continue;
    if (found.index > from) yield { text: value.slice(from, found.index), match: false };
    yield { text: found[0], match: true };
    from = found.index + found[0].length;
  }
  if (from < value.length) yield { text: value.slice(from), match: false };
}

/** What becomes of the matches: dropped, alone, or joined to a neighbour. */
function arrange(parts: Iterable<Part>, behavior: string): string[] {
  const out: string[] = [];
  let previous: boolean | undefined;
  let open = false;
  for (const { text: part, match } of parts) {
    if (behavior === "removed") {
      // An empty place keeps the order: what follows a dropped beginning is not the first piece.
      if (!match) out.push(part);
      else if (out.length === 0) out.push("");
    } else if (behavior === "mergedwithprevious") {
      if (match && previous === false) out[out.length - 1] += part;
      else out.push(part);
    } else if (behavior === "mergedwithnext") {
      if (open && !match) out[out.length - 1] += part;
      else out.push(part);
      open = match;
    } else if (behavior === "contiguous" && previous === match) out[out.length - 1] += part;
    else out.push(part);
    previous = match;
  }
  return out;
}

function toPieces(texts: readonly string[], first: boolean): Piece[] {
  const out: Piece[] = [];
  for (const [index, part] of texts.entries()) if (part !== "") out.push({ text: part, first: first && index === 0 });
  return out;
}

function splitBy(pattern: RegExp, behavior: unknown, invert = false): Splitter {
  const kind = text(behavior, "Isolated").toLowerCase().replaceAll("_", "");
  return (piece) => {
    const parts = matches(piece.text, pattern);
    const turned = invert ? [...parts].map((part) => ({ ...part, match: !part.match })) : parts;
    return toPieces(arrange(turned, kind), piece.first);
  };
}

const GPT2 =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
const WORDS =
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu;
const PUNCTUATION = /[!-/:-@[-`{-~]|\p{P}/gu;
const SCRIPT_NAMES = [
  "Han",
  "Hiragana",
  "Katakana",
  "Latin",
  "Greek",
  "Cyrillic",
  "Hangul",
  "Arabic",
  "Hebrew",
  "Thai",
  "Devanagari",
];

function byteLevel(part: Readonly<Record<string, unknown>>): Splitter {
  return ({ text: value, first }) => {
    const padded = part.add_prefix_space !== false && !value.startsWith(" ") ? ` ${value}` : value;
    const texts = part.use_regex === false ? [padded] : (padded.match(GPT2) ?? []);
    return toPieces(texts.map(toByteCharacters), first);
  };
}

function metaspace(part: Readonly<Record<string, unknown>>): Splitter {
  const mark = text(part.replacement, "\u2581");
  const scheme = text(part.prepend_scheme, part.add_prefix_space === false ? "never" : "always").toLowerCase();
  const cut = splitBy(toRegExp(mark), "MergedWithNext");
  return ({ text: value, first }) => {
    let out = value.replaceAll(" ", mark);
    if (!out.startsWith(mark) && (scheme === "always" || (scheme === "first" && first))) out = mark + out;
    return part.split === false ? [{ text: out, first }] : cut({ text: out, first });
  };
}

/** Hiragana and Katakana count as Han, as SentencePiece counts them; what has no script of its own joins its neighbour. */
function scriptOf(c: string): string | undefined {
  if (c === "\u30fc") return "Han";
  if (c === " " || /[\p{Script=Common}\p{Script=Inherited}]/u.test(c)) return undefined;
  const name = SCRIPT_NAMES.find((script) => new RegExp(`\\p{Script=${script}}`, "u").test(c)) ?? "Other";
  return name === "Hiragana" || name === "Katakana" ? "Han" : name;
}

const byScript: Splitter = ({ text: value, first }) => {
  const out: string[] = [];
  let last: string | undefined;
  for (const c of value) {
    const script = scriptOf(c);
    if (out.length > 0 && (script === undefined || last === undefined || script === last)) out[out.length - 1] += c;
    else out.push(c);
    last = script ?? last;
  }
  return toPieces(out, first);
};

const fixedLength =
  (length: number): Splitter =>
  ({ text: value, first }) => {
    const points = Array.from(value);
    const out: string[] = [];
    for (let at = 0; at < points.length; at += length) out.push(points.slice(at, at + length).join(""));
    return toPieces(out, first);
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
