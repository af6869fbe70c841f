/**
 * Every call that was recorded from a real vLLM 0.32, made again here, over an embedded replica with the very model of
 * the recording: the same status, the same JSON field by field, the same values where nothing is drawn at random.
 * Where we differ stands in tests/fixtures/vllm/differences.json with its reason; anything else fails, and so does an
 * entry that is no longer true.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startHere } from "../runtime/start.ts";
import { compareAnswers, type Difference } from "../support/compare-answers.ts";

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

const RECORDED = read<readonly Recorded[]>("recordings.json");
const LISTED = read<{ readonly differences: readonly Listed[] }>("differences.json").differences;

const toPattern = (text: string): RegExp =>
  new RegExp(`^${text.replaceAll(/[.+?^$()|[\]\\{}]/g, "\\$&").replaceAll("*", ".*")}$`);
const matches = (pattern: string, text: string): boolean => toPattern(pattern).test(text);
const covers = (at: string, path: string): boolean =>
  matches(at, path) || toPattern(`${at}.*`).test(path) || toPattern(`${at}[]*`).test(path);

describe("calls recorded from vLLM", () => {
  let url: string;
  let stop: () => Promise<void>;
  before(async () => {
    const started = await startHere({ model: fixture("tiny"), servedModelName: "tiny" });
    ({ url } = started);
    stop = () => started.stop();
  });
  after(() => stop());

  async function answerTo({ request }: Recorded) {
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

  test("differ only where it is listed, and every listed difference is there", async () => {
    const used = new Set<string>();
    const unlisted: (Difference & { case: string })[] = [];
    for (const recorded of RECORDED) {
      const { response } = recorded;
      const theirs = {
        status: response.status,
        type: response.type,
        text: response.raw ?? (typeof response.body === "string" ? response.body : JSON.stringify(response.body)),
      };
      const asked = (recorded.request.body ?? {}) as { readonly temperature?: number };
      const exact = asked.temperature === undefined || asked.temperature === 0 || response.status !== 200;
      for (const difference of compareAnswers(theirs, await answerTo(recorded), exact)) {
        let listed = false;
        for (const [index, entry] of LISTED.entries()) {
          const inCase = entry.cases.find((name) => matches(name, recorded.case));
          const at = entry.at.find((path) => covers(path, difference.at));
          if (inCase === undefined || at === undefined) continue;
          used.add(`${index} case ${inCase}`).add(`${index} at ${at}`);
          listed = true;
        }
        if (!listed) unlisted.push({ case: recorded.case, ...difference });
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
