/**
 * Every call that was recorded from a real vLLM 0.32, made again here, over an embedded replica with the very model of
 * the recording: the same status, the same JSON field by field, the same values where nothing is drawn at random.
 * Where we differ stands in tests/fixtures/vllm/differences.json with its reason; anything else fails, and so does an
 * entry that is no longer true. Calls that depend on each other are in vllm-scenarios.test.ts.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startHere } from "../runtime/start.ts";
import { compareAnswers } from "../support/compare-answers.ts";
import {
  callAgain,
  compareWithList,
  type Found,
  type ListedDifferences,
  matches,
  type Recorded,
  readRecording,
  recordedAnswer,
  recordingPath,
  toAnswer,
} from "../support/recordings.ts";

/** The folders of recordings, and what makes a server of ours like the one recorded. */
const SETS: readonly { readonly file: string; readonly prefix: string; readonly flags: Record<string, unknown> }[] = [
  { file: "recordings.json", prefix: "", flags: {} },
  // TRL's client against a server with the flags that TRL asks for.
  { file: "recordings-trl.json", prefix: "trl/", flags: { maxLogprobs: -1, logprobsMode: "processed_logprobs" } },
  { file: "recordings-plain.json", prefix: "plain/", flags: { apiKey: ["secret-key"] } },
  { file: "recordings-rl.json", prefix: "rl/", flags: {} },
  { file: "recordings-lora.json", prefix: "lora/", flags: {} },
  { file: "recordings-scaleout.json", prefix: "scaleout/", flags: {} },
  // What record.py did not ask: wrong types, bounds, combinations.
  {
    file: "recordings-more.json",
    prefix: "more/",
    flags: { enableAutoToolChoice: true, toolCallParser: "hermes", logprobsMode: "raw_logprobs" },
  },
];
const LISTED = readRecording<ListedDifferences>("differences.json");
const NOT_REPLAYED = LISTED.not_replayed.flatMap(({ cases }) => cases);
const isReplayed = (name: string): boolean => !NOT_REPLAYED.some((pattern) => matches(pattern, name));

/** Is the answer no work of chance? */
function isExact({ request, response }: Recorded): boolean {
  const { temperature } = (request.body ?? {}) as { readonly temperature?: number };
  return temperature === undefined || temperature === 0 || response.status !== 200;
}

/** Makes every call of one folder, in its order: some change the state that others see. */
async function compareSet({ file, prefix, flags }: (typeof SETS)[number], only = /./): Promise<Found[]> {
  const started = await startHere({ model: recordingPath("tiny"), servedModelName: "tiny", ...flags });
  try {
    const found: Found[] = [];
    for (const recorded of readRecording<readonly Recorded[]>(file)) {
      const name = `${prefix}${recorded.case}`;
      if (!only.test(name) || !isReplayed(name)) continue;
      const ours = await toAnswer(await callAgain(started.url, recorded.request));
      for (const difference of compareAnswers(recordedAnswer(recorded), ours, isExact(recorded))) {
        found.push({ case: name, ...difference });
      }
    }
    return found;
  } finally {
    await started.stop();
  }
}

describe("calls recorded from vLLM", () => {
  test("give the very log probabilities with --logprobs-mode raw_logprobs", async () => {
    const set = { file: "recordings.json", prefix: "", flags: { logprobsMode: "raw_logprobs" } };
    const found = await compareSet(set, /logprobs|padded-vocab-id/);
    const values = found.filter(({ at }) => /logprob/.test(at) && !/bytes/.test(at));
    assert.deepEqual(values, []);
    assert.notEqual(found.length, 0);
  });

  test("differ only where it is listed, and every listed difference is there", async () => {
    const found: Found[] = [];
    for (const set of SETS) found.push(...(await compareSet(set)));
    assert.deepEqual(compareWithList(found, LISTED.differences), { unlisted: [], gone: [] });
  });

  test("are all made again, or the list says why not", () => {
    const replayed = SETS.flatMap(({ file, prefix }) =>
      readRecording<readonly Recorded[]>(file).map((recorded) => `${prefix === "" ? "dev/" : prefix}${recorded.case}`),
    );
    const scenarios = readRecording<readonly { readonly case: string }[]>("scenarios.json").map((one) => one.case);
    const made = new Set([...replayed, ...scenarios].filter(isReplayed));
    const recorded = readRecording<readonly string[]>("recorded.json");
    const neither = recorded.filter((name) => !made.has(name) && isReplayed(name));
    const unused = NOT_REPLAYED.filter((pattern) => !recorded.some((name) => matches(pattern, name)));
    assert.deepEqual({ neither, unused }, { neither: [], unused: [] });
  });
});
