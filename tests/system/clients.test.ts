/** Both generated clients against a running gateway: chat, completion, stream, errors, a weight sync followed to its end. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  createTidegateClient,
  followWeightSync,
  readEvents,
  TidegateError,
} from "../../clients/typescript/src/index.js";
import { modelPath, type Served, serve } from "./serve.ts";

const python = fileURLToPath(new URL("../../clients/python/", import.meta.url));
const interpreter = [`${python}.venv/bin/python`, "python3"].find(
  (path) => spawnSync(path, ["-c", "import attrs, httpx"]).status === 0,
);

describe("generated clients", () => {
  let served: Served;
  before(async () => {
    served = await serve();
  });
  after(() => served?.stop());

  test("TypeScript: chat, completion, stream, error, weight sync", async () => {
    const client = createTidegateClient({ baseUrl: served.url });

    const fleet = (await client.GET("/api/fleet")).data;
    assert.equal(fleet?.state, "ready");
    const model = fleet?.servers[0]?.models[0] ?? "";

    const messages = [{ role: "user", content: "What is 17 + 25?" }];
    const chat = await client.POST("/v1/chat/completions", { body: { model, messages, temperature: 0 } });
    assert.ok((chat.data?.choices[0]?.message.content ?? "").length > 0);
    assert.equal(chat.response.headers.get("x-weight-version"), String(fleet?.weight_version));

    const completion = await client.POST("/v1/completions", {
      body: { model, prompt: "What", max_tokens: 3, logprobs: 1 },
    });
    assert.equal(completion.data?.choices[0]?.logprobs?.tokens.length, 3);

    const stream = await client.POST("/v1/chat/completions", {
      body: { model, messages, temperature: 0, stream: true },
      parseAs: "stream",
    });
    const data: string[] = [];
    for await (const event of readEvents(stream.data as unknown as ReadableStream<Uint8Array>)) data.push(event.data);
    assert.equal(data.at(-1), "[DONE]");
    const text = data.slice(0, -1).map((one) => JSON.parse(one).choices[0]?.delta?.content ?? "");
    assert.equal(text.join(""), chat.data?.choices[0]?.message.content);

    const missing = await client.GET("/api/servers/{id}", { params: { path: { id: "nobody" } } });
    assert.equal(missing.error?.code, "not_found");

    const started = await client.POST("/api/weight-syncs", {
      body: { source: { kind: "disk", path: modelPath("trained") }, label: "from TypeScript" },
    });
    assert.equal(started.response.status, 202);
    const id = started.data?.id ?? "";
    let last: { state: string; version: number } | undefined;
    for await (const sync of followWeightSync(client, id)) last = sync;
    assert.equal(last?.state, "completed");
    assert.equal((await client.GET("/api/fleet")).data?.weight_version, last?.version);

    await assert.rejects(
      async () => {
        for await (const _ of followWeightSync(client, "ws_0")) assert.fail("an event of a stranger");
      },
      (error: unknown) => error instanceof TidegateError && error.status === 404,
    );
  });

  const skip = interpreter === undefined ? "needs node clients/generate.mjs python (httpx and attrs)" : false;
  test("Python: chat, completion, error, weight sync", { skip }, async () => {
    const child = spawn(interpreter ?? "", [`${python}smoke.py`, served.url, modelPath("base")], {
      env: { PYTHONPATH: python, PYTHONDONTWRITEBYTECODE: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    const take = (bytes: Buffer): void => {
      output += bytes.toString();
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    const code = await new Promise((resolve) => child.on("close", resolve));
    assert.equal(code, 0, output);
    assert.match(output, /^version \d+ after \d+ events/);
  });
});
