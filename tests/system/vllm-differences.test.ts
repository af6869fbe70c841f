/**
 * Every call that was recorded from a real vLLM 0.32, made again here, over an embedded replica with the very model of
 * the recording: the same status, the same JSON field by field, the same values where nothing is drawn at random.
 * Where we differ stands in tests/fixtures/vllm/differences.json with its reason; anything else fails, and so does an
 * entry that is no longer true.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startHere } from "../runtime/start.ts";
import { type Answer, compareAnswers, type Difference } from "../support/compare-answers.ts";

interface Recorded {
  readonly case: string;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: unknown;
    readonly raw?: string;
  };
  readonly response: { readonly status: number; readonly type: string; readonly body?: unknown; readonly raw?: string };
}

/** Differences with one reason: in the cases named (a `*` stands for anything), at the paths named and below them. */
interface Listed {
  readonly cases: readonly string[];
  readonly at: readonly string[];
  readonly reason: string;
}

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/vllm/${name}`, import.meta.url));
const read = <T>(name: string): T => JSON.parse(readFileSync(fixture(name), "utf8")) as T;

/** The folders of recordings, and what makes a server of ours like the one recorded. */
const SETS: readonly { readonly file: string; readonly prefix: string; readonly flags: Record<string, unknown> }[] = [
  { file: "recordings.json", prefix: "", flags: {} },
  // TRL's client against a server with the flags that TRL asks for.
  { file: "recordings-trl.json", prefix: "trl/", flags: { maxLogprobs: -1, logprobsMode: "processed_logprobs" } },
  { file: "recordings-plain.json", prefix: "plain/", flags: { apiKey: ["secret-key"] } },
];
const LISTED = read<{ readonly differences: readonly Listed[] }>("differences.json").differences;

const toPattern = (text: string): RegExp =>
  new RegExp(`^${text.replaceAll(/[.+?^$()|[\]\\{}]/g, "\\$&").replaceAll("*", ".*")}$`);
const matches = (pattern: string, text: string): boolean => toPattern(pattern).test(text);
const covers = (at: string, path: string): boolean =>
  matches(at, path) || toPattern(`${at}.*`).test(path) || toPattern(`${at}[]*`).test(path);

async function answerTo(url: string, { request }: Recorded): Promise<Answer> {
  const { body: given } = request;
  const body = request.raw ?? (given === undefined ? undefined : JSON.stringify(given));
  const response = await fetch(`${url}${request.path}`, {
    method: request.method,
    redirect: "manual",
    headers: { ...request.headers },
    ...(body === undefined || request.method === "GET" || request.method === "HEAD" ? {} : { body }),
  });
  return {
    status: response.status,
    type: response.headers.get("content-type") ?? "",
    text: await response.text(),
  };
}

function recordedAnswer({ response }: Recorded): Answer {
  const { status, type, raw, body } = response;
  return { status, type, text: raw ?? (typeof body === "string" ? body : JSON.stringify(body)) };
}

/** Is the answer no work of chance? */
function isExact({ request, response }: Recorded): boolean {
  const { temperature } = (request.body ?? {}) as { readonly temperature?: number };
  return temperature === undefined || temperature === 0 || response.status !== 200;
}

type Found = Difference & { readonly case: string };

/** Makes every call of one folder, in its order: some change the state that others see. */
async function compareSet({ file, prefix, flags }: (typeof SETS)[number], only = /./): Promise<Found[]> {
  const started = await startHere({ model: fixture("tiny"), servedModelName: "tiny", ...flags });
  try {
    const found: Found[] = [];
    for (const recorded of read<readonly Recorded[]>(file)) {
      if (!only.test(recorded.case)) continue;
      const ours = await answerTo(started.url, recorded);
      for (const difference of compareAnswers(recordedAnswer(recorded), ours, isExact(recorded))) {
        found.push({ case: `${prefix}${recorded.case}`, ...difference });
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
    const used = new Set<string>();
    const unlisted: Found[] = [];
    for (const set of SETS) {
      for (const difference of await compareSet(set)) {
        let listed = false;
        for (const [index, entry] of LISTED.entries()) {
          const inCase = entry.cases.find((name) => matches(name, difference.case));
          const at = entry.at.find((path) => covers(path, difference.at));
          if (inCase === undefined || at === undefined) continue;
          used.add(`${index} case ${inCase}`).add(`${index} at ${at}`);
          listed = true;
        }
        if (!listed) unlisted.push(difference);
      }
    }
    const gone = LISTED.flatMap(({ cases, at }, index) => [
      ...cases.filter((name) => !used.has(`${index} case ${name}`)).map((name) => `entry ${index}: case ${name}`),
      ...at.filter((path) => !used.has(`${index} at ${path}`)).map((path) => `entry ${index}: at ${path}`),
    ]);
    const lines = unlisted.map((one) => `${one.case}: ${one.at}: theirs ${one.theirs}, ours ${one.ours}`);
    assert.deepEqual({ unlisted: lines, gone }, { unlisted: [], gone: [] });
  });
});
