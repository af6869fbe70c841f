/**
 * The five-server sync hit at each step by each fault in turn. In the suite a part of it; the full run:
 *
 *   TIDEGATE_FAULTS=1000 npm test -- tests/chaos/trainer-faults.test.ts
 *
 * Every scenario is named by step, fault and server; the order is that of TIDEGATE_SEED, which is printed.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { describe, test } from "node:test";
import { ChaosFleet, FAULTS, isTellable, STEPS, type Step } from "../support/trainer-chaos.ts";
import { createDraw } from "../unit/cases/trainer-world.ts";

const WANTED = Number(process.env.TIDEGATE_FAULTS ?? 60);
const SEED = Number(process.env.TIDEGATE_SEED ?? 7);
const FLEETS = WANTED > 200 ? 8 : 4;

/** Every step with every fault, again and again over the servers, in an order of the seed. */
function plan(): [Step, string, number][] {
  const draw = createDraw(SEED);
  const all: [Step, string, number][] = [];
  for (let round = 0; all.length < WANTED; round += 1) {
    for (const step of STEPS)
      for (const fault of Object.keys(FAULTS))
        if (isTellable(step, fault)) all.push([step, fault, (round + draw(5)) % 5]);
  }
  for (let at = all.length - 1; at > 0; at -= 1) {
    const other = draw(at + 1);
    [all[at], all[other]] = [all[other] as (typeof all)[number], all[at] as (typeof all)[number]];
  }
  const only = process.env.TIDEGATE_ONLY;
  return (only === undefined ? all : all.filter((one) => one.join(", ").includes(only))).slice(0, WANTED);
}

describe("five servers, one fault at a time", () => {
  test(`${WANTED} faults, seed ${SEED}`, async () => {
    const scenarios = plan();
    const run = async (): Promise<ChaosFleet> => {
      const fleet = await ChaosFleet.start();
      for (let next = scenarios.shift(); next !== undefined; next = scenarios.shift()) await fleet.run(...next);
      await fleet.end();
      return fleet;
    };
    const fleets = await Promise.all(Array.from({ length: FLEETS }, run));
    const violations = fleets.flatMap(({ verdict }) => verdict.violations);
    const faults = fleets.reduce((sum, { verdict }) => sum + verdict.faults, 0);
    const answers = fleets.reduce((sum, { verdict }) => sum + verdict.answers, 0);
    const late = Math.max(...fleets.map(({ verdict }) => verdict.late));
    console.log(
      `seed ${SEED}: ${faults} faults, ${answers} answers, ${violations.length} violations; longest call ${late.toFixed(2)} s over its deadline`,
    );
    assert.deepEqual(violations, []);
    assert.ok(process.env.TIDEGATE_ONLY !== undefined || faults === WANTED);
    assert.ok(answers > 0);
  });
});
