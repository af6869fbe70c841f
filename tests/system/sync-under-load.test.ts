/** 20 syncs back and forth under eight endless greedy streams: every answer is that of the very version it is stamped with. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Fleet } from "../../src/contract/control/fleet.ts";
import type { WeightSync, WeightVersionRecord } from "../../src/contract/control/weight-syncs.ts";
import { ask, json, modelPath, postJson, type Served, serve } from "./serve.ts";

const QUESTIONS = [
  "What is 17 + 25?",
  "What is 42 - 17?",
  "What is 3 + 88?",
  "What is 64 + 9?",
  "What is 90 - 45?",
  "What is 71 + 71?",
];
const SYNCS = 20;
const STREAMS = 8;

interface Streamed {
  readonly question: string;
  readonly text: string;
  readonly header: string;
  readonly digest: string;
  readonly last: number;
}

async function stream(url: string, question: string): Promise<Streamed> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      model: "tide-nano",
      messages: [{ role: "user", content: question }],
      temperature: 0,
      stream: true,
    }),
  });
  const body = await response.text();
  assert.equal(response.status, 200, body);
  const events = body.split("\n\n").filter((event) => event !== "");
  assert.equal(events.pop(), "data: [DONE]", body);
  const chunks = events.map((event) => JSON.parse(event.slice("data: ".length)));
  assert.ok(
    chunks.every((chunk) => chunk.error === undefined),
    body,
  );
  return {
    question,
    text: chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""),
    header: response.headers.get("x-weight-version") ?? "",
    digest: response.headers.get("x-weight-digest") ?? "",
    last: chunks.at(-1).weight_version,
  };
}

describe("weight syncs under load", () => {
  let served: Served;
  before(async () => {
    served = await serve(["--replicas", "2"]);
  });
  after(() => served?.stop());

  test("every answer equals the greedy answer of its stamped version; no request fails; one digest", async () => {
    const greedy = new Map<string, string>();
    for (const question of QUESTIONS) greedy.set(`base ${question}`, (await ask(served.url, question)).text);
    const digests = new Map<number, string>();
    const results: Streamed[] = [];
    let running = true;
    const streams = Array.from({ length: STREAMS }, async (_, index) => {
      for (let turn = index; running; turn += 1)
        results.push(await stream(served.url, QUESTIONS[turn % QUESTIONS.length] as string));
    });
    for (let version = 1; version <= SYNCS; version += 1) {
      const path = modelPath(version % 2 === 1 ? "trained" : "base");
      const { status, body } = await postJson<WeightSync>(
        `${served.url}/api/weight-syncs`,
        { source: { kind: "disk", path } },
        { prefer: "wait=60" },
      );
      assert.equal(status, 200, JSON.stringify(body));
      assert.equal(body.state, "completed");
      assert.equal(body.version, version);
      digests.set(version, body.digest ?? "");
      if (version === 1)
        for (const question of QUESTIONS) greedy.set(`trained ${question}`, (await ask(served.url, question)).text);
    }
    running = false;
    await Promise.all(streams);
    assert.equal(new Set(digests.values()).size, 2);
    const versions = new Set<number>();
    for (const { question, text, header, digest, last } of results) {
      const version = Number(header);
      versions.add(version);
      assert.equal(last, version);
      assert.equal(
        text,
        greedy.get(`${version % 2 === 1 ? "trained" : "base"} ${question}`),
        `version ${version}, ${question}`,
      );
      if (version > 0) assert.equal(digest, digests.get(version));
    }
    console.log(`${results.length} streams over ${versions.size} versions`);
    assert.ok(versions.size > SYNCS / 2, `streams saw ${versions.size} versions`);
    const { body: fleet } = await json<Fleet>(`${served.url}/api/fleet`);
    assert.equal(fleet.weight_version, SYNCS);
    assert.deepEqual(
      fleet.servers.map((server) => server.weight_digest),
      [fleet.weight_digest, fleet.weight_digest],
    );
    const { body: list } = await json<{ weight_versions: WeightVersionRecord[] }>(`${served.url}/api/weight-versions`);
    assert.equal(list.weight_versions.length, SYNCS + 1);
    assert.equal(list.weight_versions[0]?.version, SYNCS);
  });
});
