/** `cache_salt` on every route that reads prompts, and what the metrics say of the prefix cache. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Started, startHere } from "../runtime/start.ts";

const MODEL = fileURLToPath(new URL("../fixtures/vllm/tiny", import.meta.url));
/** More than a block of the cache. */
const ids = (first: number): number[] => Array.from({ length: 33 }, (_, at) => 10 + ((first + at * 7) % 400));
const LONG = "The gateway and the trainer and the gateway and the trainer and the gateway and the trainer";

describe("cache_salt", () => {
  let started: Started;
  before(async () => {
    started = await startHere({ model: MODEL, servedModelName: "tiny" });
  });
  after(() => started.stop());

  async function ask(path: string, body: Record<string, unknown>): Promise<Record<string, unknown>> {
    const response = await fetch(`${started.url}${path}`, { method: "POST", body: JSON.stringify(body) });
    assert.equal(response.status, 200, await response.clone().text());
    return (await response.json()) as Record<string, unknown>;
  }

  /** Prompt tokens looked up, and found, so far. */
  async function counted(): Promise<{ queries: number; hits: number }> {
    const text = await (await fetch(`${started.url}/metrics`)).text();
    const read = (name: string): number =>
      Number(new RegExp(`^tidegate_prefix_cache_${name}_tokens_total\\{[^}]*\\} (\\d+)$`, "m").exec(text)?.[1]);
    return { queries: read("queries"), hits: read("hits") };
  }

  const ROUTES: readonly (readonly [path: string, make: (salt: Record<string, unknown>) => Record<string, unknown>])[] =
    [
      ["/v1/completions", (salt) => ({ prompt: ids(1), max_tokens: 1, ...salt })],
      ["/v1/chat/completions", (salt) => ({ messages: [{ role: "user", content: LONG }], max_tokens: 1, ...salt })],
      ["/v1/responses", (salt) => ({ input: `responses ${LONG}`, max_output_tokens: 1, ...salt })],
      ["/v1/embeddings", (salt) => ({ input: ids(2), ...salt })],
      ["/generate/", (salt) => ({ prompts: [ids(3)], max_tokens: 1, generation_kwargs: salt })],
    ];

  for (const [index, [path, make]] of ROUTES.entries()) {
    test(`${path}: nobody finds what was asked under another salt`, async () => {
      const hitsOf = async (salt: Record<string, unknown>): Promise<number> => {
        const { hits, queries } = await counted();
        await ask(path, make(salt));
        const after = await counted();
        assert.ok(after.queries > queries);
        return after.hits - hits;
      };
      assert.equal(await hitsOf({ cache_salt: `a of ${index}` }), 0);
      const found = await hitsOf({ cache_salt: `a of ${index}` });
      assert.ok(found >= 16, `${found} tokens found`);
      assert.equal(await hitsOf({ cache_salt: `b of ${index}` }), 0);
      assert.equal(await hitsOf({}), 0);
      assert.equal(await hitsOf({}), found);
    });
  }

  test("usage says so too", async () => {
    const body = { prompt: ids(9), max_tokens: 1, cache_salt: "usage" };
    await ask("/v1/completions", body);
    const { usage } = (await ask("/v1/completions", body)) as {
      usage: { prompt_tokens_details: { cached_tokens: number } };
    };
    assert.equal(usage.prompt_tokens_details.cached_tokens, 32);
  });

  test("an empty salt is refused", async () => {
    const response = await fetch(`${started.url}/v1/completions`, {
      method: "POST",
      body: JSON.stringify({ prompt: "a", cache_salt: "" }),
    });
    assert.equal(response.status, 400);
    assert.match(await response.text(), /cache_salt/);
  });
});
