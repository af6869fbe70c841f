/** Post-processors of a `tokenizer.json` (tokenizers 0.23): which special tokens go around a single text. */
import { list, record, refusePart } from "./parts.ts";

/** What a post-processor needs to know of the items that it puts between others: ids, or ids with offsets. */
export interface Items<T> {
  /** Makes a special token. */
  special(id: number): T;
  /** Takes white space off the offsets; items that have none come back as they are. */
  trim(items: readonly T[], addPrefixSpace: boolean): readonly T[];
  /** Are special tokens wanted at all? Offsets are trimmed in any case. */
  readonly addSpecial: boolean;
}

export type PostProcessor = <T>(items: readonly T[], of: Items<T>) => readonly T[];

const idOf = (pair: unknown): number[] => {
  const id = list(pair)[1];
  return typeof id === "number" ? [id] : [];
};

function template(part: Readonly<Record<string, unknown>>): PostProcessor {
  const specials = record(part.special_tokens);
  const single = list(part.single).map(record);
  return (items, { special, addSpecial }) => {
    if (!addSpecial) return items;
    const out: (typeof items)[number][] = [];
    for (const piece of single) {
      if (piece.Sequence !== undefined) for (const item of items) out.push(item);
      else {
        for (const id of list(record(specials[String(record(piece.SpecialToken).id)]).ids))
          if (typeof id === "number") out.push(special(id));
      }
    }
    return out;
  };
}

/** Builds a post-processor; null when there is none. Throws GatewayError `unsupported` for an unknown type. */
export function createPostProcessor(value: unknown): PostProcessor | null {
  if (value === null || value === undefined) return null;
  const part = record(value);
  const trims = part.trim_offsets !== false;
  const prefixed = part.add_prefix_space !== false;
  switch (part.type) {
    case "Sequence": {
      const steps = list(part.processors)
        .map(createPostProcessor)
        .filter((step) => step !== null);
      return (items, of) => steps.reduce((out, step) => step(out, of), items);
    }
    case "ByteLevel":
      return (items, of) => (trims ? of.trim(items, prefixed) : items);
    case "TemplateProcessing":
      return template(part);
    case "BertProcessing":
    case "RobertaProcessing":
      return (items, of) => {
        const inner = part.type === "RobertaProcessing" && trims ? of.trim(items, prefixed) : items;
        return of.addSpecial ? [...idOf(part.cls).map(of.special), ...inner, ...idOf(part.sep).map(of.special)] : inner;
      };
    default:
      return refusePart("post-processor", value);
  }
}
