/** What a trainer gets wrong is refused before any server sees it, with the mend; revisions get the bodies they take. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { TransferCall } from "../../src/engine/engine.ts";
import { toRevision } from "../../src/engine/vllm/revision.ts";
import { toPacking, toTransferRequest } from "../../src/engine/vllm/transfer-codec.ts";
import { toTransferError } from "../../src/engine/vllm/transfer-faults.ts";
import { GatewayError } from "../../src/errors.ts";
import { type Rig, startRig, updateInfo } from "../support/trainer-rig.ts";

describe("bad input", () => {
  let rig: Rig;
  before(async () => {
    rig = await startRig([{ worldSize: 2 }, {}], {}, { fetch, resolve: () => Promise.reject(new Error("ENOTFOUND")) });
  });
  after(() => rig.end());

  const good = { master_address: "127.0.0.1", master_port: 29_500, rank_offset: 1, world_size: 4 };
  const cases: readonly [string, string, unknown, number, RegExp][] = [
    ["no init_info", "/init_weight_transfer_engine", {}, 400, /init_info is required/],
    [
      "wildcard",
      "/init_weight_transfer_engine",
      { init_info: { ...good, master_address: "0.0.0.0" } },
      400,
      /wildcard.*trainer's own address/,
    ],
    [
      "IPv6 wildcard",
      "/init_weight_transfer_engine",
      { init_info: { ...good, master_address: "::" } },
      400,
      /wildcard/,
    ],
    [
      "multicast",
      "/init_weight_transfer_engine",
      { init_info: { ...good, master_address: "224.0.0.1" } },
      400,
      /multicast/,
    ],
    [
      "a URL",
      "/init_weight_transfer_engine",
      { init_info: { ...good, master_address: "http://a" } },
      400,
      /host name or IP/,
    ],
    [
      "port 0",
      "/init_weight_transfer_engine",
      { init_info: { ...good, master_port: 0 } },
      400,
      /master_port must be an integer from 1 to 65535, got 0/,
    ],
    [
      "no offset",
      "/init_weight_transfer_engine",
      { init_info: { ...good, rank_offset: undefined } },
      400,
      /rank_offset is required/,
    ],
    [
      "offset 0",
      "/init_weight_transfer_engine",
      { init_info: { ...good, rank_offset: 0 } },
      400,
      /rank_offset must be an integer from 1/,
    ],
    [
      "a rank twice",
      "/init_weight_transfer_engine",
      { init_info: { ...good, world_size: 3 } },
      409,
      /world_size must be 4, got 3: 1 of the trainer.*vllm-0: 2, vllm-1: 1/,
    ],
    [
      "a rank too many",
      "/init_weight_transfer_engine",
      { init_info: { ...good, world_size: 5 } },
      409,
      /must be 4, got 5/,
    ],
    [
      "both rendezvous",
      "/init_weight_transfer_engine",
      { init_info: { ...good, nccl_unique_id_b64: "AAAA" } },
      400,
      /not both/,
    ],
    [
      "bad id",
      "/init_weight_transfer_engine",
      { init_info: { rank_offset: 1, world_size: 4, nccl_unique_id_b64: "AAAA" } },
      400,
      /128 bytes in standard base64/,
    ],
    [
      "a block for documents",
      "/init_weight_transfer_engine",
      { init_info: { ...good, master_address: "192.0.2.7" } },
      400,
      /reserved block.*trainer's own address/,
    ],
    [
      "a name that nobody knows",
      "/init_weight_transfer_engine",
      { init_info: { ...good, master_address: "trainer.invalid" } },
      400,
      /"trainer.invalid", and that name does not resolve. Send the trainer's IP address/,
    ],
    [
      "packed as text",
      "/init_weight_transfer_engine",
      { init_info: { ...good, packed: "yes" } },
      400,
      /packed must be true or false/,
    ],
    [
      "a buffer of nothing",
      "/init_weight_transfer_engine",
      { init_info: { ...good, packed: true, packed_buffer_size_bytes: 0 } },
      400,
      /packed_buffer_size_bytes must be an integer from 1/,
    ],
    [
      "an id of 129 bytes",
      "/init_weight_transfer_engine",
      { init_info: { rank_offset: 1, world_size: 4, nccl_unique_id_b64: Buffer.alloc(129).toString("base64") } },
      400,
      /128 bytes in standard base64/,
    ],
    ["start first", "/start_weight_update", {}, 409, /init_weight_transfer_engine first/],
    ["update first", "/update_weights", { update_info: updateInfo() }, 409, /start_weight_update first/],
    ["finish first", "/finish_weight_update", {}, 409, /nothing to finish/],
    ["no update_info", "/update_weights", {}, 400, /update_info is required/],
    [
      "unequal",
      "/update_weights",
      { update_info: { names: ["a", "b"], dtype_names: ["float32"], shapes: [[1], [1]] } },
      400,
      /equal length, got 2, 1 and 2/,
    ],
    [
      "dtype",
      "/update_weights",
      { update_info: { names: ["a"], dtype_names: ["torch.float32"], shapes: [[1]] } },
      400,
      /dtype_names.0 must be a torch dtype without its prefix/,
    ],
    [
      "shape",
      "/update_weights",
      { update_info: { names: ["a"], dtype_names: ["float32"], shapes: [[-1]] } },
      400,
      /shapes.0 must be an array of sizes/,
    ],
    [
      "a name twice",
      "/update_weights",
      { update_info: { names: ["a", "a"], dtype_names: ["int8", "int8"], shapes: [[1], [1]] } },
      400,
      /has \\?"a\\?" twice/,
    ],
    ["backwards", "/finish_weight_update", { weight_version: "0" }, 409, /goes backwards: the fleet serves version 0/],
    ["a number as label", "/finish_weight_update", { weight_version: 3 }, 400, /weight_version must be/],
  ];
  for (const [name, path, body, status, words] of cases) {
    test(name, async () => {
      const answer = await rig.post(path, body);
      assert.equal(answer.status, status, JSON.stringify(answer.body));
      assert.match(answer.body.error.message, words);
      for (const fake of rig.fakes) assert.deepEqual(fake.seen(path), [], "a server was asked");
    });
  }

  test("an empty fleet, and a fleet with embedded replicas, say so", async () => {
    const gone = await startRig([{}]);
    gone.fakes[0]?.state.setFaults({ health: "drop" });
    for (let wait = 0; wait < 200 && gone.gateway.fleet.server("vllm-0")?.state !== "unreachable"; wait += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const answer = await gone.post("/init_weight_transfer_engine", { init_info: good });
    assert.equal(answer.status, 409);
    assert.match(answer.body.error.message, /No server is up to take weights. vllm-0: /);
    await gone.end();
  });
});

describe("revisions", () => {
  const init = {
    master_address: "a",
    master_port: 1,
    rank_offset: 1,
    world_size: 2,
    packed: true,
    packed_buffer_size_bytes: 9,
  };
  const bare = { master_address: "a", master_port: 1, rank_offset: 1, world_size: 2 };
  const update = { names: ["a"], dtype_names: ["float32"], shapes: [[1]] };
  const bodies = (version: string, packing = init as Record<string, unknown>) => {
    const revision = toRevision(version);
    const of = (call: TransferCall): unknown => toTransferRequest(revision, call, toPacking(packing))?.json;
    return {
      join: of({ type: "join", info: packing }),
      start: of({ type: "start", checkpointFormat: true }),
      update: of({ type: "update", update }),
      finish: of({ type: "finish", label: "x" }),
    };
  };
  const session = { start: {}, finish: { weight_version: "x" } };
  const old = {
    join: { init_info: bare },
    update: { update_info: { packed: true, packed_buffer_size_bytes: 9, ...update } },
  };
  const expected: Readonly<Record<string, unknown>> = {
    "0.20.2": { ...old, start: undefined, finish: undefined },
    "0.21.0": { ...old, ...session, start: { is_checkpoint_format: true } },
    "0.25.1": { ...old, ...session, start: { is_checkpoint_format: true } },
    "0.27.0": { ...old, ...session },
    "0.28.0": { ...session, join: { init_info: init }, update: { update_info: update } },
    "0.32.0": { ...session, join: { init_info: init }, update: { update_info: update } },
    "1.0.0": { ...session, join: { init_info: init }, update: { update_info: update } },
  };
  for (const [version, shape] of Object.entries(expected)) {
    test(version, () => assert.deepEqual(bodies(version), shape));
  }

  test("packed in the update of a new server, and a unique id for an old one, are refused with the mend", () => {
    const late: TransferCall = { type: "update", update: { ...update, packed: true } };
    assert.throws(() => toTransferRequest(toRevision("0.32.0"), late, {}), /belongs into init_info/);
    assert.deepEqual(toTransferRequest(toRevision("0.32.0"), late, { packed: true })?.json, { update_info: update });
    const id: TransferCall = { type: "join", info: { nccl_unique_id_b64: "A", rank_offset: 1, world_size: 2 } };
    assert.throws(() => toTransferRequest(toRevision("0.29.0"), id, {}), /needs vLLM 0.30 or newer.*0.29.0/);
  });

  for (const version of ["0.20.2", "0.22.1", "0.26.0", "0.28.0", "0.30.0", "0.32.0"]) {
    test(`a whole sync with a fake ${version}`, async () => {
      const rig = await startRig([{ version }, { version: "0.32.0" }]);
      const { trainer, status, body } = await rig.join({ packed: true });
      assert.equal(status, 200, JSON.stringify(body));
      const answers = await rig.sync(trainer, 3);
      assert.deepEqual(
        answers.map((one) => one.status),
        [200, 200, 200],
        JSON.stringify(answers),
      );
      assert.equal(rig.fakes[0]?.state.serving, rig.fakes[1]?.state.serving);
      const reset = await rig.post("/reset_prefix_cache");
      assert.equal(reset.status, 200);
      await rig.end();
    });
  }

  test("128 random bytes are a unique id for servers from 0.30 on, and reach every one of them", async () => {
    const rig = await startRig([{ version: "0.30.0", worldSize: 2 }, { version: "0.32.0" }]);
    // The fake finds its trainer by the address that stands in the id.
    const { listenAsTrainer } = await import("../fakes/vllm/tcp-peer.ts");
    const trainer = await listenAsTrainer(4);
    const id = Buffer.alloc(128);
    id.write(`127.0.0.1:${trainer.port}`);
    const info = { nccl_unique_id_b64: id.toString("base64"), rank_offset: 1, world_size: 4 };
    const answer = await rig.post("/init_weight_transfer_engine", { init_info: info });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assert.deepEqual(
      rig.fakes.map(({ state }) => state.transfer.joins),
      [[{ rankOffset: 1, worldSize: 4 }], [{ rankOffset: 3, worldSize: 4 }]],
    );
    await trainer.close();
    await rig.end();
  });

  test("a trainer of the time before 0.21 sends one update and nothing else", async () => {
    const rig = await startRig([{ version: "0.19.1" }, { version: "0.20.0" }]);
    const { trainer } = await rig.join();
    const updating = rig.post("/update_weights", { update_info: updateInfo() });
    const { broadcast } = await import("../support/trainer-rig.ts");
    broadcast(trainer, 4, false);
    const answer = await updating;
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assert.equal(answer.body.version, 1);
    assert.equal((await rig.ask()).version, "1");
    await rig.end();
  });
});

test("a server under another of this machine's names is the same server: it would count twice in the group", async () => {
  const rig = await startRig([{}]);
  const { port } = new URL(rig.fakes[0]?.url ?? "");
  const answer = await rig.post("/api/servers", { url: `http://localhost:${port}/` });
  assert.equal(answer.status, 409);
  assert.match(String(answer.body.detail), /is attached already, as vllm-0/);
  assert.deepEqual(await rig.get("/get_world_size"), { world_size: 1 });
  await rig.end();
});

describe("what a 500 of a weight call means", () => {
  const wrap = (words: string) =>
    `Call to collective_rpc method failed: Worker failed with error '${words}', please check the stack trace above for the root cause`;
  const cases: readonly [string, string][] = [
    [
      wrap(
        "Invalid init_info for NCCLWeightTransferEngine: NCCLWeightTransferInitInfo.__init__() got an unexpected keyword argument 'colour'",
      ),
      "invalid_value",
    ],
    [wrap("NCCLWeightTransferInitInfo: nccl_unique_id_b64 must decode to 128 bytes, got 3"), "invalid_value"],
    [wrap("`dtype_names` should be of the same size as `names`: got 0 and 1"), "invalid_value"],
    [
      wrap("start_weight_update called while a weight update is already active. Call finish_weight_update first."),
      "conflict",
    ],
    [wrap("finish_weight_update called without a matching start_weight_update."), "conflict"],
    ["finish_weight_update called without a preceding start_weight_update.", "conflict"],
    [
      "start_weight_update called while a weight update is already in progress. Call finish_weight_update first.",
      "conflict",
    ],
    [wrap("start_weight_update must be called before update_weights."), "conflict"],
    [wrap("NCCL weight transfer not initialized. Call init_transfer_engine() first."), "conflict"],
    [wrap("Found no NVIDIA driver on your system."), "replica_failed"],
    [
      wrap("The client socket has timed out after 15000ms while trying to connect to (127.0.0.1, 45671)."),
      "replica_failed",
    ],
    ["cannot schedule new futures after shutdown", "replica_failed"],
    ["EngineCore encountered an issue. See stack trace (above) for the root cause.", "replica_failed"],
  ];
  for (const [text, code] of cases) {
    test(`${code}: ${text.slice(0, 90)}`, () => {
      const error = toTransferError(
        new GatewayError("upstream_failed", "x", { upstream: text }),
        "http://a",
        "/start_weight_update",
      );
      assert.equal(error.code, code);
      assert.doesNotMatch(error.details.upstream ?? "", /collective_rpc/);
    });
  }
});
