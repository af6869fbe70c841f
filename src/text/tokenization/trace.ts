/**
 * Where each piece of a changed text came from, as tokenizers 0.23 keeps it (`tokenizer/normalizer.rs`): every unit of the text
 * carries the range of the original that it stands for. Ranges count code points of the original; the arrays count UTF-16 units of
 * the changed text. Changes nothing by itself: the parts of the pipeline do.
 */

/** One entry per UTF-16 unit of the text that it belongs to; both halves of a surrogate pair have the same. */
export interface Trace {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** A text and where it came from. */
export interface Traced {
  readonly text: string;
  readonly trace: Trace;
}

/** `[start, end)` in code points of the original. */
export type Offset = readonly [start: number, end: number];

/** The trace of a text that nothing was done to. */
export function startTrace(text: string): Trace {
  const from: number[] = [];
  let point = 0;
  for (const c of text) {
    for (let unit = 0; unit < c.length; unit += 1) from.push(point);
    point += 1;
  }
  return { from, to: from.map((start) => start + 1) };
}

export const sliceTrace = ({ from, to }: Trace, start: number, end: number): Trace => ({
  from: from.slice(start, end),
  to: to.slice(start, end),
});

export const sliceTraced = ({ text, trace }: Traced, start: number, end: number): Traced => ({
  text: text.slice(start, end),
  trace: sliceTrace(trace, start, end),
});

/** What the units `[start, end)` stand for; an empty range, or one past the text, stays as it is. */
export function offsetOf({ from, to }: Trace, start: number, end: number): Offset {
  const [first, last] = [from[start], to[end - 1]];
  return first === undefined || last === undefined || end <= start ? [start, end] : [first, last];
}

/** A text that grows, with its trace. */
export class TraceBuilder {
  readonly #parts: string[] = [];
  readonly #from: number[] = [];
  readonly #to: number[] = [];

  /** Adds a text all of which stands for one range. */
  add(text: string, from: number, to: number): void {
    this.#parts.push(text);
    for (let unit = 0; unit < text.length; unit += 1) {
      this.#from.push(from);
      this.#to.push(to);
    }
  }
  /** Adds units of another text as they are. */
  copy({ text, trace }: Traced, start: number, end: number): void {
    this.#parts.push(text.slice(start, end));
    for (let unit = start; unit < end; unit += 1) {
      this.#from.push(trace.from[unit] ?? 0);
      this.#to.push(trace.to[unit] ?? 0);
    }
  }
  build(): Traced {
    return { text: this.#parts.join(""), trace: { from: this.#from, to: this.#to } };
  }
}

/** Each character becomes what `change` makes of it, and all of that stands for what the character stood for. */
export function mapCharacters(traced: Traced, change: (c: string) => string): Traced {
  const out = new TraceBuilder();
  let unit = 0;
  for (const c of traced.text) {
    out.add(change(c), traced.trace.from[unit] ?? 0, traced.trace.to[unit] ?? 0);
    unit += c.length;
  }
  return out.build();
}

/** Puts text in front; it stands for what the first character stands for. An empty text stays empty. */
export function prependTraced(traced: Traced, prefix: string): Traced {
  if (traced.text === "") return traced;
  const out = new TraceBuilder();
  out.add(prefix, traced.trace.from[0] ?? 0, traced.trace.to[0] ?? 0);
  out.copy(traced, 0, traced.text.length);
  return out.build();
}

/** Replaces every match; what comes in stands for the last character of what goes. */
export function replaceTraced(traced: Traced, pattern: RegExp, content: string): Traced {
  const { text, trace } = traced;
  const out = new TraceBuilder();
  let done = 0;
  for (const match of text.matchAll(pattern)) {
    const end = match.index + match[0].length;
    out.copy(traced, done, match.index);
    out.add(content, trace.from[end - 1] ?? 0, trace.to[end - 1] ?? 0);
    done = end;
  }
  out.copy(traced, done, text.length);
  return out.build();
}

/** A character of the new text. 0: it takes the place of the next old one; -n: and n more old ones go; 1: it is new beside the one before. */
export type Change = readonly [character: string, change: number];

/** Applies changes in order, as `NormalizedString::transform` does. */
export function transform(traced: Traced, changes: Iterable<Change>): Traced {
  const out = new TraceBuilder();
  const { text, trace } = traced;
  let unit = 0;
  const skip = (): void => {
    unit += (text.codePointAt(unit) ?? 0) > 0xffff ? 2 : 1;
  };
  for (const [c, change] of changes) {
    const at = change > 0 ? unit - 1 : unit;
    out.add(c, trace.from[at] ?? 0, trace.to[at] ?? 0);
    for (let old = change; old <= 0; old += 1) skip();
  }
  return out.build();
}
