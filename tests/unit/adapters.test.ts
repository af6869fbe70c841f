/** LoRA adapters over a fleet of fake servers: all or none, versions, routing, and servers that come up without them. */
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { startFakeTrl } from "../fakes/trl-server.ts";
import { adapterFiles } from "../fakes/vllm/adapters.ts";
import type { FakeVllm } from "../fakes/vllm-server.ts";
import { type Rig, startRig } from "../support/trainer-rig.ts";

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.end();
  rig = undefined;
  adapterFiles.clear();
});

const LOAD = "/v1/load_lora_adapter";
const UNLOAD = "/v1/unload_lora_adapter";

interface Told {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

async function call(path: string, body: unknown): Promise<Told> {
  const response = await rig!.request(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

const ask = (model: string, extra: object = {}): Promise<Told> =>
  call("/v1/completions", { model, prompt: "The gateway", max_tokens: 8, temperature: 0, ...extra });
const textOf = ({ text }: Told): string => (JSON.parse(text) as { choices: { text: string }[] }).choices[0]!.text;
const pathsOf = (fakes: readonly FakeVllm[], name: string) => fakes.map(({ state }) => state.adapters.pathOf(name));
const messageOf = ({ text }: Told): string => (JSON.parse(text) as { error: { message: string } }).error.message;
const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
};

describe("load and unload", () => {
  test("reach every server, in vLLM's words, and make a version", async () => {
    rig = await startRig([{}, {}, {}]);
    const base = textOf(await ask("tiny"));
    const loaded = await call(LOAD, { lora_name: "a1", lora_path: "/adapters/1" });
    assert.equal(loaded.status, 200, loaded.text);
    assert.equal(loaded.text, "Success: LoRA adapter 'a1' added successfully.");
    assert.equal(loaded.headers.get("x-adapter-version"), "1");
    assert.deepEqual(pathsOf(rig.fakes, "a1"), ["/adapters/1", "/adapters/1", "/adapters/1"]);
    const answer = await ask("a1");
    assert.equal(answer.headers.get("x-adapter-version"), "1");
    assert.equal(answer.headers.get("x-weight-version"), "0");
    assert.notEqual(textOf(answer), base);
    assert.equal((await ask("tiny")).headers.get("x-adapter-version"), null);
    const models = JSON.parse(await (await rig.request("/v1/models")).text()) as { data: Record<string, unknown>[] };
    const card = models.data.find(({ id }) => id === "a1");
    assert.equal(card?.parent, "tiny");
    assert.equal(card?.root, "/adapters/1");
    assert.equal(card?.adapter_version, 1);
    assert.equal((await rig.request("/v1/models/a1")).status, 200);
    const server = (await rig.get("/api/servers/vllm-1")) as unknown as { adapters: object };
    assert.deepEqual(server.adapters, { a1: 1 });

    const gone = await call(UNLOAD, { lora_name: "a1" });
    assert.equal(gone.text, "Success: LoRA adapter 'a1' removed successfully.");
    assert.deepEqual(pathsOf(rig.fakes, "a1"), [undefined, undefined, undefined]);
    const unknown = await ask("a1");
    assert.equal(unknown.status, 404);
    assert.equal(messageOf(unknown), "The model `a1` does not exist. Valid aliases: tiny.");
    const again = await call(LOAD, { lora_name: "a1", lora_path: "/adapters/1" });
    assert.equal(again.headers.get("x-adapter-version"), "2", "a name that comes back is another adapter");
  });

  test("every refusal of vLLM's, and nothing is changed by it", async () => {
    rig = await startRig([{}, {}]);
    await call(LOAD, { lora_name: "a1", lora_path: "/adapters/1" });
    const cases: [string, object, number, RegExp][] = [
      [LOAD, { lora_name: "a1", lora_path: "/adapters/2" }, 400, /'a1' has already been loaded.*load_inplace/],
      [LOAD, { lora_name: "", lora_path: "" }, 400, /Both 'lora_name' and 'lora_path' must be provided/],
      [LOAD, { lora_name: "b" }, 400, /lora_path/],
      [LOAD, { lora_name: "tiny", lora_path: "/adapters/2" }, 400, /conflicts with a served base model/],
      [LOAD, { lora_name: "b", lora_path: "/no-such-adapter" }, 404, /vllm-0: .*No adapter found.* \| vllm-1: /],
      [LOAD, { lora_name: "b".repeat(600), lora_path: "/x" }, 400, /at most 512 characters/],
      [UNLOAD, {}, 400, /lora_name/],
      [UNLOAD, { lora_name: "zz" }, 404, /The lora adapter 'zz' cannot be found/],
    ];
    for (const [path, body, status, words] of cases) {
      const told = await call(path, body);
      assert.equal(told.status, status, told.text);
      assert.match(messageOf(told), words);
    }
    for (const { state } of rig.fakes) assert.deepEqual(state.adapters.calls, ["load a1 /adapters/1"]);
    assert.equal((await ask("a1")).status, 200);
  });

  test("a server without the route is named, with the mend; nobody keeps the adapter", async () => {
    rig = await startRig([{}, { lora: false }]);
    const told = await call(LOAD, { lora_name: "a1", lora_path: "/adapters/1" });
    assert.equal(told.status, 404);
    assert.match(messageOf(told), /vllm-1: .*VLLM_ALLOW_RUNTIME_LORA_UPDATING=1.*--enable-lora/);
    assert.equal(rig.fakes[0]?.state.adapters.has("a1"), false);
    assert.equal((await ask("a1")).status, 404);
  });

  test("a replica that cannot take adapters is named, and nobody gets one", async () => {
    rig = await startRig([{}]);
    const trl = await startFakeTrl("1.10");
    try {
      assert.equal((await rig.post("/api/servers", { url: trl.url, kind: "trl", id: "old" })).status, 201);
      for (const [path, body] of [
        [LOAD, { lora_name: "a1", lora_path: "/adapters/1" }],
        [UNLOAD, { lora_name: "a1" }],
      ] as const) {
        const told = await call(path, body);
        assert.equal(told.status, 400, told.text);
        assert.match(messageOf(told), /old \(trl\) cannot load LoRA adapters.*Detach it, or merge the adapter/);
      }
      assert.deepEqual(rig.fakes[0]?.state.adapters.calls, []);
    } finally {
      await trl.stop();
    }
  });

  test("while a sync of the weights runs they are refused", async () => {
    rig = await startRig([{}]);
    const { trainer } = await rig.join();
    await rig.post("/start_weight_update", {});
    const told = await call(LOAD, { lora_name: "a1", lora_path: "/adapters/1" });
    assert.equal(told.status, 409, told.text);
    await rig.post("/finish_weight_update", {});
    assert.equal((await call(LOAD, { lora_name: "a1", lora_path: "/adapters/1" })).status, 200);
    await trainer.close();
  });
});

describe("one server fails", () => {
  // Deno's fetch repeats a call by itself whose connection was closed under it.
  const cut = "Deno" in globalThis ? [] : [{ drop: true }, { drop: true, after: true }];
  const faults = [
    { name: "refuses", fault: { status: 500 } },
    { name: "does it and says 500", fault: { status: 500, after: true } },
    { name: "confirms and does not do", fault: { lie: true } },
    ...cut.map((fault) => ({
      name: `${fault.after === true ? "does it and " : ""}closes the connection`,
      fault,
    })),
  ];
  for (const { name, fault } of faults) {
    test(`a load that one server ${name} is undone on all`, async () => {
      rig = await startRig([{}, {}, {}]);
      rig.fakes[1]?.state.setFaults({ ...fault, paths: [LOAD], count: 1 });
      const told = await call(LOAD, { lora_name: "a1", lora_path: "/adapters/1" });
      assert.equal(told.status, 424, told.text);
      assert.match(messageOf(told), /failed on 1 of 3 servers\. vllm-1: .*The others are as before/);
      assert.deepEqual(pathsOf(rig.fakes, "a1"), [undefined, undefined, undefined]);
      assert.equal((await ask("a1")).status, 404);
      assert.equal((await rig.get("/api/fleet")).state, "ready");
    });

    test(`a replacement that one server ${name} brings the old one back`, async () => {
      rig = await startRig([{}, {}, {}]);
      await call(LOAD, { lora_name: "a1", lora_path: "/adapters/1" });
      const old = textOf(await ask("a1"));
      rig.fakes[2]?.state.setFaults({ ...fault, paths: [LOAD], count: 1 });
      const told = await call(LOAD, { lora_name: "a1", lora_path: "/adapters/2", load_inplace: true });
      assert.equal(told.status, 424, told.text);
      assert.deepEqual(pathsOf(rig.fakes, "a1"), ["/adapters/1", "/adapters/1", "/adapters/1"]);
      for (let at = 0; at < 6; at += 1) {
        const answer = await ask("a1");
        assert.equal(answer.headers.get("x-adapter-version"), "1");
        assert.equal(textOf(answer), old);
      }
    });

    test(`an unload that one server ${name} leaves all with it`, async () => {
      rig = await startRig([{}, {}]);
      await call(LOAD, { lora_name: "a1", lora_path: "/adapters/1" });
      rig.fakes[0]?.state.setFaults({ ...fault, paths: [UNLOAD], count: 1 });
      const told = await call(UNLOAD, { lora_name: "a1" });
      assert.equal(told.status, 424, told.text);
      assert.deepEqual(pathsOf(rig.fakes, "a1"), ["/adapters/1", "/adapters/1"]);
      assert.equal((await ask("a1")).headers.get("x-adapter-version"), "1");
    });
  }

  test("whose undo fails too is fenced, named, and comes back when it is clean", async () => {
    rig = await startRig([{}, {}]);
    rig.fakes[0]?.state.setFaults({ paths: [UNLOAD], status: 500 });
    rig.fakes[1]?.state.setFaults({ paths: [LOAD], status: 500, count: 1 });
    const told = await call(LOAD, { lora_name: "a1", lora_path: "/adapters/1" });
    assert.equal(told.status, 424);
    assert.match(messageOf(told), /vllm-1: .*Fenced, because the undo failed there too: vllm-0\./);
    assert.equal(rig.fakes[0]?.state.adapters.has("a1"), true);
    const fenced = (await rig.get("/api/servers/vllm-0")) as unknown as { state: string; last_error: string };
    assert.equal(fenced.state, "quarantined");
    assert.match(fenced.last_error, /The adapter a1 could not be taken back/);
    assert.equal((await ask("tiny")).headers.get("x-served-by"), "vllm-1");
    rig.fakes[0]?.state.setFaults({});
    await until(async () => (await rig!.get("/api/fleet")).state === "ready");
    assert.equal(rig.fakes[0]?.state.adapters.has("a1"), false);
  });

  test("files that were overwritten in place cannot be brought back: nobody serves the name", async () => {
    rig = await startRig([{}, {}]);
    adapterFiles.set("/adapters/live", 1);
    await call(LOAD, { lora_name: "a1", lora_path: "/adapters/live" });
    adapterFiles.set("/adapters/live", 2);
    rig.fakes[1]?.state.setFaults({ paths: [LOAD], status: 500, count: 1 });
    const told = await call(LOAD, { lora_name: "a1", lora_path: "/adapters/live", load_inplace: true });
    assert.equal(told.status, 424);
    assert.match(messageOf(told), /old files were overwritten in place.*from a new path/);
    assert.deepEqual(pathsOf(rig.fakes, "a1"), [undefined, undefined]);
    assert.equal((await ask("a1")).status, 404);
  });
});

describe("versions", () => {
  test("a replacement lets running requests finish, and no answer is of two versions", async () => {
    rig = await startRig([{ tokenDelayMs: 5 }, { tokenDelayMs: 5 }]);
    await call(LOAD, { lora_name: "a1", lora_path: "/adapters/1" });
    const first = textOf(await ask("a1"));
    const early = Promise.all(Array.from({ length: 6 }, () => ask("a1")));
    await until(() => rig!.fakes.some(({ state }) => state.running.size > 0));
    const change = call(LOAD, { lora_name: "a1", lora_path: "/adapters/2", load_inplace: true });
    const late = Promise.all(Array.from({ length: 6 }, () => ask("a1")));
    assert.equal((await change).status, 200);
    const second = textOf(await ask("a1"));
    assert.notEqual(second, first);
    const texts = new Map([
      ["1", first],
      ["2", second],
    ]);
    for (const answer of [...(await early), ...(await late)]) {
      assert.equal(textOf(answer), texts.get(answer.headers.get("x-adapter-version") ?? ""));
    }
  });

  test("changed files behind one path are not answered from the old prefix cache", async () => {
    rig = await startRig([{}, {}]);
    adapterFiles.set("/adapters/live", 1);
    await call(LOAD, { lora_name: "a1", lora_path: "/adapters/live" });
    const old = [textOf(await ask("a1")), textOf(await ask("a1"))];
    adapterFiles.set("/adapters/live", 2);
    assert.equal((await call(LOAD, { lora_name: "a1", lora_path: "/adapters/live", load_inplace: true })).status, 200);
    for (const answer of [await ask("a1"), await ask("a1")]) {
      assert.equal(answer.headers.get("x-adapter-version"), "2");
      assert.ok(!old.includes(textOf(answer)));
    }
  });

  test("servers too old for load_inplace unload and load", async () => {
    rig = await startRig([{ version: "0.12.0" }, {}]);
    await call(LOAD, { lora_name: "a1", lora_path: "/adapters/1" });
    assert.equal((await call(LOAD, { lora_name: "a1", lora_path: "/adapters/2", load_inplace: true })).status, 200);
    assert.deepEqual(rig.fakes[0]?.state.adapters.calls, ["load a1 /adapters/1", "unload a1", "load a1 /adapters/2"]);
    assert.deepEqual(rig.fakes[1]?.state.adapters.calls, ["load a1 /adapters/1", "replace a1 /adapters/2"]);
  });

  test("the prompts of one call are answered by one version", async () => {
    rig = await startRig([{}, {}, {}]);
    await call(LOAD, { lora_name: "a1", lora_path: "/adapters/1" });
    const told = await ask("a1", { prompt: Array.from({ length: 9 }, (_, at) => `prompt ${at}`) });
    assert.equal(told.status, 200, told.text);
    assert.equal(told.headers.get("x-adapter-version"), "1");
    assert.equal(told.headers.get("x-served-by")?.split(",").length, 3);
  });
});

describe("servers that come up", () => {
  test("a restarted one gets the adapters before it is asked for them", async () => {
    rig = await startRig([{}, {}]);
    await call(LOAD, { lora_name: "a1", lora_path: "/adapters/1" });
    await call(LOAD, { lora_name: "a2", lora_path: "/adapters/2" });
    const [first] = rig.fakes;
    first?.restart();
    assert.equal(first?.state.adapters.has("a1"), false);
    await until(() => first?.state.adapters.has("a1") === true && first.state.adapters.has("a2"));
    await until(async () => (await ask("a2")).headers.get("x-served-by") === "vllm-0");
  });

  test("one that is attached later gets them, and one that is detached is not missed", async () => {
    rig = await startRig([{}, {}]);
    await call(LOAD, { lora_name: "a1", lora_path: "/adapters/1" });
    const url = rig.fakes[1]?.url;
    assert.equal((await rig.request("/api/servers/vllm-1", { method: "DELETE" })).status, 204);
    rig.fakes[1]?.restart();
    await call(UNLOAD, { lora_name: "a1" });
    await call(LOAD, { lora_name: "a3", lora_path: "/adapters/3" });
    assert.equal((await rig.post("/api/servers", { url, id: "late" })).status, 201);
    await until(() => rig?.fakes[1]?.state.adapters.has("a3") === true);
    assert.equal(rig.fakes[1]?.state.adapters.has("a1"), false);
  });
});
