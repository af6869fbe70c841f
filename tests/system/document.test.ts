/** The document, the docs and the dashboard as `tidegate serve` gives them: modules load in another order there than in a test. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { json, repository, type Served, serve } from "./serve.ts";

describe("what a browser or a generator asks for first", () => {
  let served: Served;
  before(async () => {
    served = await serve();
  });
  after(() => served?.stop());

  test("/openapi.json is the committed document", async () => {
    const { status, body } = await json<unknown>(`${served.url}/openapi.json`);
    assert.equal(status, 200);
    assert.deepEqual(body, JSON.parse(await readFile(`${repository}openapi/openapi.json`, "utf8")));
  });

  for (const path of ["/docs", "/"]) {
    test(`${path} is a page that asks nobody else for anything`, async () => {
      const response = await fetch(served.url + path);
      const text = await response.text();
      assert.equal(response.status, 200, text);
      assert.match(response.headers.get("content-type") ?? "", /^text\/html/);
      assert.doesNotMatch(text, /(?:src|href)="https?:/);
    });
  }
});
