/**
 * Normalizers that keep track of where the text came from: the same texts as `normalize.ts`, with traces. Slower, so that they
 * run only where offsets are asked for.
 */
import { createNormalizer, lower, type Normalizer, sidesOf } from "./normalize.ts";
import { list, record, text } from "./parts.ts";
import { toRegExp } from "./pattern.ts";
import { createReplacements } from "./precompiled.ts";
import {
  type Change,
  mapCharacters,
  prependTraced,
  replaceTraced,
  sliceTraced,
  startTrace,
  type Traced,
  transform,
} from "./trace.ts";

export type TracedNormalizer = (traced: Traced) => Traced;

type Form = "NFC" | "NFD" | "NFKC" | "NFKD";

/**
 * A character and what may join it: marks, jamo in all their forms, the half-width marks of Katakana. Unicode's
 * forms never change anything across such a run.
 */
const RUN = /[\s\S][\p{M}\u1160-\u11ff\u3131-\u318e\uff9e-\uffdc]*/gu;

/** Takes the first item that is `c` out of a list. */
function take<T extends Change>(items: T[], c: string): number {
  const at = items.findIndex(([character]) => character === c);
  return at < 0 ? 0 : (items.splice(at, 1)[0]?.[1] ?? 0);
}

/** One run in Unicode's form, as the crate unicode-normalization-alignments counts: a composed character takes all it is made of. */
function changesOfRun(run: string, form: Form): Change[] {
  const apart = form.includes("K") ? "NFKD" : "NFD";
  const pieces = Array.from(run).flatMap((c) =>
    Array.from(c.normalize(apart), (piece, index): Change => [piece, index === 0 ? 0 : 1]),
  );
  const ordered = Array.from(run.normalize(apart), (c): Change => [c, take(pieces, c)]);
  if (form === apart) return ordered;
  return Array.from(run.normalize(form), (c): Change => {
    const parts = Array.from(c.normalize("NFD"), (part) => take(ordered, part));
    return [c, parts.reduce((sum, change) => sum + change, 1 - parts.length)];
  });
}

function toForm(traced: Traced, form: Form): Traced {
  const whole = traced.text.normalize(form);
  if (whole === traced.text) return traced;
  const changes = (traced.text.match(RUN) ?? []).flatMap((run) => changesOfRun(run, form));
  const same = changes.map(([c]) => c).join("") === whole;
  return transform(traced, same ? changes : changesOfRun(traced.text, form));
}

/** As the crate spm_precompiled's caller counts them: characters one by one, what is left over beside or with the last one. */
function toPrecompiledChanges(replacements: Iterable<readonly [old: string, now: string]>): Change[] {
  const changes: [string, number][] = [];
  for (const [old, now] of replacements) {
    const [before, after] = [Array.from(old), Array.from(now)];
    for (const [index, c] of after.entries()) changes.push([c, index < before.length ? 0 : 1]);
    const last = changes.at(-1);
    if (last !== undefined && after.length < before.length) last[1] += after.length - before.length;
  }
  return changes;
}

const perCharacter =
  (normalizer: Normalizer | null): TracedNormalizer =>
  (traced) =>
    normalizer === null ? traced : mapCharacters(traced, normalizer);

/** BERT's normaliser in its steps: of these only the decomposition looks beyond one character. */
function bert(part: Readonly<Record<string, unknown>>): TracedNormalizer {
  const { lowercase = true, strip_accents } = part;
  const clean = createNormalizer({ ...part, lowercase: false, strip_accents: false });
  return (traced) => {
    let out = perCharacter(clean)(traced);
    if ((strip_accents ?? lowercase) === true) out = mapCharacters(toForm(out, "NFD"), (c) => c.replace(/\p{Mn}/u, ""));
    return lowercase === false ? out : mapCharacters(out, lower);
  };
}

/** Builds a normalizer with traces; null when there is none. Throws GatewayError `unsupported` for an unknown type. */
export function createTracedNormalizer(value: unknown): TracedNormalizer | null {
  if (value === null || value === undefined) return null;
  const part = record(value);
  switch (part.type) {
    case "Sequence": {
      const steps = list(part.normalizers)
        .map(createTracedNormalizer)
        .filter((step) => step !== null);
      return (traced) => steps.reduce((out, step) => step(out), traced);
    }
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD": {
      const form = part.type;
      return (traced) => toForm(traced, form);
    }
    case "Strip":
      return (traced) => {
        const [start, end] = sidesOf(traced.text, part.strip_left !== false, part.strip_right !== false);
        return sliceTraced(traced, start, end);
      };
    case "Replace": {
      const pattern = toRegExp(part.pattern);
      const content = text(part.content);
      return (traced) => replaceTraced(traced, pattern, content);
    }
    case "Prepend": {
      const prefix = text(part.prepend);
      return (traced) => prependTraced(traced, prefix);
    }
    case "BertNormalizer":
      return bert(part);
    case "Precompiled": {
      const replacements = createReplacements(text(part.precompiled_charsmap));
      return (traced) => transform(traced, toPrecompiledChanges(replacements(traced.text)));
    }
    default:
      // Lowercase, StripAccents, Nmt, ByteLevel: character by character. What is unknown is refused by name.
      return perCharacter(createNormalizer(value));
  }
}

/** The trace of a whole text. */
export const traceText = (value: string): Traced => ({ text: value, trace: startTrace(value) });
