/** A batch over three replicas, through the whole gateway: in order, each once, one version, whoever dies meanwhile. */
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { createApp } from "../../src/app.ts";
import { parseConfig } from "../../src/config.ts";
import { createGateway, type Gateway } from "../../src/gateway.ts";
import { currentPorts } from "../../src/platform/current-ports.ts";
import { startFakeTrl } from "../fakes/trl-vllm-serve.ts";
import { type FakeVllm, startFakeVllm } from "../fakes/vllm-server.ts";

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
};

async function front(urls: readonly string[]): Promise<{
  gateway: Gateway;
  ask(path: string, body: unknown, init?: RequestInit): Promise<Response>;
}> {
  const config = parseConfig({ upstream: urls, logLevel: "error", drainTimeout: 0.1, probeInterval: 0.2 });
  const gateway = createGateway(config, { ...(await currentPorts()), writeLine: () => {} });
  await gateway.start(AbortSignal.timeout(20_000));
  stops.push(() => gateway.stop());
  await until(() => gateway.fleet.snapshot().state === "ready");
  const app = createApp(gateway);
  return {
    gateway,
    ask: async (path, body, init = {}) =>
      await app.fetch(
        new Request(`http://gateway.test${path}`, {
          method: "POST",
          body: JSON.stringify(body),
          ...init,
          headers: { "content-type": "application/json", ...(init.headers as Record<string, string>) },
        }),
      ),
  };
}

async function fakes(count: number, options: Parameters<typeof startFakeVllm>[0] = {}): Promise<FakeVllm[]> {
  const all = await Promise.all(
    Array.from({ length: count }, (_, index) => startFakeVllm({ name: `v${index}`, ...options })),
  );
  stops.push(() => Promise.all(all.map((fake) => fake.stop())));
  return all;
}

const PROMPTS = Array.from({ length: 257 }, (_, index) => `prompt ${index} of many`);
const toIds = (text: string): number[] => [...new TextEncoder().encode(text)];
const COMPLETION = { model: "tiny", prompt: PROMPTS, temperature: 0, max_tokens: 6, return_token_ids: true };

interface Completion {
  choices: { index: number; text: string; token_ids: number[]; prompt_token_ids: number[] }[];
  usage: { prompt_tokens: number; completion_tokens: number };
}

/** What one server alone answers, prompt by prompt. */
async function alone(fake: FakeVllm): Promise<Completion> {
  const response = await fetch(`${fake.url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(COMPLETION),
  });
  return (await response.json()) as Completion;
}

const sizes = (fake: FakeVllm): number[] =>
  fake
    .seen("/v1/completions")
    .map(({ body }) => (JSON.parse(new TextDecoder().decode(body)) as { prompt: unknown[] }).prompt.length);

describe("POST /v1/completions with 257 prompts over three servers", { timeout: 60_000 }, () => {
  test("is what one server answers, shared out in contiguous slices", async () => {
    const [first, ...others] = await fakes(3);
    assert.ok(first !== undefined);
    const expected = await alone(first);
    const { ask } = await front([first, ...others].map(({ url }) => url));
    const response = await ask("/v1/completions", COMPLETION);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("x-weight-version"), "0");
    assert.deepEqual(response.headers.get("x-served-by")?.split(",").sort(), ["vllm-0", "vllm-1", "vllm-2"]);
    const answer = (await response.json()) as Completion;
    assert.deepEqual(answer.choices, expected.choices);
    assert.deepEqual(answer.usage, expected.usage);
    assert.deepEqual([sizes(first).slice(1), ...others.map(sizes)].flat().sort(), [85, 86, 86]);
  });

  test("one dies in the middle: its slice moves, nothing is missing and nothing is there twice", async () => {
    const [first, second, third] = await fakes(3, { tokenDelayMs: 30 });
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    const { ask, gateway } = await front([first, second, third].map(({ url }) => url));
    const asked = ask("/v1/completions", COMPLETION);
    await until(() => second.state.running.size > 0);
    await second.stop();
    const response = await asked;
    assert.equal(response.status, 200);
    const answer = (await response.json()) as Completion;
    const expected = await alone(first);
    assert.deepEqual(answer.choices, expected.choices);
    assert.equal(response.headers.get("x-weight-version"), "0");
    assert.ok(response.headers.get("x-served-by")?.includes("vllm-1") === false);
    assert.deepEqual(
      gateway.fleet.snapshot().servers.map(({ in_flight }) => in_flight),
      [0, 0, 0],
    );
  });

  for (const [what, faults] of [
    ["a 500", { status: 500, count: 1 }],
    ["a body that is cut", { dropAfterChunks: 1, count: 1 }],
    ["a closed connection", { drop: true, count: 1 }],
    ["the death of the engine", { engineDead: true }],
  ] as const) {
    test(`${what} moves the slice`, async () => {
      const [first, second, third] = await fakes(3);
      assert.ok(first !== undefined && second !== undefined && third !== undefined);
      const expected = await alone(first);
      const { ask } = await front([first, second, third].map(({ url }) => url));
      second.state.setFaults(faults);
      const response = await ask("/v1/completions", COMPLETION);
      assert.equal(response.status, 200);
      assert.deepEqual(((await response.json()) as Completion).choices, expected.choices);
    });
  }

  test("n samples of a prompt come from one server; a refusal names the slice and its server", async () => {
    const all = await fakes(3);
    const { ask } = await front(all.map(({ url }) => url));
    const sampled = (await (
      await ask("/v1/completions", { ...COMPLETION, temperature: 1, n: 3, prompt: PROMPTS.slice(0, 7).map(toIds) })
    ).json()) as Completion;
    assert.deepEqual(
      sampled.choices.map(({ prompt_token_ids }) => prompt_token_ids),
      PROMPTS.slice(0, 7).flatMap((text) => [toIds(text), toIds(text), toIds(text)]),
    );
    assert.deepEqual(all.flatMap(sizes).sort(), [2, 2, 3]);
    // The sixth is longer than the model's context: only its server refuses.
    const long = PROMPTS.slice(0, 6).map((text, index) => (index === 5 ? text.repeat(200) : text));
    const refused = await ask("/v1/completions", { ...COMPLETION, prompt: long });
    assert.equal(refused.status, 400);
    const { error } = (await refused.json()) as { error: { message: string; type: string } };
    assert.match(error.message, /maximum context length.*\(prompts 5 to 6 of 6, on vllm-\d\)/);
  });

  test("every server refuses: the last words name slice and server, and nothing is held afterwards", async () => {
    const all = await fakes(3);
    const { ask, gateway } = await front(all.map(({ url }) => url));
    for (const fake of all) fake.state.setFaults({ status: 500 });
    const failed = await ask("/v1/completions", COMPLETION);
    assert.equal(failed.status, 502);
    const { error } = (await failed.json()) as { error: { message: string } };
    assert.match(error.message, /answered 500.*\(prompts \d+ to \d+ of 257, on vllm-\d\)/);
    assert.ok(gateway.fleet.snapshot().servers.every(({ in_flight }) => in_flight === 0));
  });

  test("a client that leaves ends all slices", async () => {
    const all = await fakes(3, { tokenDelayMs: 200 });
    const { ask, gateway } = await front(all.map(({ url }) => url));
    const client = new AbortController();
    const asked = ask("/v1/completions", { ...COMPLETION, max_tokens: 500 }, { signal: client.signal });
    asked.catch(() => undefined);
    await until(() => all.every(({ state }) => state.running.size > 0));
    client.abort();
    await until(() => all.every(({ state }) => state.running.size === 0 && state.disconnects > 0));
    await until(() => gateway.fleet.snapshot().servers.every(({ in_flight }) => in_flight === 0));
  });

  test("a stream, a session and one prompt go to one server, untouched", async () => {
    const all = await fakes(3);
    const { ask } = await front(all.map(({ url }) => url));
    await (await ask("/v1/completions", { ...COMPLETION, stream: true })).text();
    await ask("/v1/completions", COMPLETION, { headers: { "x-session-id": "a" } });
    await ask("/v1/completions", { ...COMPLETION, prompt: ["alone"] });
    assert.deepEqual(
      all.flatMap(sizes).sort((a, b) => a - b),
      [1, 257, 257],
    );
  });
});

describe("TRL's dialect with 257 prompts", { timeout: 60_000 }, () => {
  interface Generated {
    prompt_ids: number[][];
    completion_ids: number[][];
    logprobs: unknown[][];
  }

  test("over native servers: prompt-major, exact counts, also when one dies", async () => {
    const [first, second, third] = await fakes(3, { tokenDelayMs: 20 });
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    const { ask } = await front([first, second, third].map(({ url }) => url));
    const asked = ask("/generate/", { prompts: PROMPTS, n: 2, max_tokens: 4 });
    await until(() => third.state.running.size > 0);
    await third.stop();
    const response = await asked;
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("x-weight-version"), "0");
    const answer = (await response.json()) as Generated;
    assert.deepEqual(answer.prompt_ids, PROMPTS.map(toIds));
    assert.equal(answer.completion_ids.length, 514);
    assert.ok(answer.completion_ids.every(({ length }) => length === 4));
    assert.equal(answer.logprobs.length, 514);
  });

  test("conversations too", async () => {
    const all = await fakes(3);
    const { ask } = await front(all.map(({ url }) => url));
    const messages = PROMPTS.slice(0, 10).map((content) => [{ role: "user", content }]);
    const response = await ask("/chat/", { messages, n: 1, max_tokens: 2 });
    const { prompt_ids } = (await response.json()) as Generated;
    assert.equal(prompt_ids.length, 10);
    for (const [index, ids] of prompt_ids.entries()) {
      assert.ok(new TextDecoder().decode(Uint8Array.from(ids)).includes(`prompt ${index} of many`));
    }
    assert.deepEqual(all.flatMap(sizes).sort(), [3, 3, 4]);
  });

  test("over servers of TRL's own, whose answers are joined as they are", async () => {
    const all = await Promise.all([startFakeTrl(), startFakeTrl(), startFakeTrl()]);
    stops.push(() => Promise.all(all.map((fake) => fake.stop())));
    const { ask } = await front(all.map(({ url }) => url));
    const response = await ask("/generate/", {
      prompts: PROMPTS,
      images: PROMPTS.map(() => null),
      n: 2,
      max_tokens: 3,
    });
    assert.equal(response.status, 200);
    const answer = (await response.json()) as Generated;
    assert.deepEqual(answer.prompt_ids, PROMPTS.map(toIds));
    assert.equal(answer.completion_ids.length, 514);
    const bodies = all.flatMap(({ seen }) =>
      seen
        .filter(({ call }) => call === "POST /generate/")
        .map(({ body }) => JSON.parse(body) as { prompts: string[]; images: null[] }),
    );
    assert.deepEqual(bodies.map(({ prompts }) => prompts.length).sort(), [85, 86, 86]);
    assert.ok(bodies.every(({ prompts, images }) => prompts.length === images.length));
  });
});
