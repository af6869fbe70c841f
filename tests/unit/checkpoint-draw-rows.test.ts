import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { COVARIANCE_FACTOR, createNormal, createRowDraw } from "../../src/checkpoint/draw-rows.ts";

const draw = (rows: Float32Array, width: number, count: number, factor: number, seed = 1): Float32Array => {
  const started = createRowDraw({ width, count, seed, stream: 0, factor });
  started.add(rows);
  return started.rows();
};

/** Rows of two columns that go together: the second is twice the first, and some noise of its own. */
function correlated(count: number): Float32Array {
  const normal = createNormal(5, 0);
  const out = new Float32Array(count * 2);
  for (let row = 0; row < count; row += 1) {
    const first = normal();
    out[row * 2] = 3 + first;
    out[row * 2 + 1] = -1 + 2 * first + 0.5 * normal();
  }
  return out;
}

/** Means and the covariance matrix of two columns. */
function momentsOf(rows: Float32Array): { means: [number, number]; covariance: [number, number, number] } {
  const count = rows.length / 2;
  const means: [number, number] = [0, 0];
  for (let index = 0; index < rows.length; index += 1) means[index % 2]! += rows[index]! / count;
  const covariance: [number, number, number] = [0, 0, 0];
  for (let row = 0; row < count; row += 1) {
    const [a, b] = [rows[row * 2]! - means[0], rows[row * 2 + 1]! - means[1]];
    covariance[0] += (a * a) / count;
    covariance[1] += (a * b) / count;
    covariance[2] += (b * b) / count;
  }
  return { means, covariance };
}

const near = (actual: number, expected: number, tolerance: number): void =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected} ± ${tolerance}`);

test("standard normal numbers: moments, tails, and a pinned first draw", () => {
  const normal = createNormal(0, 0);
  const moments = [0, 0, 0, 0];
  let beyond = 0;
  const count = 200_000;
  for (let index = 0; index < count; index += 1) {
    const value = normal();
    for (let power = 0; power < 4; power += 1) moments[power]! += value ** (power + 1) / count;
    if (Math.abs(value) > 1.959964) beyond += 1;
  }
  near(moments[0]!, 0, 0.01);
  near(moments[1]!, 1, 0.02);
  near(moments[2]!, 0, 0.05);
  // Irwin–Hall of twelve: 2.9 where the normal distribution has 3.
  near(moments[3]!, 2.9, 0.1);
  near(beyond / count, 0.05, 0.005);
  assert.equal(createNormal(0, 0)(), createNormal(0, 0)());
  assert.notEqual(createNormal(0, 0)(), createNormal(0, 1)());
  assert.notEqual(createNormal(1, 0)(), createNormal(-1, 0)());
  assert.notEqual(createNormal(1, 0)(), createNormal(1 + 2 ** 32, 0)());
});

describe("new rows", () => {
  test("have the mean and the scaled covariance of the old", () => {
    const rows = correlated(300);
    const old = momentsOf(rows);
    const drawn = momentsOf(draw(rows, 2, 20_000, 0.25));
    near(drawn.means[0], old.means[0], 0.02);
    near(drawn.means[1], old.means[1], 0.04);
    old.covariance.forEach((value, index) => {
      near(drawn.covariance[index]!, value * 0.25, Math.abs(value) * 0.25 * 0.05);
    });
  });

  test("stay within a few hundred-thousandths of the mean with transformers' factor, and differ", () => {
    const rows = correlated(300);
    const { means } = momentsOf(rows);
    const drawn = draw(rows, 2, 4, COVARIANCE_FACTOR);
    drawn.forEach((value, index) => {
      near(value, means[index % 2]!, 8 * 2.1 * Math.sqrt(COVARIANCE_FACTOR));
    });
    assert.notEqual(drawn[1], drawn[3]);
  });

  test("do not depend on how the old ones are cut", () => {
    const rows = correlated(20);
    const whole = draw(rows, 2, 3, 1);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 20, maxLength: 20 }), (sizes) => {
        const started = createRowDraw({ width: 2, count: 3, seed: 1, stream: 0, factor: 1 });
        let at = 0;
        for (const size of sizes) {
          if (at < rows.length) started.add(rows.subarray(at, at + size * 2));
          at += size * 2;
        }
        assert.deepEqual(started.rows(), whole);
      }),
    );
  });

  test("of equal rows are that row", () => {
    assert.deepEqual([...draw(Float32Array.from([0.5, -2, 0.5, -2]), 2, 2, 1)], [0.5, -2, 0.5, -2]);
  });
});
