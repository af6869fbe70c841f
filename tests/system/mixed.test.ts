/** A mixed load through the whole gateway: every answer is that of the request alone, and nothing is left behind. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { arrive, compareAlone, planLoad, whatIsLeft } from "../support/mixed-load.ts";
import { postJson, type Served, serve } from "./serve.ts";

/** Another load: `TIDEGATE_MIXED_SEED=7`; the thousand of them: `npm run interop -- mixed`. */
const seed = Number(process.env.TIDEGATE_MIXED_SEED ?? 20_261_123);

describe("a mixed load over HTTP", () => {
  let served: Served;
  before(async () => {
    served = await serve(["--max-concurrency", "8"]);
  });
  after(() => served?.stop());

  test("greedy and seeded answers are those of the request alone; no slot, no request is left", async () => {
    console.log(`seed ${seed}`);
    const plans = planLoad({ seed, requests: 200, meanGap: 6, maxTokens: 24, maxPrompt: 160, leaving: 0.15 });
    const answers = await arrive(served.url, plans);
    assert.deepEqual(await whatIsLeft(served.url), { in_flight: 0, running: 0, waiting: 0 });
    await postJson(`${served.url}/reset_prefix_cache`, {});
    const { compared, left, cachedTokens, differences } = await compareAlone(served.url, plans, answers);
    assert.deepEqual(differences, []);
    assert.ok(compared > 150 && left > 10, `${compared} compared, ${left} left early`);
    assert.ok(cachedTokens > 1000, `prefixes were reused: ${cachedTokens} tokens`);
  });
});
