/**
 * Stop strings over text that comes in pieces. Only text that could still become a stop string is held back, and the
 * result does not depend on where the pieces were cut: the stop string that is complete first wins, the longest of
 * those that end together.
 */

export interface StopResult {
  /** Text that may go out now. */
  readonly text: string;
  /** The stop string found; nothing may be pushed after it. */
  readonly stopped: string | null;
}

export interface StopMatcher {
  push(text: string): StopResult;
  /** What is held back, when the sequence ended for another reason. */
  flush(): string;
}

/** Length of the longest end of `text` that is the beginning of, but not all of, one of the stop strings. */
function possibleLength(text: string, stops: readonly string[]): number {
  let longest = 0;
  for (const stop of stops) {
    for (let length = Math.min(stop.length - 1, text.length); length > longest; length -= 1) {
      if (text.endsWith(stop.slice(0, length))) {
        longest = length;
        break;
      }
    }
  }
  return longest;
}

function findFirst(text: string, stops: readonly string[]): { start: number; stop: string } | undefined {
  let best: { start: number; end: number; stop: string } | undefined;
  for (const stop of stops) {
    const start = text.indexOf(stop);
    if (start < 0) continue;
    const end = start + stop.length;
    if (best === undefined || end < best.end || (end === best.end && start < best.start)) best = { start, end, stop };
  }
  return best;
}

/**
 * @param stops Not empty strings. None at all: everything passes.
 * @param includeStop Whether the stop string itself goes out (vLLM's `include_stop_str_in_output`).
 *
 * @example
 * ```ts
 * import { createStopMatcher } from "./stop.ts";
 * const matcher = createStopMatcher(["\n\n"], false);
 * const [one, two] = [matcher.push("a\n"), matcher.push("\nb")];
 * if (one.text !== "a" || two.text !== "" || two.stopped !== "\n\n") throw new Error("not stopped");
 * ```
 */
export function createStopMatcher(stops: readonly string[], includeStop: boolean): StopMatcher {
  let held = "";
  if (stops.length === 0) return { push: (text) => ({ text, stopped: null }), flush: () => "" };
  return {
    push(text) {
      if (text === "") return { text: "", stopped: null };
      const all = held + text;
      const found = findFirst(all, stops);
      if (found !== undefined) {
        held = "";
        return { text: all.slice(0, found.start + (includeStop ? found.stop.length : 0)), stopped: found.stop };
      }
      const keep = possibleLength(all, stops);
      held = all.slice(all.length - keep);
      return { text: all.slice(0, all.length - keep), stopped: null };
    },
    flush() {
      const rest = held;
      held = "";
      return rest;
    },
  };
}
