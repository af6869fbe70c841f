/**
 * A mixed load through the whole gateway: every answer is that of the request alone, and nothing is left behind. Many of them
 * at a time (`npm run interop -- mixed`: a thousand) also show that memory stays where it is.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import type { Fleet } from "../../src/contract/control/fleet.ts";
import { arrive, compareAlone, planLoad, whatIsLeft } from "../support/mixed-load.ts";
import { json, postJson, type Served, serve } from "./serve.ts";

/** Another load: `TIDEGATE_MIXED_SEED=7`; more of it: `TIDEGATE_MIXED=1000`. */
const seed = Number(process.env.TIDEGATE_MIXED_SEED ?? 20_261_123);
const requests = Number(process.env.TIDEGATE_MIXED ?? 200);

/** Fewer requests are over before memory has found its level. */
const MEMORY_FROM = 1000;
/** Loads before the one that counts: code is compiled, caches fill. */
const WARM_UPS = 3;
/** By which it may have grown two loads later. */
const MEMORY_TOLERANCE = 0.05;

const planOf = (loadSeed: number) =>
  planLoad({ seed: loadSeed, requests, meanGap: 6, maxTokens: 24, maxPrompt: 160, leaving: 0.15 });
const median = (list: readonly number[]): number => list.toSorted((x, y) => x - y)[list.length >> 1] ?? Number.NaN;

/** Runs `work` and gives the median RSS in MiB of each process meanwhile. */
async function watchMemory(pids: readonly number[], work: () => Promise<unknown>): Promise<number[]> {
  const samples: number[][] = pids.map(() => []);
  const look = (): void => {
    for (const [at, pid] of pids.entries()) {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      samples[at]?.push(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
    }
  };
  const timer = setInterval(look, 200);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return samples.map(median);
}

/** The sum of a metric over its labels. */
async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "gm"))].reduce(
    (sum, [, value]) => sum + Number(value),
    0,
  );
}

/** Prompt tokens that were found in the prefix cache, and those looked for; waits for the heartbeat that brings them. */
async function prefixTokens(url: string, least: number): Promise<{ readonly hits: number; readonly queries: number }> {
  for (let tries = 0; ; tries += 1) {
    const hits = await metric(url, "tidegate_prefix_cache_hits_tokens_total");
    const queries = await metric(url, "tidegate_prefix_cache_queries_tokens_total");
    if (hits >= least || tries === 50) return { hits, queries };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

describe("a mixed load over HTTP", () => {
  let served: Served;
  before(async () => {
    served = await serve(["--max-concurrency", "8"]);
  });
  after(() => served?.stop());

  test("greedy and seeded answers are those of the request alone; no slot, no request is left", async () => {
    console.log(`seed ${seed}, ${requests} requests`);
    const plans = planOf(seed);
    const answers = await arrive(served.url, plans);
    assert.deepEqual(await whatIsLeft(served.url), { in_flight: 0, running: 0, waiting: 0 });
    // Those who left early have no usage.
    const told = answers.reduce((sum, answer) => sum + answer.cachedTokens, 0);
    const { hits, queries } = await prefixTokens(served.url, told);
    await postJson(`${served.url}/reset_prefix_cache`, {});
    const { compared, left, cachedTokens, differences } = await compareAlone(served.url, plans, answers);
    console.log(
      `${compared} compared, ${left} left early, ${cachedTokens} tokens from the prefix cache (metrics: ${hits} of ${queries})`,
    );
    assert.deepEqual(differences, []);
    assert.ok(compared > 0.75 * requests && left > 0.05 * requests, `${compared} compared, ${left} left early`);
    assert.ok(cachedTokens > 5 * requests, `prefixes were reused: ${cachedTokens} tokens`);
    assert.ok(
      hits >= cachedTokens && hits < queries,
      `${cachedTokens} in the usages, ${hits} of ${queries} in the metrics`,
    );
  });

  test("memory does not grow", async (context) => {
    if (requests < MEMORY_FROM || !existsSync("/proc/self/status")) {
      context.skip(`needs TIDEGATE_MIXED=${MEMORY_FROM} and /proc`);
      return;
    }
    const { body } = await json<Fleet>(`${served.url}/api/fleet`);
    const pids = [served.pid, Number(body.servers[0]?.details.pid)];
    const levels: number[][] = [];
    for (let load = 1; load <= WARM_UPS + 2; load += 1) {
      levels.push(await watchMemory(pids, () => arrive(served.url, planOf(seed + load))));
      console.log(
        `load ${load}: gateway ${levels.at(-1)?.[0]?.toFixed(1)} MiB, worker ${levels.at(-1)?.[1]?.toFixed(1)} MiB`,
      );
    }
    for (const [at, name] of ["gateway", "worker"].entries()) {
      const before = levels[WARM_UPS - 1]![at]!;
      const now = levels.at(-1)![at]!;
      assert.ok(now <= before * (1 + MEMORY_TOLERANCE), `${name}: ${before} MiB before, ${now} MiB after`);
    }
    assert.deepEqual(await whatIsLeft(served.url), { in_flight: 0, running: 0, waiting: 0 });
  });
});
