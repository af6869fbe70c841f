/** The TypeScript library against a running gateway: what `import { … } from "tidegate"` promises. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import {
  ConnectionError,
  openCheckpoint,
  ServerError,
  VLLMClient,
  WeightSyncError,
  wrapAsList,
} from "../../src/index.ts";
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

  test("tensors in memory and single ones are uploaded; the others stay", async () => {
    const name = "model.norm.weight";
    const norm = new Uint16Array(128).fill(0x3f80); // 1 in bfloat16
    const one = await client.updateNamedParam(name, { dtype: "torch.bfloat16", shape: [128], data: norm });
    assert.equal(one.version, 3);
    assert.ok("sync" in one && one.sync.partial);
    const same = await client.updateModelParams([{ name, dtype: "BF16", shape: [128], data: norm }], { partial: true });
    assert.equal(same.version, 4);
    assert.equal(same.digest, one.digest);
    await assert.rejects(
      client.updateNamedParam("model.nothing", { dtype: "bfloat16", shape: [1], data: new Uint8Array(2) }),
      (error) => error instanceof WeightSyncError && error.code === "weights_unexpected_tensor",
    );
    await assert.rejects(
      client.updateNamedParam(name, { dtype: "bf17", shape: [1], data: norm }),
      /dtype of model.norm/,
    );
    await assert.rejects(
      client.updateNamedParam(name, { dtype: "bfloat16", shape: [2], data: norm }),
      /takes 4 bytes, got 256/,
    );
  });

  test("initCommunicator: without an NCCL group there, weights go over HTTP; a wrong world size is refused", async () => {
    assert.deepEqual(await client.initCommunicator({ worldSize: 3 }), { transport: "http", worldSize: 3 });
    await assert.rejects(client.initCommunicator({ worldSize: 2 }), {
      name: "WeightSyncError",
      phase: "init",
      message: /worldSize must be 3: 2 ranks of the servers plus this one; got 2/,
    });
  });

  test("updateModelParams takes the model of openCheckpoint", async () => {
    const { model } = await openCheckpoint(modelPath("trained"));
    const { version } = await client.updateModelParams(model);
    assert.equal(version, 5);
    const changed = { ...model, resize: {} };
    await assert.rejects(client.updateModelParams(changed), /was changed and not saved/);
  });

  test("chat answers one conversation or many", async () => {
    const ask = (text: string) => [{ role: "user", content: text }];
    const options = { temperature: 0, maxTokens: 20 };
    assert.deepEqual(await client.chat(ask("What is 17 + 25?"), options), ["17 + 25 = 30 + 12 = 42."]);
    const two = await client.chatDetailed([ask("What is 1 + 2?"), ask("What is 64 + 18?")], options);
    assert.match(two[1]?.text ?? "", /= 82\.$/);
    assert.equal(two[0]?.weightVersion, "5");
    assert.equal(two[0]?.logprobs?.length, two[0]?.tokenIds.length);
  });

  test("getSequenceLogprobs agrees with the sampling, over vLLM's routes and over TRL's", async () => {
    const old = new VLLMClient({ baseUrl: client.baseUrl, dialect: "trl" });
    const [sampled] = await client.generateDetailed(["What is 17 + 25?"], { seed: 3, maxTokens: 6 });
    const { promptTokenIds = [], tokenIds = [], logprobs } = sampled ?? {};
    for (const scorer of [client, old]) {
      const scored = await scorer.getSequenceLogprobs([[...promptTokenIds, ...tokenIds]], [promptTokenIds.length], {
        topLogprobs: 3,
      });
      assert.equal(scored.logprobs[0]?.[0]?.length, 3);
      for (const [index, [actual = 0]] of (scored.actualLogprobs[0] ?? []).entries()) {
        assert.ok(Math.abs(actual - (logprobs?.[index] ?? 0)) < 1e-4, `${actual} against ${logprobs?.[index]}`);
      }
    }
    const [legacy] = await old.generateDetailed([promptTokenIds], { seed: 3, maxTokens: 6 });
    assert.deepEqual(legacy?.tokenIds, tokenIds);
    assert.equal(await old.getWorldSize(), await client.getWorldSize());
  });

  test("it knows what it talks to", async () => {
    assert.equal((await client.serverFacts()).kind, "tidegate");
  });

  test("resetPrefixCache and closeCommunicator resolve", async () => {
    await client.resetPrefixCache();
    await client.closeCommunicator();
  });
});

describe("wrapAsList", () => {
  test("positional values come before keyword values", () => {
    assert.deepEqual(wrapAsList([1, [2]], { z: 3, a: 4 } as Record<string, number | number[]>), [1, [2], 3, 4]);
    assert.deepEqual(wrapAsList([]), []);
  });
});
