/** Decoders of a `tokenizer.json` (tokenizers 0.23): token strings → pieces of text. ByteLevel works on bytes: see the tokenizer. */
import { toFallbackByte } from "../token-bytes.ts";
import { list, record, refusePart, text } from "./parts.ts";
import { toRegExp } from "./pattern.ts";

export type Decoder = (tokens: readonly string[]) => string[];

/** Runs of `<0xNN>` become their text when they are UTF-8, else one U+FFFD per byte. */
const byteFallback: Decoder = (tokens) => {
  const out: string[] = [];
  let run: number[] = [];
  const flush = (): void => {
    if (run.length === 0) return;
    try {
      out.push(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(run)));
    } catch {
      for (const _ of run) out.push("\ufffd");
    }
    run = [];
  };
  for (const token of tokens) {
    const byte = toFallbackByte(token);
    if (byte !== undefined) run.push(byte);
    else {
      flush();
      out.push(token);
    }
  }
  flush();
  return out;
};

/** The library's clean-up of spaces before punctuation (WordPiece and CTC decoders). */
const cleanUp = (value: string): string =>
  value
    .replaceAll(" .", ".")
    .replaceAll(" ?", "?")
    .replaceAll(" !", "!")
    .replaceAll(" ,", ",")
    .replaceAll(" ' ", "'")
    .replaceAll(" n't", "n't")
    .replaceAll(" 'm", "'m")
    .replaceAll(" do not", " don't")
    .replaceAll(" 's", "'s")
    .replaceAll(" 've", "'ve")
    .replaceAll(" 're", "'re");

function strip(content: string, start: number, stop: number): Decoder {
  return (tokens) =>
    tokens.map((token) => {
      const points = Array.from(token);
      let from = 0;
      while (from < start && from < points.length && points[from] === content) from += 1;
      let to = points.length;
      while (points.length - to < stop && to > from && points[to - 1] === content) to -= 1;
      return points.slice(from, to).join("");
    });
}

function ctc(part: Readonly<Record<string, unknown>>): Decoder {
  const [pad, delimiter, clean] = [
    text(part.pad_token, "<pad>"),
    text(part.word_delimiter_token, "|"),
    part.cleanup !== false,
  ];
  return (tokens) =>
    tokens
      .filter((token, index) => token !== tokens[index - 1])
      .map((token) => {
        const bare = token.replaceAll(pad, "");
        return clean ? cleanUp(bare).replaceAll(delimiter, " ") : bare;
      })
      .filter((token) => token !== "");
}

/** Builds a decoder; null when there is none. Throws GatewayError `unsupported` for an unknown type. */
export function createDecoder(value: unknown): Decoder | null {
  if (value === null || value === undefined) return null;
  const part = record(value);
  switch (part.type) {
    case "Sequence": {
      const steps = list(part.decoders)
        .map(createDecoder)
        .filter((step) => step !== null);
      return (tokens) => steps.reduce<string[]>((pieces, step) => step(pieces), [...tokens]);
    }
    // Handled on bytes by the tokenizer; inside a sequence the joined text is already there.
    case "ByteLevel":
      return (tokens) => [...tokens];
    case "ByteFallback":
      return byteFallback;
    case "Fuse":
      return (tokens) => [tokens.join("")];
    case "Replace": {
      const pattern = toRegExp(part.pattern);
      const content = text(part.content);
      return (tokens) => tokens.map((token) => token.replace(pattern, () => content));
    }
    case "Strip":
      return strip(text(part.content), Number(part.start) || 0, Number(part.stop) || 0);
    case "Metaspace": {
      const mark = text(part.replacement, "\u2581");
      const drops =
        text(part.prepend_scheme, part.add_prefix_space === false ? "never" : "always").toLowerCase() !== "never";
      return (tokens) => tokens.map((token, index) => token.replaceAll(mark, index === 0 && drops ? "" : " "));
    }
    case "WordPiece": {
      const prefix = text(part.prefix, "##");
      return (tokens) =>
        tokens.map((token, index) => {
          const joined = index === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
          return part.cleanup === false ? joined : cleanUp(joined);
        });
    }
    case "BPEDecoder": {
      const suffix = text(part.suffix, "</w>");
      return (tokens) => tokens.map((token, index) => token.replaceAll(suffix, index === tokens.length - 1 ? "" : " "));
    }
    case "CTC":
      return ctc(part);
    default:
      return refusePart("decoder", value);
  }
}
