/** The TypeScript library against a running gateway: what `import { … } from "tidegate"` promises. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { ConnectionError, ServerError, VLLMClient, WeightSyncError, wrapAsList } from "../../src/index.ts";
import { modelPath, type Served, serve } from "./serve.ts";

describe("VLLMClient", () => {
  let served: Served;
  let client: VLLMClient;
  before(async () => {
    served = await serve(["--replicas", "2"]);
    const { hostname, port } = new URL(served.url);
    client = new VLLMClient({ host: hostname, port: Number(port) });
  });
  after(() => served?.stop());

  test("checkServer resolves when the server can serve, and says what it waited for when it cannot", async () => {
    await client.checkServer({ totalTimeout: 5 });
    const nobody = new VLLMClient({ baseUrl: "http://127.0.0.1:9" });
    await assert.rejects(nobody.checkServer({ totalTimeout: 0.2, retryInterval: 0.05 }), (error) => {
      assert.ok(error instanceof ConnectionError);
      assert.match(error.message, /http:\/\/127\.0\.0\.1:9 is not ready after 0\.\d s: /);
      return true;
    });
  });

  test("generate keeps the order, prompt by prompt and sample by sample", async () => {
    const prompts = ["What is 1 + 2?", "What is 30 + 4?"];
    const texts = await client.generate(prompts, { n: 2, temperature: 1, seed: 7, max_tokens: 5 });
    assert.equal(texts.length, 4);
    const again = await client.generate(prompts, { n: 2, temperature: 1, seed: 7, maxTokens: 5 });
    assert.deepEqual(again, texts);
    assert.deepEqual(await client.generate([], {}), []);
    assert.equal((await client.generate("What is 1 + 2?", { temperature: 0 })).length, 1);
  });

  test("generateDetailed tells ids, logprobs, finish reason and weights", async () => {
    const [answer] = await client.generateDetailed([[5, 6, 7]], {
      temperature: 0,
      maxTokens: 3,
      logprobs: 0,
      ignoreEos: true,
    });
    assert.deepEqual(answer?.promptTokenIds, [5, 6, 7]);
    assert.equal(answer?.tokenIds.length, 3);
    assert.equal(answer?.logprobs?.length, 3);
    assert.equal(answer?.finishReason, "length");
    assert.equal(answer?.weightVersion, "0");
    assert.match(answer?.weightDigest ?? "", /^sha256:/);
  });

  test("a refusal is a ServerError with the server's own sentence", async () => {
    await assert.rejects(client.generate(["a"], { temperature: -1 }), (error) => {
      assert.ok(error instanceof ServerError);
      assert.equal(error.status, 400);
      assert.match(error.message, /temperature/);
      return true;
    });
  });

  test("updateModelParams from a directory resolves when every replica confirmed", async () => {
    const phases: string[] = [];
    const result = await client.updateModelParams(modelPath("trained"), {
      label: "step 1",
      onProgress: (sync) => phases.push(sync.phase),
    });
    assert.equal(result.version, 1);
    assert.ok(result.sync.servers.every((server) => server.phase === "switched" && server.digest === result.digest));
    assert.equal(phases.at(-1), "done");
    const [answer] = await client.generateDetailed(["What is 17 + 25?"], { temperature: 0 });
    assert.equal(answer?.weightVersion, "1");
    assert.equal(answer?.weightDigest, result.digest);
  });

  test("updateModelParams from bytes uploads them", async () => {
    const bytes = new Uint8Array(await readFile(`${modelPath("base")}/model.safetensors`));
    const { version, sync } = await client.updateModelParams(bytes, { label: "step 2" });
    assert.equal(version, 2);
    assert.equal(sync.source.kind, "upload");
  });

  test("a bad update is a WeightSyncError with its phase, and changes nothing", async () => {
    const bytes = new Uint8Array(await readFile(`${modelPath("trained")}/model.safetensors`)).slice(0, 100_000);
    await assert.rejects(client.updateModelParams(bytes), (error) => {
      assert.ok(error instanceof WeightSyncError);
      assert.equal(error.code, "weights_truncated");
      assert.equal(error.phase, "receive");
      return true;
    });
    const [answer] = await client.generateDetailed(["a"], { maxTokens: 1 });
    assert.equal(answer?.weightVersion, "2");
  });

  test("resetPrefixCache resolves", () => client.resetPrefixCache());
});

describe("wrapAsList", () => {
  test("positional values come before keyword values", () => {
    assert.deepEqual(wrapAsList([1, [2]], { z: 3, a: 4 } as Record<string, number | number[]>), [1, [2], 3, 4]);
    assert.deepEqual(wrapAsList([]), []);
  });
});
