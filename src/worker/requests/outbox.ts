/**
 * The events of one call on their way to the parent. While the reader is slow (no credit) or the pipe is full, deltas
 * of the same sample are merged, so that what waits here is never more than the answer itself.
 */
import type { GenerateEvent, PositionLogprobs } from "../../contract/generation.ts";

/** A waiting delta: arrays of its own, so that a long wait costs no copying. */
interface WaitingDelta {
  readonly type: "delta";
  readonly prompt: number;
  readonly sample: number;
  text: string;
  readonly tokenIds: number[];
  readonly logprobs?: PositionLogprobs[];
  last?: true;
}

type Waiting = WaitingDelta | Exclude<GenerateEvent, { type: "delta" }>;

export class Outbox {
  #events: Waiting[] = [];
  /** Where the waiting delta of a sample is. */
  #deltas = new Map<string, number>();
  #credit: number;

  constructor(credit: number) {
    this.#credit = credit;
  }

  get empty(): boolean {
    return this.#events.length === 0;
  }

  add(event: GenerateEvent): void {
    if (event.type !== "delta") {
      this.#events.push(event);
      return;
    }
    const key = `${event.prompt}/${event.sample}`;
    const waiting = this.#events[this.#deltas.get(key) ?? -1];
    if (waiting?.type === "delta") {
      waiting.text += event.text;
      if (event.last === true) waiting.last = true;
      for (const id of event.tokenIds) waiting.tokenIds.push(id);
      for (const position of event.logprobs ?? []) waiting.logprobs?.push(position);
      return;
    }
    this.#deltas.set(key, this.#events.length);
    const { logprobs, ...rest } = event;
    this.#events.push({
      ...rest,
      tokenIds: [...event.tokenIds],
      ...(logprobs === undefined ? {} : { logprobs: [...logprobs] }),
    });
  }

  grant(events: number): void {
    this.#credit += events;
  }

  /** What may go out now, in order; [] without credit. */
  take(): readonly GenerateEvent[] {
    const count = Math.min(this.#credit, this.#events.length);
    if (count === 0) return [];
    const out = this.#events.slice(0, count);
    this.#events = this.#events.slice(count);
    this.#credit -= count;
    this.#deltas = new Map();
    for (const [index, event] of this.#events.entries()) {
      if (event.type === "delta") this.#deltas.set(`${event.prompt}/${event.sample}`, index);
    }
    return out;
  }
}
