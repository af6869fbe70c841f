/** `--hedge-after`: a slow plain call is asked of a second replica too; the first answer counts, the loser is ended. */
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { type Rig, startRig } from "../support/trainer-rig.ts";

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.end();
  rig = undefined;
});

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
};
const counted = async (outcome: string): Promise<number> => {
  const text = await (await rig!.request("/metrics")).text();
  return Number(new RegExp(`tidegate_hedged_requests_total\\{outcome="${outcome}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
};
const generations = (): number[] => rig!.fakes.map((fake) => fake.seen("/v1/completions").length);
const ask = (body: object, headers: Record<string, string> = {}): Promise<Response> =>
  rig!.request("/v1/completions", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ model: "tiny", prompt: "The gateway", max_tokens: 8, temperature: 0, ...body }),
  });
const hang = { paths: ["/v1/completions"], hang: true, count: 1 };

describe("hedging", () => {
  test("the second replica answers, and the hung one is let go", async () => {
    rig = await startRig([{}, {}], { hedgeAfter: 0.2 });
    rig.fakes[0]!.state.setFaults(hang);
    // The one that hangs gets one of the two; ties go round.
    const answers = [await ask({}), await ask({})];
    for (const answer of answers) assert.equal(answer.status, 200);
    assert.ok(answers.some((answer) => answer.headers.get("x-served-by") === "vllm-1"));
    assert.ok((await counted("started")) >= 1);
    assert.ok((await counted("won")) >= 1);
    await until(() => rig!.fakes[0]!.state.disconnects === 1);
    const servers = (await rig.get("/api/fleet")).servers as unknown as { in_flight: number }[];
    assert.deepEqual(
      servers.map(({ in_flight }) => in_flight),
      [0, 0],
    );
  });

  test("an answer of the first one in time counts, and ends the second", async () => {
    rig = await startRig([{ tokenDelayMs: 15 }, { tokenDelayMs: 400 }], { hedgeAfter: 0.03 });
    let first = await ask({});
    if (first.headers.get("x-served-by") !== "vllm-0" || (await counted("lost")) === 0) first = await ask({});
    assert.equal(first.status, 200);
    assert.equal(first.headers.get("x-served-by"), "vllm-0");
    await until(() => rig!.fakes[1]!.state.running.size === 0);
  });

  test("both fail: the first failure is told", async () => {
    rig = await startRig([{}, {}], { hedgeAfter: 0.02 });
    for (const fake of rig.fakes) fake.state.setFaults({ paths: ["/v1/completions"], delayHeadMs: 80, status: 500 });
    assert.equal((await ask({})).status, 500);
    assert.equal(await counted("started"), 1);
  });

  test("never by default, for streams, for sessions, or where nobody else has the weights", async () => {
    rig = await startRig([{ tokenDelayMs: 10 }, { tokenDelayMs: 10 }], {});
    await (await ask({})).text();
    assert.equal(
      generations().reduce((sum, one) => sum + one, 0),
      1,
    );
    await rig.end();
    rig = await startRig([{ tokenDelayMs: 10 }, { tokenDelayMs: 10 }], { hedgeAfter: 0.02 });
    await (await ask({ stream: true })).text();
    await (await ask({}, { "x-session-id": "a" })).text();
    assert.equal(
      generations().reduce((sum, one) => sum + one, 0),
      2,
    );
    await rig.end();
    rig = await startRig([{ tokenDelayMs: 10 }], { hedgeAfter: 0.02 });
    assert.equal((await ask({})).status, 200);
    assert.equal(await counted("started"), 0);
  });

  test("a client that leaves ends both", async () => {
    rig = await startRig([{ tokenDelayMs: 500 }, { tokenDelayMs: 500 }], { hedgeAfter: 0.02 });
    const leave = new AbortController();
    const call = rig.request("/v1/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "tiny", prompt: "x", max_tokens: 8 }),
      signal: leave.signal,
    });
    call.catch(() => undefined);
    await until(() => rig!.fakes.every(({ state }) => state.running.size === 1));
    leave.abort();
    await until(() => rig!.fakes.every(({ state }) => state.running.size === 0));
    await call.catch(() => undefined);
  });
});
