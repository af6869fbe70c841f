/** Whether servers hold the same weights after a sync: compared where they can tell, else said to be unverified. */
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { toTransferError } from "../../src/engine/vllm/transfer-faults.ts";
import { GatewayError } from "../../src/errors.ts";
import { type Rig, startRig, TENSORS } from "../support/trainer-rig.ts";

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.end();
  rig = undefined;
});

interface Told {
  readonly servers: readonly { readonly id: string; readonly phase: string; readonly verified?: string }[];
  readonly state: string;
}
const lastSync = async (): Promise<Told> =>
  ((await rig!.get("/api/weight-syncs")) as unknown as { weight_syncs: Told[] }).weight_syncs[0]!;

async function sync(servers: Parameters<typeof startRig>[0], config: object, corrupt?: number) {
  rig = await startRig(servers, config as Record<string, unknown>);
  const { trainer } = await rig.join();
  if (corrupt !== undefined) rig.fakes[corrupt]!.state.corrupt = TENSORS[2].name;
  return (await rig.sync(trainer, 1)).at(-1)!;
}

describe("the weights of servers after a sync", () => {
  test("are unverified unless asked for, and no server is asked", async () => {
    assert.equal((await sync([{}, {}], {})).status, 200);
    assert.deepEqual(
      (await lastSync()).servers.map(({ verified }) => verified),
      ["unverified", "unverified"],
    );
    for (const fake of rig!.fakes) assert.equal(fake.seen("/weight_checker").length, 0);
  });

  test("are compared with --compare-weights, among servers of one layout; the others stay unverified", async () => {
    const done = await sync([{}, {}, { worldSize: 2 }, { version: "0.31.0" }], { compareWeights: true });
    assert.equal(done.status, 200, JSON.stringify(done.body));
    const { servers } = await lastSync();
    assert.deepEqual(
      servers.map(({ verified }) => verified),
      ["compared", "compared", "unverified", "unverified"],
    );
  });

  test("that differ are published for nobody: the failure names both servers and the parameter", async () => {
    const done = await sync([{}, {}], { compareWeights: true }, 1);
    assert.equal(done.status, 400, JSON.stringify(done.body));
    assert.match(
      done.body.error.message,
      /vllm-1 does not hold the weights that vllm-0 holds: 1 of 5 parameters differ/,
    );
    assert.match(done.body.error.message, new RegExp(TENSORS[2].name.replaceAll(".", "\\.")));
    const fleet = await rig!.get("/api/fleet");
    assert.equal(fleet.weight_version, 0);
    assert.deepEqual(
      fleet.servers.map(({ state }) => state),
      ["quarantined", "quarantined"],
    );
    assert.equal((await lastSync()).state, "failed");
  });
});

describe("what a server says of a trainer's mistake", () => {
  const told = (words: string): GatewayError =>
    toTransferError(
      new GatewayError("upstream_failed", "500", {
        upstream: `Worker failed with error '${words}', please check the stack trace`,
      }),
      "http://10.0.0.7:8000",
      "/update_weights",
    );

  test("a tensor that the model does not have", () => {
    const error = told(
      "There is no module or parameter named 'model.layerz' in Qwen2ForCausalLM. The available are: {}",
    );
    assert.equal(error.code, "weights_unexpected_tensor");
    assert.equal(error.details.tensor, "model.layerz");
    assert.match(error.message, /no tensor model\.layerz\. Send the names of the model's checkpoint/);
  });

  test("a master that nobody reaches", () => {
    const error = told("The client socket has timed out after 15000ms while trying to connect to (10.9.9.9, 51216).");
    assert.equal(error.status, 424);
    assert.match(error.message, /Is the trainer listening there/);
  });
});
