/** A trainer that believes it talks to one server drives 1, 2 and 5 fake servers through one URL. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { afterEach, describe, test } from "node:test";
import { bytesOf, type Rig, startRig, TENSORS } from "../support/trainer-rig.ts";

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.end();
  rig = undefined;
});

const digests = (step: number): Record<string, string> =>
  Object.fromEntries(
    TENSORS.map((tensor) => [tensor.name, createHash("sha256").update(bytesOf(tensor, step)).digest("hex")]),
  );

describe("init → start → update → finish", () => {
  for (const sizes of [[1], [2, 1], [4, 1, 2, 1, 8]]) {
    for (const packed of [false, true]) {
      test(`${sizes.length} servers of ${sizes.join(", ")} ranks, ${packed ? "packed" : "tensor by tensor"}`, async () => {
        rig = await startRig(sizes.map((worldSize) => ({ worldSize })));
        const total = sizes.reduce((sum, size) => sum + size, 0);
        assert.deepEqual(await rig.get("/get_world_size"), { world_size: total });
        const joined = await rig.join({ packed });
        assert.equal(joined.status, 200, JSON.stringify(joined.body));
        assert.equal(joined.body.message, "Weight transfer initialized");
        let offset = 1;
        for (const [at, fake] of rig.fakes.entries()) {
          const ranks = sizes[at] ?? 0;
          assert.deepEqual(fake.state.transfer.joins, [{ rankOffset: offset, worldSize: total + 1 }]);
          assert.deepEqual(joined.body.servers[at], { id: `vllm-${at}`, rank_offset: offset, world_size: total + 1 });
          offset += ranks;
        }
        const before = (await rig.ask()).tokens;
        const answers = await rig.sync(joined.trainer, 1, { weight_version: "step-1" });
        assert.deepEqual(
          answers.map(({ status }) => status),
          [200, 200, 200],
          JSON.stringify(answers),
        );
        assert.deepEqual(
          answers.map(({ body }) => body.message),
          ["Weight update started", "Weights updated", "Weight update finished"],
        );
        assert.equal(answers[2]?.body.version, 1);
        for (const fake of rig.fakes) {
          const { transfer } = fake.state;
          assert.deepEqual(Object.fromEntries(transfer.tensors), digests(1));
          assert.deepEqual(
            [...transfer.counts.values()],
            TENSORS.map(() => 1),
          );
          assert.equal(fake.state.weightVersion, "step-1");
          assert.equal(fake.state.paused, false, "resumed after the finish");
        }
        const after = await rig.ask();
        assert.notEqual(after.tokens, before);
        assert.equal(after.version, "1");
        assert.deepEqual(await rig.get("/weight_info"), { weight_version: "step-1" });
        const again = await rig.sync(joined.trainer, 2);
        assert.deepEqual(
          again.map(({ status }) => status),
          [200, 200, 200],
          JSON.stringify(again),
        );
        assert.deepEqual(Object.fromEntries(rig.fakes.at(-1)?.state.transfer.tensors ?? []), digests(2));
        const history = await rig.get("/api/weight-versions");
        assert.deepEqual(
          history.weight_versions.map((one) => [one.version, one.source]),
          [
            [2, "nccl"],
            [1, "nccl"],
            [0, "start"],
          ],
        );
        const audit = await rig.get("/api/audit");
        assert.ok(audit.entries.some((entry) => entry.action === "weight sync ended" && entry.version === 2));
      });
    }
  }
});
