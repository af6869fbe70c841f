/** What every runtime that can start a process must do with the embedded engine. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { post, type Start, type Started, until } from "./start.ts";

const model = (name: string): string => fileURLToPath(new URL(`../../models/tide-nano/${name}`, import.meta.url));
const chat = { model: "tide-nano", messages: [{ role: "user", content: "What is 17 + 25?" }], temperature: 0 };

export function embedded(name: string, start: Start): void {
  describe(`embedded engine on ${name}`, () => {
    let gateway: Started;
    before(async () => {
      gateway = await start({ model: model("base"), servedModelName: "tide-nano", replicas: 2 });
    });
    after(() => gateway.stop());
    const ask = async (): Promise<{ text: string; version: string | null; digest: string | null }> => {
      const response = await post(`${gateway.url}/v1/chat/completions`, chat);
      const body = await response.json();
      assert.equal(response.status, 200, JSON.stringify(body));
      return {
        text: body.choices[0].message.content,
        version: response.headers.get("x-weight-version"),
        digest: response.headers.get("x-weight-digest"),
      };
    };

    test("answers with version 0 and the digest of its weights", async () => {
      const answer = await ask();
      assert.equal(answer.version, "0");
      assert.match(answer.digest ?? "", /^sha256:[0-9a-f]{64}$/);
      assert.ok(answer.text.length > 0);
    });

    test("a stream says the same as a whole answer, and repeats the version in its last chunk", async () => {
      const whole = await ask();
      const response = await post(`${gateway.url}/v1/chat/completions`, { ...chat, stream: true });
      assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
      const events = (await response.text()).split("\n\n").filter((event) => event !== "");
      assert.equal(events.pop(), "data: [DONE]");
      const chunks = events.map((event) => JSON.parse(event.slice("data: ".length)));
      assert.equal(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""), whole.text);
      assert.equal(chunks.at(-1).weight_version, 0);
    });

    test("a client that leaves frees its replica", async () => {
      const leave = new AbortController();
      const response = await post(
        `${gateway.url}/v1/completions`,
        { prompt: "1", max_tokens: 400, ignore_eos: true, stream: true },
        { signal: leave.signal },
      );
      await response.body?.getReader().read();
      leave.abort();
      await until(
        "nothing in flight",
        () => gateway.gateway?.fleet.snapshot().servers.every((server) => server.in_flight === 0) ?? true,
        1000,
      );
    });

    test("a sync from disk changes the answers on all replicas, without a restart", async () => {
      const before = await ask();
      const response = await post(
        `${gateway.url}/api/weight-syncs`,
        { source: { kind: "disk", path: model("trained") } },
        { headers: { prefer: "wait=60" } },
      );
      const sync = await response.json();
      assert.equal(response.status, 200, JSON.stringify(sync));
      assert.equal(sync.state, "completed");
      const after = await ask();
      assert.equal(after.version, "1");
      assert.equal(after.digest, sync.digest);
      assert.notEqual(after.digest, before.digest);
      assert.equal(after.text.match(/\d+/g)?.at(-1), "42");
      const fleet = await (await fetch(`${gateway.url}/api/fleet`)).json();
      assert.deepEqual(
        new Set(fleet.servers.map((server: { weight_digest: string }) => server.weight_digest)),
        new Set([sync.digest]),
      );
    });

    test("an upload does the same, and a broken one changes nothing", async () => {
      const bytes = await readFile(`${model("base")}/model.safetensors`);
      const upload = (body: Uint8Array): Promise<Response> =>
        fetch(`${gateway.url}/api/weight-syncs?label=step-2`, {
          method: "POST",
          headers: { "content-type": "application/octet-stream", prefer: "wait=60" },
          body: body as BodyInit,
        });
      const before = await ask();
      const broken = await upload(bytes.subarray(0, bytes.length - 8));
      assert.equal(broken.status, 400);
      assert.equal((await broken.json()).code, "weights_truncated");
      assert.deepEqual(await ask(), before);
      const good = await upload(bytes);
      const sync = await good.json();
      assert.equal(good.status, 200, JSON.stringify(sync));
      const after = await ask();
      assert.equal(after.version, "2");
      assert.equal(after.digest, sync.digest);
      assert.equal(sync.label, "step-2");
    });

    test("TRL's and vLLM's routes answer too", async () => {
      const trl = await post(`${gateway.url}/generate/`, { prompts: ["What is 1 + 2?"], n: 2, max_tokens: 4 });
      const body = await trl.json();
      assert.equal(trl.status, 200, JSON.stringify(body));
      assert.equal(body.completion_ids.length, 2);
      assert.equal(body.prompt_ids.length, 1);
      const world = await (await fetch(`${gateway.url}/get_world_size`)).json();
      assert.deepEqual(world, { world_size: 2 });
      const nccl = await post(`${gateway.url}/init_weight_transfer_engine`, {
        init_info: { master_address: "127.0.0.1", master_port: 1, rank_offset: 1, world_size: 3 },
      });
      assert.ok(nccl.status === 400 || nccl.status === 409);
      assert.match(await nccl.text(), /NCCL/);
    });

    test("pause holds requests and resume lets them go", async () => {
      await (await post(`${gateway.url}/pause?mode=keep`, "")).arrayBuffer();
      let answered = false;
      const waiting = ask().then((answer) => {
        answered = true;
        return answer;
      });
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.equal(answered, false);
      assert.deepEqual(await (await fetch(`${gateway.url}/is_paused`)).json(), { is_paused: true });
      await (await post(`${gateway.url}/resume`, "")).arrayBuffer();
      assert.ok((await waiting).text.length > 0);
    });
  });
}
