/** Large events cut into frames and put together again: nothing is lost, doubled or out of order. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { GenerateEvent } from "../../src/contract/generation.ts";
import { PromptParts } from "../../src/engine/embedded/prompt-parts.ts";
import { encodeFrame } from "../../src/worker/frame.ts";
import { fromWireEvent, toWireEvent } from "../../src/worker/protocol.ts";
import { toPortions } from "../../src/worker/requests/split-events.ts";
import { candidate, delta, end, finish, position, promptEvent } from "../support/events.ts";

/** A position with so many candidates. */
const wide = (count: number, id: number) =>
  position(candidate(id, "a", -1, 1), ...Array.from({ length: count }, (_, at) => candidate(at, "b", -2, at + 1)));

/** Through the wire and back. */
function joined(events: readonly GenerateEvent[]): GenerateEvent[] {
  const parts = new PromptParts();
  return toPortions(events).flatMap((portion) => parts.join(1, portion.map(toWireEvent).map(fromWireEvent)));
}

describe("portions", () => {
  test("small events stay together", () => {
    const events = [promptEvent([1]), delta("a", [5]), finish(), end()];
    assert.deepEqual(toPortions(events), [events]);
    assert.deepEqual(toPortions([]), []);
  });

  test("a prompt of many candidates comes in parts, each of which fits into a frame", () => {
    const logprobs = [null, ...Array.from({ length: 3999 }, (_, at) => wide(200, at))];
    const event = promptEvent(
      Array.from({ length: 4000 }, (_, at) => at),
      { logprobs },
    );
    const portions = toPortions([event, finish(), end()]);
    assert.ok(portions.length > 5);
    for (const events of portions) encodeFrame({ type: "events", id: 1, events: events.map(toWireEvent) });
    assert.deepEqual(joined([event, finish(), end()]), [event, finish(), end()]);
  });

  test("a delta's text goes with its first part, its end with the last", () => {
    const logprobs = [wide(90_000, 1), wide(90_000, 2), wide(90_000, 3)];
    const parts = toPortions([delta("abc", [1, 2, 3], { logprobs, last: true })]).flat();
    assert.deepEqual(
      parts.map((part) => part.type === "delta" && [part.text, part.tokenIds, part.logprobs?.length, part.last]),
      [
        ["abc", [1], 1, undefined],
        ["", [2], 1, undefined],
        ["", [3], 1, true],
      ],
    );
  });

  test("whatever comes, the same comes out", () => {
    const widths = fc.array(fc.constantFrom(0, 1, 3000, 60_000), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(widths, { minLength: 1, maxLength: 3 }), (prompts) => {
        const events = prompts.map((list, prompt) =>
          promptEvent(
            list.map((_, at) => at),
            { prompt, logprobs: list.map((count, at) => wide(count, at)) },
          ),
        );
        assert.deepEqual(joined([...events, end()]), [...events, end()]);
      }),
      { numRuns: 5 },
    );
  });

  test("what a call left behind is forgotten", () => {
    const parts = new PromptParts();
    const [first] = toPortions([promptEvent([1, 2], { logprobs: [wide(100_000, 1), wide(100_000, 2)] })]);
    assert.deepEqual(parts.join(1, first!.map(toWireEvent).map(fromWireEvent)), []);
    parts.forget(1);
    const later = promptEvent([1], { logprobs: [null] });
    assert.deepEqual(parts.join(1, [later]), [later]);
  });
});
