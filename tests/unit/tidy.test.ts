/** A gateway with embedded replicas collects its garbage by the work it did; where nobody works, or nothing can be asked, it does not. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startTidy } from "../../src/gateway/tidy.ts";
import { createManualClock } from "../support/manual-clock.ts";

function createRig() {
  const clock = createManualClock();
  const state = { cpuSeconds: 3, collected: 0 };
  const usage = () => ({ rssBytes: 0, cpuSeconds: state.cpuSeconds });
  const collect = (): void => {
    state.collected += 1;
    state.cpuSeconds += 0.03;
  };
  return { clock, state, usage, collect };
}

describe("collecting garbage by use", () => {
  test("once for so much CPU time, however long that takes; its own time does not count", async () => {
    const { clock, state, usage, collect } = createRig();
    const stop = startTidy({ clock, usage, collect });
    await clock.advance(3_600_000);
    assert.equal(state.collected, 0, "an idle hour");
    for (let look = 0; look < 40; look += 1) {
      state.cpuSeconds += 0.11;
      await clock.advance(3000);
    }
    assert.equal(state.collected, 13, "once for each three tenths of a second");
    state.cpuSeconds += 100;
    await clock.advance(30_000);
    assert.equal(state.collected, 14, "much at once is one collection");
    stop();
    assert.equal(clock.pending, 0);
  });

  test("does nothing where the runtime says nothing of itself", () => {
    const { clock, usage, collect } = createRig();
    startTidy({ clock, collect })();
    startTidy({ clock, usage })();
    assert.equal(clock.pending, 0);
  });
});
