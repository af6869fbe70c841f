/**
 * Events of one call → portions that fit into a frame each. What makes events large are candidates of log
 * probabilities: a prompt of 4 K tokens with 200 of them has some 80 MB as JSON.
 */
import type { GenerateEvent, PositionLogprobs } from "../../contract/generation.ts";

/** An event, or a part of a prompt's: the last one has no `more`. */
export type EventPart = GenerateEvent | (Extract<GenerateEvent, { type: "prompt" }> & { readonly more: true });

/** Candidates of one portion: some 100 bytes of JSON each, and a frame takes 64 MiB. */
const PORTION = 2 ** 17;

const weigh = (position: PositionLogprobs | null): number => (position === null ? 1 : position.top.length + 1);

const weighEvent = (event: EventPart): number => {
  if ((event.type !== "delta" && event.type !== "prompt") || event.logprobs === undefined) return 1;
  let weight = 1;
  for (const position of event.logprobs) weight += weigh(position);
  return weight;
};

/** Cuts a list so that no piece weighs more than a portion, or has more than one member. */
function cut<T>(list: readonly T[], weightOf: (member: T) => number): T[][] {
  const pieces: T[][] = [];
  let weight = Number.POSITIVE_INFINITY;
  for (const member of list) {
    const own = weightOf(member);
    if (weight + own > PORTION) {
      pieces.push([]);
      weight = 0;
    }
    weight += own;
    pieces.at(-1)?.push(member);
  }
  return pieces;
}

/** One event as parts: a delta's text goes with its first part, its end with the last. */
function splitEvent(event: GenerateEvent): readonly EventPart[] {
  if (weighEvent(event) <= PORTION) return [event];
  if (event.type === "prompt") {
    const pieces = cut(event.logprobs ?? [], weigh);
    const last = pieces.length - 1;
    return pieces.map((logprobs, at) => ({ ...event, logprobs, ...(at < last ? { more: true as const } : {}) }));
  }
  if (event.type !== "delta") return [event];
  const { last: ends, ...rest } = event;
  const pieces = cut(event.logprobs ?? [], weigh);
  let from = 0;
  return pieces.map((logprobs, at) => {
    const tokenIds = event.tokenIds.slice(from, from + logprobs.length);
    from += logprobs.length;
    const text = at === 0 ? event.text : "";
    return { ...rest, text, tokenIds, logprobs, ...(ends === true && at === pieces.length - 1 ? { last: ends } : {}) };
  });
}

/** The same events in portions, in their order. */
export const toPortions = (events: readonly GenerateEvent[]): EventPart[][] =>
  cut(events.flatMap(splitEvent), weighEvent);
