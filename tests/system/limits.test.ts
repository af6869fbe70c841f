/** Limits of an embedded replica as a stranger meets them: 429 with Retry-After, and a start that says what would fit. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { arrive, compareAlone, planLoad } from "../support/mixed-load.ts";
import { cli, json, postJson, serve } from "./serve.ts";

const complete = (url: string, tokens: number) =>
  postJson<{ error?: { message: string } }>(`${url}/v1/completions`, {
    ...{ prompt: "What is 17 + 25?", max_tokens: tokens, ignore_eos: true, temperature: 0 },
  });

describe("limits of an embedded replica", () => {
  for (const [flag, message] of [
    ["--max-queue", /at most 1 may wait/],
    ["--max-queued-tokens", /--max-queued-tokens/],
  ] as const) {
    test(`${flag}: what is too much is answered 429 with Retry-After, the rest is answered`, async () => {
      const served = await serve(["--max-concurrency", "1", flag, "1"]);
      try {
        const answers = await Promise.all(Array.from({ length: 12 }, () => complete(served.url, 300)));
        const refused = answers.filter(({ status }) => status === 429);
        assert.ok(refused.length >= 6, `${refused.length} of 12 refused`);
        for (const { headers, body } of refused) {
          assert.match(headers.get("retry-after") ?? "", /^[1-9]\d*$/);
          assert.match(body.error?.message ?? "", message);
        }
        assert.deepEqual([...new Set(answers.map(({ status }) => status))].sort(), [200, 429]);
        assert.equal((await complete(served.url, 2)).status, 200);
      } finally {
        await served.stop();
      }
    });
  }

  test("a cache that cannot hold one sequence: exit 3, the numbers, and the length that would fit", async () => {
    const { code, output } = await cli(["serve", "--port", "0", "--memory-budget", "135MiB"]);
    assert.equal(code, 3, output);
    assert.match(output, /does not fit: weights .* MiB.*What would fit: /);
  });

  test("a cache that holds one sequence and a bit: everybody waits his turn, and answers stay the same", async () => {
    // 128 MiB are the process's, about 7 the weights' and buffers'.
    const served = await serve(["--memory-budget", "143MiB", "--max-concurrency", "16", "--log-level", "info"]);
    try {
      const [server] = (await json<{ servers: { details: Record<string, number> }[] }>(`${served.url}/api/fleet`)).body
        .servers;
      const { kv_cache_tokens: tokens } = server!.details;
      assert.ok(tokens! >= 1024 && tokens! < 4 * 1024, `${tokens} tokens`);
      assert.match(served.output(), /KV cache: \d+ tokens, [123] sequences of 1024 at a time/);
      const load = { seed: 3, requests: 14, meanGap: 1, maxTokens: 500, maxPrompt: 300, leaving: 0 };
      const plans = planLoad(load).map((plan) => ({ ...plan, body: { ...plan.body, ignore_eos: true } }));
      const answers = await arrive(served.url, plans);
      const metrics = await (await fetch(`${served.url}/metrics`)).text();
      const preempted = Number(/tidegate_preemptions_total\{replica="embedded-0"\} (\d+)/.exec(metrics)?.[1]);
      assert.ok(preempted > 0, `${preempted} sequences were sent back`);
      assert.deepEqual((await compareAlone(served.url, plans, answers)).differences, []);
    } finally {
      await served.stop();
    }
  });
});
