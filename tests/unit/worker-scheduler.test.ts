/** The loop between batcher and requests: what shares its thread gets its turns. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Batcher } from "../../src/worker/batch-types.ts";
import { Scheduler } from "../../src/worker/requests/scheduler.ts";

/** Milliseconds on a clock that only steps and turns move. */
const [STEP, TURN] = [10, 1];

/** Counts the steps that are made until something else has had `work` turns of the event loop. */
async function countSteps(work: number, shares: boolean): Promise<number> {
  let [time, steps, left] = [0, 0, work];
  const batcher = {
    idle: false,
    running: 1,
    waiting: 0,
    step: () => {
      steps += 1;
      time += STEP;
      return [];
    },
  } as unknown as Batcher;
  return await new Promise((resolve, reject) => {
    const scheduler: Scheduler = new Scheduler({
      batcher,
      maxQueue: 1,
      accept: () => {},
      refuse: () => {},
      flush: () => {},
      fail: reject,
      now: () => time,
      ...(shares ? { sharing: () => left > 0 } : {}),
      turn: async () => {
        await null;
        time += TURN;
        left -= 1;
        if (left > 0) return;
        scheduler.stop();
        resolve(steps);
      },
    });
  });
}

describe("the scheduler's thread", () => {
  test("one turn between two steps", async () => {
    assert.equal(await countSteps(300, false), 300);
  });

  test("what shares it gets as long as a step takes", async () => {
    assert.equal(await countSteps(300, true), 300 / (STEP / TURN));
  });

  test("once it is done, steps follow each other again", async () => {
    let [time, turns, steps] = [0, 0, 0];
    const batcher = {
      idle: false,
      running: 1,
      waiting: 0,
      step: () => {
        steps += 1;
        time += STEP;
        return [];
      },
    } as unknown as Batcher;
    await new Promise<void>((resolve, reject) => {
      const scheduler: Scheduler = new Scheduler({
        ...{ batcher, maxQueue: 1, accept: () => {}, refuse: () => {}, flush: () => {}, fail: reject, now: () => time },
        sharing: () => turns < 15,
        turn: async () => {
          await null;
          time += TURN;
          turns += 1;
          if (turns < 100) return;
          scheduler.stop();
          resolve();
        },
      });
    });
    // Ten turns after the first step, five after the second, then one each.
    assert.equal(steps, 2 + 85);
  });
});
