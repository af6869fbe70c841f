/** Puts prompt events together again whose log probabilities came in parts. One per connection; forgets what has ended. */
import type { GenerateEvent } from "../../contract/generation.ts";

type PromptEvent = Extract<GenerateEvent, { type: "prompt" }>;
type Position = NonNullable<PromptEvent["logprobs"]>[number];

/** See the file's head. */
export class PromptParts {
  readonly #waiting = new Map<number, Position[]>();

  /** The whole events of one message of call `id`, in their order. */
  join(id: number, events: readonly (GenerateEvent & { readonly more?: true })[]): GenerateEvent[] {
    const whole: GenerateEvent[] = [];
    for (const { more, ...event } of events) {
      if (event.type !== "prompt" || event.logprobs === undefined) {
        whole.push(event);
        continue;
      }
      const before = this.#waiting.get(id);
      if (more === true) {
        const held = before ?? [];
        for (const position of event.logprobs) held.push(position);
        this.#waiting.set(id, held);
        continue;
      }
      this.#waiting.delete(id);
      whole.push(before === undefined ? event : { ...event, logprobs: [...before, ...event.logprobs] });
    }
    return whole;
  }

  /** The call has ended, or its reader left. */
  forget(id: number): void {
    this.#waiting.delete(id);
  }
}
