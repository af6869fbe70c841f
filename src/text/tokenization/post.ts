/** Post-processors of a `tokenizer.json` (tokenizers 0.23): which special tokens go around a single text. */
import { list, record, refusePart } from "./parts.ts";

export type PostProcessor = (ids: readonly number[]) => number[];

const idOf = (pair: unknown): number[] => {
  const id = list(pair)[1];
  return typeof id === "number" ? [id] : [];
};

function template(part: Readonly<Record<string, unknown>>): PostProcessor {
  const specials = record(part.special_tokens);
  const single = list(part.single).map(record);
  return (ids) => {
    const out: number[] = [];
    for (const piece of single) {
      if (piece.Sequence !== undefined) for (const id of ids) out.push(id);
      else {
        for (const id of list(record(specials[String(record(piece.SpecialToken).id)]).ids))
          if (typeof id === "number") out.push(id);
      }
    }
    return out;
  };
}

/** Builds a post-processor; null when there is none. Throws GatewayError `unsupported` for an unknown type. */
export function createPostProcessor(value: unknown): PostProcessor | null {
  if (value === null || value === undefined) return null;
  const part = record(value);
  switch (part.type) {
    case "Sequence": {
      const steps = list(part.processors)
        .map(createPostProcessor)
        .filter((step) => step !== null);
      return (ids) => steps.reduce<number[]>((out, step) => step(out), [...ids]);
    }
    // Trims offsets, which nobody asks for here.
    case "ByteLevel":
      return (ids) => [...ids];
    case "TemplateProcessing":
      return template(part);
    case "BertProcessing":
    case "RobertaProcessing":
      return (ids) => [...idOf(part.cls), ...ids, ...idOf(part.sep)];
    default:
      return refusePart("post-processor", value);
  }
}
