/** examples/grpo-arithmetic: its mathematics, a few steps of its TypeScript trainer, and that its page shows what its logs hold. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import type { LogLine, StepLine } from "../../examples/grpo-arithmetic/log.ts";
import { toPlot } from "../../examples/grpo-arithmetic/plot.ts";
import { createRandom, readSums, reward } from "../../examples/grpo-arithmetic/task.ts";
import { Arena } from "../../examples/grpo-arithmetic/typescript/matmul.ts";
import { Model } from "../../examples/grpo-arithmetic/typescript/model.ts";
import { train } from "../../examples/grpo-arithmetic/typescript/train.ts";
import { readModel, toBfloat16 } from "../../examples/grpo-arithmetic/typescript/weights.ts";
import type { Fleet } from "../../src/contract/control/fleet.ts";
import { json, modelPath, repository, type Served, serve } from "./serve.ts";

const root = pathToFileURL(repository);

describe("the mathematics of the GRPO example", () => {
  test("matrix products are those of the definition, at every remainder of rows", () => {
    const random = createRandom(1);
    const arena = new Arena(1);
    for (const [m, k, n] of [
      [1, 1, 8],
      [7, 5, 16],
      [12, 33, 24],
    ] as const) {
      const [a, b, c] = [arena.take(m * k), arena.take(k * n), arena.take(m * n)];
      for (const values of [a, b, c]) for (const index of values.keys()) values[index] = random() - 0.5;
      const expected = Array.from(c, (start, at) => {
        let sum = start;
        for (let p = 0; p < k; p += 1) sum += a[Math.floor(at / n) * k + p]! * b[p * n + (at % n)]!;
        return sum;
      });
      arena.multiplyAdd(c, a, b, { m, k, n });
      for (const [at, value] of expected.entries()) assert.ok(Math.abs(c[at]! - value) < 1e-5);
    }
    assert.throws(
      () => arena.multiplyAdd(arena.take(9), arena.take(9), arena.take(9), { m: 3, k: 3, n: 3 }),
      /multiple of 8/,
    );
    assert.throws(() => new Arena(1).take(2 ** 20), /full/);
  });

  test("every gradient is the slope that a small step shows", async () => {
    const arena = new Arena(64);
    const { config, parameters } = await readModel(modelPath("base"), arena);
    const model = new Model(config, parameters, arena);
    // Lengths differ, one completion is a single token: all shapes of the tree.
    const group = { prompt: [1, 40, 50, 60], completions: [[70, 80, 90, 2], [71], [72, 82]] };
    const slopes = group.completions.map((ids, index) =>
      Float32Array.from(ids, (_, token) => Math.cos(3 * index + token)),
    );
    const loss = (): number => {
      model.changed();
      const rows = model.run(group);
      return rows.reduce(
        (sum, row, index) => row.reduce((all, value, at) => all + value * slopes[index]![at]!, sum),
        0,
      );
    };
    model.run(group, () => slopes);
    for (const [name, { values }] of parameters) {
      const gradient = model.gradients.get(name)!;
      const at = gradient.reduce(
        (best, value, index) => (Math.abs(value) > Math.abs(gradient[best]!) ? index : best),
        0,
      );
      const [own, step] = [values[at]!, 4e-3];
      values[at] = own + step;
      const above = loss();
      values[at] = own - step;
      const slope = (above - loss()) / (2 * step);
      values[at] = own;
      assert.ok(
        Math.abs(slope - gradient[at]!) < 0.02 * Math.abs(slope) + 2e-3,
        `${name}: ${gradient[at]} against ${slope}`,
      );
    }
  });

  test("bfloat16 rounds to nearest, ties to even", () => {
    for (const [value, bits] of [
      [1, 0x3f80],
      [1 + 2 ** -8, 0x3f80],
      [1 + 3 * 2 ** -8, 0x3f82],
      [-2, 0xc000],
    ] as const) {
      assert.equal(toBfloat16(value), bits);
    }
  });

  test("held-out sums are in no order among the others; the last integer counts", async () => {
    const { training, heldOut } = await readSums(root);
    assert.equal(heldOut.length, 250);
    const held = new Set(heldOut.flatMap(([a, b]) => [`${a} ${b}`, `${b} ${a}`]));
    assert.ok(training.every(([a, b]) => !held.has(`${a} ${b}`)));
    assert.equal(reward([17, 25], "17 + 25 = 30 + 12 = 42."), 1);
    assert.equal(reward([17, 25], "42 or 43"), 0);
    assert.equal(reward([17, 25], "none"), 0);
  });
});

describe("the GRPO example through a gateway", () => {
  let served: Served;
  before(async () => {
    served = await serve(["--model", "models/tide-nano/base"]);
  });
  after(() => served?.stop());

  test("each step: rollouts of the version before, logprobs equal to the trainer's own, new weights published", async () => {
    const lines: LogLine[] = [];
    await train({
      url: served.url,
      model: modelPath("base"),
      root,
      seed: 5,
      steps: 3,
      prompts: 4,
      samples: 4,
      rate: 1e-3,
      updates: 2,
      evaluateEvery: 0,
      onLine: (line) => lines.push(line),
    });
    const steps = lines.filter((line): line is StepLine => line.kind === "step");
    assert.deepEqual(
      steps.map(({ weight_version }) => weight_version),
      [0, 1, 2],
    );
    for (const { logprob_delta_mean, tokens } of steps) {
      assert.ok(logprob_delta_mean <= 1e-3 && tokens > 16 * 4, `${logprob_delta_mean} over ${tokens} tokens`);
    }
    assert.ok(steps.some(({ teaching }) => teaching > 0));
    const { body } = await json<Fleet>(`${served.url}/api/fleet`);
    assert.equal(body.weight_version, 3);
    assert.equal(body.weight_digest, steps.at(-1)?.digest);
  });
});

const folder = `${repository}examples/grpo-arithmetic/`;

describe("the page of the GRPO example", () => {
  test("there is a run of the trainer that needs nothing", () =>
    assert.ok(existsSync(`${folder}runs/typescript.jsonl`)));
  for (const trainer of ["typescript", "python"].filter((name) => existsSync(`${folder}runs/${name}.jsonl`))) {
    test(`${trainer}: the plot is that of the log, the figures of the page are the log's`, async () => {
      const log = await readFile(`${folder}runs/${trainer}.jsonl`, "utf8");
      assert.equal(await readFile(`${folder}runs/${trainer}.svg`, "utf8"), toPlot(log));
      const lines = log
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as LogLine);
      const evaluations = lines.filter((line) => line.kind === "evaluation");
      const steps = lines.filter((line) => line.kind === "step");
      const [first, last] = [evaluations[0]!, evaluations.at(-1)!];
      assert.ok((last.right - first.right) / last.of >= 0.2);
      assert.ok(steps.every(({ logprob_delta_mean }) => logprob_delta_mean <= 1e-3));
      assert.ok(steps.every(({ step, weight_version }) => weight_version === step - 1));
      const end = lines.find((line) => line.kind === "end")!;
      const page = await readFile(`${folder}README.md`, "utf8");
      const row = page.split("\n").find((line) => line.startsWith(`| \`${trainer}\``)) ?? "";
      const share = ({ right, of }: typeof first): string => `${((100 * right) / of).toFixed(1)} %`;
      const worst = Math.max(...steps.map(({ logprob_delta_mean }) => logprob_delta_mean)).toExponential(1);
      const twenty = evaluations.find(({ right, of }) => (right - first.right) / of >= 0.2)!;
      assert.ok(twenty.elapsed_s < 600, `20 points took ${twenty.elapsed_s} s`);
      for (const figure of [
        `${twenty.elapsed_s.toFixed(0)} s`,
        share(first),
        share(last),
        worst,
        `${steps.length}`,
        `${end.elapsed_s.toFixed(0)} s`,
      ]) {
        assert.ok(row.includes(figure), `${figure} is not in ${row}`);
      }
      assert.ok(existsSync(`${folder}runs/${trainer}.svg`) && page.includes(`runs/${trainer}.svg`));
    });
  }
});
