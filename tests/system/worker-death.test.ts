/** `kill -9` of a worker under load: nothing is lost that could be moved, and the worker comes back with the present weights. */
import assert from "node:assert/strict";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import type { Fleet } from "../../src/contract/control/fleet.ts";
import type { Server } from "../../src/contract/control/servers.ts";
import type { WeightSync } from "../../src/contract/control/weight-syncs.ts";
import { type ChatBody, json, modelPath, postJson, type Served, serve } from "./serve.ts";

const chat = (stream: boolean) => ({
  model: "tide-nano",
  messages: [{ role: "user", content: "What is 17 + 25?" }],
  temperature: 1,
  max_tokens: 200,
  ignore_eos: true,
  stream,
});

describe("death of a worker", () => {
  let served: Served;
  before(async () => {
    served = await serve(["--replicas", "2"]);
  });
  after(() => served?.stop());

  test("whole answers move, streams end with an error, the worker returns with version and digest", async () => {
    const { status, body: sync } = await postJson<WeightSync>(
      `${served.url}/api/weight-syncs`,
      { source: { kind: "disk", path: modelPath("trained") } },
      { prefer: "wait=60" },
    );
    assert.equal(status, 200, JSON.stringify(sync));
    const { body: fleet } = await json<Fleet>(`${served.url}/api/fleet`);
    const victim = fleet.servers[0] as Server;
    const pid = victim.details.pid;
    assert.ok(typeof pid === "number");

    const whole = Array.from({ length: 12 }, () =>
      postJson<ChatBody>(`${served.url}/v1/chat/completions`, chat(false)),
    );
    const streams = Array.from({ length: 12 }, async () => {
      const response = await fetch(`${served.url}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(chat(true)),
      });
      return { status: response.status, replica: response.headers.get("x-served-by"), text: await response.text() };
    });
    await new Promise((resolve) => setTimeout(resolve, 60));
    process.kill(pid, "SIGKILL");

    for (const answer of await Promise.all(whole)) {
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      assert.equal(answer.body.usage.completion_tokens, 200);
    }
    for (const { status, text } of await Promise.all(streams)) {
      assert.equal(status, 200, text);
      assert.ok(text.endsWith("data: [DONE]\n\n"));
      if (text.includes('"error"')) assert.match(text, /"message":"[^"]*(worker|replica)[^"]*"/i);
    }

    let now = victim;
    for (let tries = 0; tries < 400; tries += 1) {
      now = (await json<Server>(`${served.url}/api/servers/${victim.id}`)).body;
      if (now.state === "ready" && now.details.pid !== pid) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.equal(now.state, "ready");
    assert.notEqual(now.details.pid, pid);
    assert.equal(now.weight_version, 1);
    assert.equal(now.weight_digest, sync.digest);
  });
});
