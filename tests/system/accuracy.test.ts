/** The promise of the README: wrong answers, one sync, right answers. 500 held-out questions through the chat route. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { ask, cli, inParallel, modelPath, repository, type Served, serve } from "./serve.ts";

interface Question {
  readonly question: string;
  readonly answer: number;
}

describe("accuracy through the gateway", () => {
  let served: Served;
  let questions: Question[];
  before(async () => {
    questions = JSON.parse(await readFile(`${repository}models/train/heldout.json`, "utf8")) as Question[];
    served = await serve();
  });
  after(() => served?.stop());

  const accuracy = async (version: string): Promise<number> => {
    const right = await inParallel(questions, 16, async ({ question, answer }) => {
      const got = await ask(served.url, question);
      assert.equal(got.version, version);
      return Number(got.text.match(/\d+/g)?.at(-1)) === answer;
    });
    return right.filter(Boolean).length / questions.length;
  };

  test("there are 500 questions", () => {
    assert.equal(questions.length, 500);
    assert.equal(new Set(questions.map(({ question }) => question)).size, 500);
  });

  test("base is right on 10 to 40 %", async () => {
    const share = await accuracy("0");
    console.log(`base: ${(share * 100).toFixed(1)} %`);
    assert.ok(share >= 0.1 && share <= 0.4, `base is right on ${share}`);
  });

  test("after `tidegate sync` trained is right on 95 % or more, without a restart", async () => {
    const { code, output } = await cli(["sync", modelPath("trained"), "--url", served.url]);
    assert.equal(code, 0, output);
    assert.match(output, /sha256:[0-9a-f]{64}/);
    const share = await accuracy("1");
    console.log(`trained: ${(share * 100).toFixed(1)} %`);
    assert.ok(share >= 0.95, `trained is right on ${share}`);
  });
});
