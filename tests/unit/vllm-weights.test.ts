/** Weight syncs of whole fleets of (fake) vLLM servers: over a shared disk, and by URL. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type FakeWeightsOptions, weightsOf } from "../fakes/vllm-weights.ts";
import { post } from "../runtime/start.ts";
import { toSafetensors } from "./cases/sync-fakes.ts";
import {
  directory,
  disk,
  fakeServer,
  front,
  generate,
  paths,
  server,
  sync,
  useWeights,
} from "./cases/vllm-weights-rig.ts";

useWeights();

describe("vllm weights: over a disk that both see", () => {
  test("both servers load what was received, between pause and resume, and answers say the version", async () => {
    const fakes = [await fakeServer(), await fakeServer()];
    const gateway = await front(fakes);
    const { status, body } = await sync(gateway, disk("one", { label: "step 1" }));
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body.state, "completed");
    assert.match(body.digest ?? "", /^sha256:/);
    // vLLM does not tell what it read: nothing is claimed.
    for (const entry of body.servers) assert.equal(entry.digest, undefined);
    for (const fake of fakes) {
      assert.equal(fake.state.weights, weightsOf(directory("one")));
      assert.equal(fake.state.weightVersion, "1");
      assert.equal(fake.state.paused, false);
      const sent = paths(fake);
      const order = [
        "/pause?mode=wait&clear_cache=true",
        "/collective_rpc",
        "/update_weight_version",
        "/reset_prefix_cache?reset_running_requests=true",
        "/resume",
        "/v1/completions",
      ];
      assert.deepEqual(sent.slice(sent.indexOf("/pause?mode=wait&clear_cache=true")), order);
    }
    const { version, text } = await generate(gateway);
    assert.equal(version, "1");
    const again = await generate(gateway);
    assert.equal(again.text, text, "both replicas answer alike");
  });

  test("a server that cannot see the path: refused before anything is touched, with the mend", async () => {
    const fakes = [await fakeServer(), await fakeServer({ sees: () => false })];
    const gateway = await front(fakes);
    const before = await generate(gateway);
    const { status, body } = await sync(gateway, disk("one"));
    assert.equal(status, 400);
    assert.equal(body.code, "unsupported");
    assert.equal(body.replica, "vllm-1");
    assert.match(body.detail ?? "", /spool-dir.*tidegate-vllm/s);
    for (const fake of fakes) assert.equal(fake.state.empty, false);
    assert.deepEqual((await generate(gateway)).text, before.text);
    assert.equal((await server(gateway, "vllm-1")).state, "ready");
  });

  test("tensors that the served model lacks, partial sets, servers without dev routes: 4xx before anything is sent", async () => {
    const fake = await fakeServer();
    const gateway = await front([fake]);
    mkdirSync(directory("odd"), { recursive: true });
    writeFileSync(
      join(directory("odd"), "model.safetensors"),
      await toSafetensors({ embed: [1, 2, 3, 4], head: [5, 6, 1], tail: [1] }),
    );
    const odd = await sync(gateway, disk("odd"));
    assert.deepEqual([odd.status, odd.body.code], [400, "weights_unexpected_tensor"]);
    const partial = await sync(gateway, disk("one", { partial: true }));
    assert.deepEqual([partial.status, partial.body.code], [400, "unsupported"]);
    assert.match(partial.body.detail ?? "", /every tensor/);
    assert.deepEqual(paths(fake), []);
    const plain = await fakeServer({ devMode: false });
    const other = await front([plain]);
    const refused = await sync(other, disk("one"));
    assert.deepEqual([refused.status, refused.body.code], [400, "unsupported"]);
    assert.match(refused.body.detail ?? "", /VLLM_SERVER_DEV_MODE=1/);
  });

  test("a tied model on a CPU: the output head is packed anew, and without the plugin the server is refused", async () => {
    mkdirSync(directory("tied"), { recursive: true });
    writeFileSync(join(directory("tied"), "config.json"), '{"tie_word_embeddings": true}');
    writeFileSync(
      join(directory("tied"), "model.safetensors"),
      readFileSync(join(directory("base"), "model.safetensors")),
    );
    const stock = await fakeServer({ root: directory("tied"), cpu: true });
    const refused = await sync(await front([stock]), disk("one"));
    assert.deepEqual([refused.status, refused.body.code], [400, "unsupported"]);
    assert.match(refused.body.detail ?? "", /tied embeddings.*tidegate-vllm/s);
    assert.equal(stock.loads, 0);
    const mended = await fakeServer({ root: directory("tied"), cpu: true, plugin: true });
    assert.equal((await sync(await front([mended]), disk("one"))).body.state, "completed");
    assert.equal(mended.repacks, 2, "once to see that it can, once behind the reload");
  });

  test("running streams end before the switch, later ones wait: no answer mixes versions", async () => {
    const fakes = [await fakeServer({ tokenDelayMs: 5 }), await fakeServer({ tokenDelayMs: 5 })];
    const gateway = await front(fakes);
    const texts = new Map<string, Set<string>>();
    let go = true;
    const stream = async (): Promise<void> => {
      while (go) {
        const answer = await post(`${gateway.url}/v1/completions`, {
          prompt: "a",
          max_tokens: 24,
          temperature: 0,
          stream: true,
        });
        assert.equal(answer.status, 200);
        const version = answer.headers.get("x-weight-version") ?? "";
        const pieces = (await answer.text()).split("\n\n").filter((line) => line.startsWith("data: {"));
        const text = pieces.map((line) => JSON.parse(line.slice(6)).choices[0]?.text ?? "").join("");
        texts.set(version, (texts.get(version) ?? new Set()).add(text));
      }
    };
    const streams = Array.from({ length: 8 }, stream);
    for (const name of ["one", "two"]) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.equal((await sync(gateway, disk(name))).body.state, "completed");
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    go = false;
    await Promise.all(streams);
    assert.deepEqual([...texts.keys()].sort(), ["0", "1", "2"]);
    for (const [version, seen] of texts) assert.equal(seen.size, 1, `version ${version}`);
    for (const fake of fakes) assert.equal(fake.state.dead, false);
  });
});

describe("vllm weights: by URL, with the plugin", () => {
  const plugin: FakeWeightsOptions = { backend: "tidegate", sees: () => false };

  test("servers without a shared disk fetch, prove the digest and then switch", async () => {
    const fakes = [await fakeServer(plugin), await fakeServer({ ...plugin, worldSize: 2 })];
    const gateway = await front(fakes);
    const { status, body } = await sync(gateway, disk("one"));
    assert.equal(status, 200, JSON.stringify(body));
    for (const entry of body.servers) assert.equal(entry.digest, body.digest);
    for (const fake of fakes) assert.equal(fake.state.weights, weightsOf(directory("one")));
    assert.equal((await server(gateway, "vllm-1")).weight_digest, body.digest);
    const upload = await fetch(`${gateway.url}/api/weight-syncs`, {
      method: "POST",
      headers: { "content-type": "application/octet-stream", prefer: "wait=20" },
      body: (await toSafetensors({ embed: [9, 2, 3, 4], head: [5, 6, 9] })) as BodyInit,
    });
    assert.equal(upload.status, 200, await upload.clone().text());
    assert.equal((await generate(gateway)).version, "2");
  });

  test("a fetch that fails leaves all as it was: rolled back for real", async () => {
    const fakes = [await fakeServer(plugin), await fakeServer(plugin)];
    const gateway = await front(fakes);
    const before = await generate(gateway);
    fakes[1]!.fetchFault = "connection reset by peer";
    const { status, body } = await sync(gateway, disk("one"));
    assert.equal(status, 424, JSON.stringify(body));
    assert.deepEqual([body.phase, body.replica], ["stage", "vllm-1"]);
    assert.match(body.upstream ?? "", /connection reset by peer/);
    for (const fake of fakes) {
      assert.deepEqual([fake.state.empty, fake.state.paused, fake.state.updating], [false, false, false]);
    }
    const after = await generate(gateway);
    assert.deepEqual([after.text, after.version], [before.text, "0"]);
    fakes[1]!.fetchFault = null;
    assert.equal((await sync(gateway, disk("one"))).body.state, "completed");
  });

  test("files are only for the token of a running transfer", async () => {
    const fake = await fakeServer(plugin);
    const gateway = await front([fake]);
    const { body } = await sync(gateway, disk("one"));
    const update = fake.seen("/update_weights").at(-1);
    const { update_info: info } = JSON.parse(new TextDecoder().decode(update?.body)) as {
      update_info: { url: string; token: string };
    };
    const headers = { authorization: `Bearer ${info.token}` };
    for (const init of [{ headers }, {}, { headers: { authorization: "Bearer nothing" } }]) {
      assert.equal((await fetch(info.url, init)).status, 401);
      assert.equal((await fetch(`${info.url}/0`, init)).status, 401);
    }
    assert.ok(!JSON.stringify(body).includes(info.token));
  });
});
