/**
 * Calls recorded from vLLM 0.32 that depend on each other: pauses, aborts and cache resets under a running stream, eight
 * requests at once. Each call is sent when those that had ended before it in the recording have ended here too, and
 * those that were running are running; times are not compared. What differs is listed in differences.json.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startHere } from "../runtime/start.ts";
import { type Answer, compareAnswers } from "../support/compare-answers.ts";
import {
  callAgain,
  compareWithList,
  type Found,
  type ListedDifferences,
  matches,
  type Recorded,
  type RecordedRequest,
  readRecording,
  recordedAnswer,
  recordingPath,
} from "../support/recordings.ts";

interface Step {
  /** Milliseconds from the start of the scenario. */
  readonly sent: number;
  readonly end: number;
  readonly request: RecordedRequest;
  readonly response: Recorded["response"] & {
    /** First and last events of a stream. */
    readonly head?: readonly string[];
    readonly tail?: readonly string[];
    /** It got no answer. */
    readonly error?: string;
  };
}

interface Scenario {
  readonly case: string;
  readonly steps: readonly Step[];
}

const LISTED = readRecording<ListedDifferences>("differences.json");
const NOT_REPLAYED = LISTED.not_replayed.flatMap(({ cases }) => cases);

/** This engine is quicker with so small a model: what should still run when the next call comes is made longer. */
const LONG = 1000;

/** A call whose first token cannot come before those of calls that were sent earlier. */
const MARK: RecordedRequest = {
  method: "POST",
  path: "/v1/completions",
  headers: { "content-type": "application/json" },
  body: { prompt: "The gateway", max_tokens: 4, ignore_eos: true },
};

function toRequest({ request, end }: Step, steps: readonly Step[], sent: number): RecordedRequest {
  const overlapped = steps.some((other) => other.sent > sent && other.sent < end);
  const body = request.body as { readonly ignore_eos?: boolean } | undefined;
  if (!overlapped || body?.ignore_eos !== true) return request;
  return { ...request, body: { ...body, max_tokens: LONG } };
}

/** Reads an answer to its end; `onStart` when something of it is here. */
async function read(response: Response, onStart: () => void): Promise<Answer> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const part of response.body ?? []) {
    text += decoder.decode(part, { stream: true });
    onStart();
  }
  onStart();
  return { status: response.status, type: response.headers.get("content-type") ?? "", text };
}

const eventsOf = (text: string): string[] => text.split("\n\n").filter((event) => event !== "");

/** Both answers, of streams the same ends. */
function toPair({ response }: Step, ours: Answer): readonly [Answer, Answer] {
  const { head, tail } = response;
  if (tail === undefined) return [recordedAnswer({ response }), ours];
  const events = eventsOf(ours.text);
  const ends = [...(head === undefined ? [] : events.slice(0, head.length)), ...events.slice(-tail.length)];
  const theirs = [...(head ?? []), ...tail];
  const join = (list: readonly string[]): string => list.map((event) => `${event}\n\n`).join("");
  return [
    { status: response.status, type: response.type, text: join(theirs) },
    { ...ours, text: join(ends) },
  ];
}

const FINISH = /"finish_reason": ?"([a-z_]+)"/g;
const finishesOf = ({ text }: Answer): string => [...text.matchAll(FINISH)].map((match) => match[1]).join();

async function replay(url: string, scenario: Scenario): Promise<Found[]> {
  const steps = [...scenario.steps].sort((left, right) => left.sent - right.sent);
  const found: Found[] = [];
  const running: { readonly step: Step; readonly started: Promise<void>; readonly ended: Promise<void> }[] = [];
  for (const step of steps) {
    for (const other of running) await (other.step.end <= step.sent ? other.ended : other.started);
    const request = toRequest(step, steps, step.sent);
    const { promise: started, resolve: onStart } = Promise.withResolvers<void>();
    const isStream = (request.body as { readonly stream?: boolean } | undefined)?.stream === true;
    const ended = callAgain(url, request)
      .then((response) => read(response, onStart))
      .then((ours) => {
        const [left, right] = toPair(step, ours);
        const name = `${scenario.case} ${request.method} ${request.path}`;
        for (const one of compareAnswers(left, right, request === step.request && step.response.tail === undefined)) {
          found.push({ case: name, ...one });
        }
        const [theirs, own] = [finishesOf(left), finishesOf(right)];
        if (theirs !== own) found.push({ case: name, at: "finish_reason", theirs, ours: own });
      });
    // A pause that waits, or a request that waits for /resume, has nothing to show before its end.
    const runs = request !== step.request;
    if (runs && !isStream) await (await callAgain(url, MARK)).text();
    running.push({ step, ended, started: runs && isStream ? started : Promise.resolve() });
  }
  await Promise.all(running.map(({ ended }) => ended));
  return found;
}

describe("scenarios recorded from vLLM", () => {
  test("differ only where it is listed, and every listed difference is there", async () => {
    const started = await startHere({ model: recordingPath("tiny"), servedModelName: "tiny" });
    const found: Found[] = [];
    try {
      for (const scenario of readRecording<readonly Scenario[]>("scenarios.json")) {
        if (NOT_REPLAYED.some((pattern) => matches(pattern, scenario.case))) continue;
        found.push(...(await replay(started.url, scenario)));
      }
    } finally {
      await started.stop();
    }
    assert.deepEqual(compareWithList(found, LISTED.in_scenarios), { unlisted: [], gone: [] });
  });
});
