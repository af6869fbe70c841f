/** Which groups stay in memory: the chooser alone, without a model. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { ResidencyDirective } from "../../src/engine/engine.ts";
import { GatewayError } from "../../src/errors.ts";
import { checkDirective, type GroupSize, isPlain, planTiers } from "../../src/worker/residency/plan-tiers.ts";

const group = (name: string, bytes: number, piece = bytes): GroupSize => ({ name, bytes, piece });
const MODEL = [group("embed", 50, 5), group("layers.0", 100), group("layers.1", 100), group("head", 40, 20)];
const NAMES = MODEL.map(({ name }) => name);
const kept = (directive: ResidencyDirective) => {
  const { tiers, buffers } = planTiers(MODEL, directive);
  return [[...tiers].filter(([, tier]) => tier === "cpu").map(([name]) => name), buffers];
};
const refusal = (work: () => unknown): GatewayError => {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error));
    return error;
  }
  return assert.fail("accepted");
};

describe("planTiers", () => {
  test("without a budget everything stays; with room for all of it as well", () => {
    assert.deepEqual(kept({}), [NAMES, 0]);
    assert.deepEqual(kept({ maxInCpuBytes: 290 }), [NAMES, 0]);
  });
  test("what fits beside the buffers stays, in the order of use", () => {
    assert.deepEqual(kept({ maxInCpuBytes: 289 }), [["embed"], 2]);
    assert.deepEqual(kept({ maxInCpuBytes: 289, bufferCount: 1 }), [["embed", "layers.0"], 1]);
  });
  test("buffers give way before groups that were asked for", () => {
    assert.deepEqual(kept({ maxInCpuBytes: 150, groups: { "layers.0": "disk", "layers.1": "disk" } }), [["embed"], 1]);
    assert.deepEqual(kept({ maxInCpuBytes: 200, groups: { "layers.1": "cpu" }, bufferCount: 8 }), [["layers.1"], 1]);
  });
  test("device is memory like cpu", () => {
    const groups = { embed: "disk", "layers.0": "device", "layers.1": "disk", head: "disk" } as const;
    assert.deepEqual(kept({ groups }), [["layers.0"], 2]);
  });
  test("too little: says how many bytes are missing, and of what", () => {
    const error = refusal(() => planTiers(MODEL, { maxInCpuBytes: 99 }));
    assert.equal(error.code, "limit_exceeded");
    assert.equal(error.details.missingBytes, 1);
    assert.match(
      error.message,
      /^1 bytes are missing: one step needs 100 bytes of the largest piece on disk \(layers\.0\)/,
    );
    const named = refusal(() => planTiers(MODEL, { maxInCpuBytes: 120, groups: { head: "cpu" } }));
    assert.equal(named.details.missingBytes, 20);
  });
  test("the whole process stays within the budget where one step lets it", () => {
    const plan = (budget: number, process: number, model: number) => {
      const { tiers } = planTiers(MODEL, { maxInCpuBytes: budget, bufferCount: 1 }, { process, model });
      return [...tiers].filter(([, tier]) => tier === "cpu").map(([name]) => name);
    };
    // 1.1 × 280 = 308: of it 100 for a piece, the rest for what is kept.
    assert.deepEqual(plan(280, 0, 0), ["embed", "layers.0"]);
    assert.deepEqual(plan(280, 60, 60), ["embed"]);
    assert.deepEqual(plan(280, 100, 100), []);
    // Not even one step beside the program: then the program is left out of the account.
    assert.deepEqual(plan(280, 250, 60), ["embed", "head"]);
    // Nor beside what the model computes with: the budget can only mean the weights.
    assert.deepEqual(plan(280, 250, 250), ["embed", "layers.0"]);
  });
  test("never more than the budget, and the missing bytes are exactly enough", () => {
    const sizes = fc.array(fc.nat({ max: 1000 }), { minLength: 3, maxLength: 12 });
    const tier = fc.constantFrom("cpu", "disk", undefined);
    fc.assert(
      fc.property(
        sizes,
        fc.array(tier, { maxLength: 12 }),
        fc.nat({ max: 6000 }),
        fc.integer({ min: 1, max: 4 }),
        (bytes, tiers, budget, bufferCount) => {
          const model = bytes.map((size, index) => group(`layers.${index}`, size));
          const groups = Object.fromEntries(
            model.flatMap(({ name }, index) => (tiers[index] === undefined ? [] : [[name, tiers[index]]])),
          );
          const directive = { maxInCpuBytes: budget, groups, bufferCount };
          try {
            const plan = planTiers(model, directive);
            assert.ok(plan.memory <= budget);
            for (const [name, asked] of Object.entries(groups)) assert.equal(plan.tiers.get(name), asked);
          } catch (error) {
            if (!(error instanceof GatewayError)) throw error;
            const enough = planTiers(model, { ...directive, maxInCpuBytes: budget + error.details.missingBytes! });
            assert.ok(enough.memory <= budget + error.details.missingBytes!);
          }
        },
      ),
    );
  });
});

describe("checkDirective", () => {
  const refused = (directive: ResidencyDirective) => refusal(() => checkDirective(directive, NAMES)).details.param;
  test("names the field at fault", () => {
    assert.equal(refused({ maxInCpuBytes: -1 }), "maxInCpuBytes");
    assert.equal(refused({ maxGatheredBytes: 0.5 }), "maxGatheredBytes");
    assert.equal(refused({ bufferCount: 0 }), "bufferCount");
    assert.equal(refused({ groups: { "layers.7": "disk" } }), "groups.layers.7");
    assert.equal(refused({ groups: { head: "nvme" as "disk" } }), "groups.head");
    checkDirective({ maxInCpuBytes: 0, bufferCount: 3, groups: { head: "disk", embed: "device" } }, NAMES);
  });
  test("plain: nothing is limited, moved or pinned", () => {
    assert.ok(isPlain({}) && isPlain({ groups: { embed: "cpu" }, bufferCount: 4 }));
    assert.ok(
      !isPlain({ maxInCpuBytes: 1 }) && !isPlain({ groups: { head: "disk" } }) && !isPlain({ pinMemory: true }),
    );
  });
});
