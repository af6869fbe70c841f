/**
 * The trainer machine against a world of servers with every fault: whatever it lets serve must hold exactly the weights
 * that are written down for it, and the fleet can always be used again. Sequences: TIDEGATE_SEQUENCES (default 100000).
 */
import assert from "node:assert/strict";
import process from "node:process";
import { describe, test } from "node:test";
import { createDraw, TENSORS, World } from "./cases/trainer-world.ts";

const SEQUENCES = Number(process.env.TIDEGATE_SEQUENCES ?? 100_000);
const SEED = Number(process.env.TIDEGATE_SEED ?? 20_261_123);
const EVENTS = 22;

/** Good weather until every server serves the newest version: the fleet can always be used again. */
function recover(world: World): void {
  for (const id of world.ids) {
    const server = world.server(id);
    while (server.alive && server.queue.length > 0) world.act(server);
    if (!server.alive) {
      Object.assign(server, { ...world.fresh(false, 0), alive: true });
      world.dispatch({ type: "restarted", replica: id });
    }
  }
  const conclude = (): void => {
    for (let turn = 0; turn < 50; turn += 1) {
      const { stage } = world.state;
      if (stage === "draining") world.dispatch({ type: "drained" });
      if (stage === "publishing") world.publish(true);
      for (const [id, job] of [...world.asked]) {
        const server = world.server(id);
        while (!job.acted && server.queue.includes(job)) world.act(server);
        world.asked.delete(id);
        if (job.acted) world.dispatch({ type: "done", replica: id });
      }
      for (const id of [...world.verifying]) {
        world.verifying.delete(id);
        world.dispatch({ type: "verified", replica: id, ok: world.server(id).label === world.session, reason: "" });
      }
      if (
        world.asked.size === 0 &&
        world.verifying.size === 0 &&
        !["draining", "publishing"].includes(world.state.stage)
      )
        break;
    }
    if (!["idle", "open"].includes(world.state.stage)) world.dispatch({ type: "deadline", message: "left over" });
    if (world.state.stage === "publishing") world.publish(true);
    if (!["idle", "open"].includes(world.state.stage)) world.dispatch({ type: "deadline", message: "left over" });
  };
  conclude();
  conclude();
  world.dispatch({ type: "abandoned", reason: "the trainer begins anew" });
  conclude();
  world.join(world.ids);
  conclude();
  world.dispatch({ type: "start", absent: [] });
  conclude();
  world.update(TENSORS);
  conclude();
  world.dispatch({ type: "finish" });
  conclude();
  for (const id of world.ids) {
    const server = world.server(id);
    assert.ok(server.serving, `${id} serves again: ${JSON.stringify(world.state.members)}`);
    assert.equal(server.written, world.published);
  }
}

describe("trainer machine", () => {
  test(`${SEQUENCES} random sequences`, () => {
    for (let at = 0; at < SEQUENCES; at += 1) {
      const seed = SEED + at * 7919;
      const draw = createDraw(seed);
      const world = new World(1 + draw(3), draw);
      try {
        for (let event = 0; event < EVENTS; event += 1) world.step();
        if (at % 4 === 0) recover(world);
      } catch (error) {
        throw new Error(
          `seed ${seed}: ${error instanceof Error ? error.message : error}\n${world.log.map((event) => JSON.stringify(event)).join("\n")}`,
          { cause: error },
        );
      }
    }
  });
});
