/** A generation that goes on across a switch with mode `keep` says both versions, on plain forwarded calls too. */
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { currentPorts } from "../../src/platform/current-ports.ts";
import { type Rig, startRig } from "../support/trainer-rig.ts";

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.end();
  rig = undefined;
});

const ask = (path: string, body: object): Promise<Response> =>
  rig!.request(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "tiny", max_tokens: 100, temperature: 0, ...body }),
  });

/** Starts calls, switches under them, and gives their answers. `heads`: when the first bytes of all are here. */
async function across(calls: () => Promise<Response>[], heads = false): Promise<Response[]> {
  const { trainer } = await rig!.join();
  const running = calls();
  if (heads) await Promise.all(running);
  const { state } = rig!.fakes[0]!;
  await state.until(() => state.running.size >= running.length);
  assert.equal((await rig!.post("/pause?mode=keep")).status, 200);
  for (const { status, body } of await rig!.sync(trainer, 1)) assert.equal(status, 200, JSON.stringify(body));
  assert.equal((await rig!.post("/resume")).status, 200);
  return Promise.all(running);
}

for (const transport of ["fetch", "the runtime's own"] as const) {
  describe(`across a keep switch, over ${transport}`, () => {
    const start = async () => {
      rig = await startRig([{ tokenDelayMs: 10 }], {}, ...(transport === "fetch" ? [] : [await currentPorts()]));
    };

    test("whole answers carry both versions, and no digest", async () => {
      await start();
      const [completion, chat] = await across(() => [
        ask("/v1/completions", { prompt: "The gateway" }),
        ask("/v1/chat/completions", { messages: [{ role: "user", content: "Hi" }] }),
      ]);
      for (const answer of [completion!, chat!]) {
        assert.equal(answer.status, 200);
        assert.equal(answer.headers.get("x-weight-version"), "0-1");
        assert.equal(answer.headers.get("x-weight-digest"), null);
        await answer.text();
      }
      const later = await ask("/v1/completions", { prompt: "The gateway" });
      assert.equal(later.headers.get("x-weight-version"), "1");
    });

    test("streams say it at their end; others are the server's bytes alone", async () => {
      await start();
      const [stream] = await across(() => [ask("/v1/completions", { prompt: "The gateway", stream: true })], true);
      assert.equal(stream!.headers.get("x-weight-version"), "0");
      assert.match(await stream!.text(), /data: \[DONE\]\n\n: x-weight-version: 0-1\n\n$/);
      const plain = await ask("/v1/completions", { prompt: "The gateway", stream: true });
      assert.equal(plain.headers.get("x-weight-version"), "1");
      assert.match(await plain.text(), /data: \[DONE\]\n\n$/);
    });
  });
}

describe("a call of another dialect", () => {
  test("carries both versions in its body", async () => {
    rig = await startRig([{ tokenDelayMs: 10 }]);
    const [answer] = await across(() => [
      rig!.request("/generate/", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ prompts: ["The gateway"], max_tokens: 100, temperature: 0 }),
      }),
    ]);
    assert.equal(answer!.status, 200);
    assert.equal(answer!.headers.get("x-weight-version"), "0-1");
    await answer!.text();
  });
});
