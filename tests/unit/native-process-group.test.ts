/** Process groups of our own ranks: objects, both barriers, and what goes wrong. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { GatewayError } from "../../src/errors.ts";
import { toPickle } from "../../src/worker/native/pickle-write.ts";
import {
  type BarrierKind,
  joinProcessGroup,
  type ProcessGroup,
  type ProcessGroupOptions,
} from "../../src/worker/native/process-group.ts";
import { connectTcpStore } from "../../src/worker/native/tcp-store-client.ts";
import { listenTcpStore } from "../../src/worker/native/tcp-store-server.ts";
import { clock, random } from "../native/clock.ts";

const host = "127.0.0.1";

async function open(worldSize: number, more: Partial<ProcessGroupOptions> = {}): Promise<ProcessGroup[]> {
  const server = await listenTcpStore({ host, port: 0, clock });
  const join = (rank: number) =>
    joinProcessGroup({
      ...{ host, port: server.port, rank, worldSize, clock, random, timeout: 10_000 },
      ...(rank === 0 && { server }),
      ...more,
    });
  return await Promise.all(Array.from({ length: worldSize }, (_, rank) => join(rank)));
}

const close = async (ranks: ProcessGroup[]): Promise<void> => {
  for (const rank of ranks.toReversed()) await rank.close();
};

const fails = (code: string, says: RegExp) => (error: GatewayError) => {
  assert.equal(error.code, code, error.message);
  assert.match(error.message, says);
  return true;
};

describe("group", () => {
  for (const barrier of ["arrival", "broadcast"] as BarrierKind[]) {
    for (const worldSize of [1, 2, 5]) {
      test(`${worldSize} ranks, ${barrier} barrier: nobody passes before everybody came`, async () => {
        const ranks = await open(worldSize, { barrier });
        const arrived: number[] = [];
        await Promise.all(
          ranks.map(async (rank, index) => {
            for (let round = 0; round < 3; round += 1) {
              await new Promise((resolve) => clock.timer(((index + round) % worldSize) * 10, () => resolve(undefined)));
              arrived.push(round);
              await rank.barrier();
              assert.equal(arrived.filter((each) => each === round).length, worldSize);
            }
          }),
        );
        await close(ranks);
      });
    }
  }

  for (const barrier of ["arrival", "broadcast"] as BarrierKind[]) {
    for (const worldSize of [1, 2, 4]) {
      test(`rank 0 finds out that the other ${worldSize - 1} ranks speak the ${barrier} barrier`, async () => {
        const server = await listenTcpStore({ host, port: 0, clock });
        const place = { host, port: server.port, worldSize, clock, random, timeout: 10_000 };
        const ranks = await Promise.all(
          Array.from({ length: worldSize }, (_, rank) =>
            joinProcessGroup(rank === 0 ? { ...place, rank, server, barrier: "either" } : { ...place, rank, barrier }),
          ),
        );
        let inside = 0;
        await Promise.all(
          ranks.map(async (rank, index) => {
            for (let round = 1; round <= 3; round += 1) {
              await new Promise((resolve) => clock.timer(((index + round) % worldSize) * 10, () => resolve(undefined)));
              inside += 1;
              await rank.barrier();
              assert.ok(inside >= round * worldSize);
              assert.equal(await rank.broadcastObject(`round ${round}`, 0), `round ${round}`);
            }
          }),
        );
        await close(ranks);
      });
    }
  }

  test("objects go from every rank to all, and from one to one in order", async () => {
    const ranks = await open(3);
    const results = await Promise.all(
      ranks.map(async (rank) => {
        const seen = [];
        for (let source = 0; source < 3; source += 1)
          seen.push(await rank.broadcastObject(`from ${rank.rank}`, source));
        seen.push(...(await rank.allGatherObjects(rank.rank)));
        if (rank.rank === 1) for (const value of ["first", "second"]) await rank.sendObject(value, 2);
        if (rank.rank === 2) seen.push(await rank.receiveObject(1), await rank.receiveObject(1));
        return seen;
      }),
    );
    const common = ["from 0", "from 1", "from 2", 0, 1, 2];
    assert.deepEqual(results, [common, common, [...common, "first", "second"]]);
    assert.equal(ranks[0]!.members, 3);
    assert.equal(ranks[1]!.members, undefined);
    await close(ranks);
  });

  test("the arrival barrier leaves no keys of its own; old entries are deleted with the next send", async () => {
    let now = 0;
    const moving = { ...clock, monotonic: () => now };
    const server = await listenTcpStore({ host, port: 0, clock });
    const options = { host, port: server.port, worldSize: 2, clock: moving, random, dataExpiration: 1000 };
    const ranks = await Promise.all([
      joinProcessGroup({ ...options, rank: 0, server }),
      joinProcessGroup({ ...options, rank: 1 }),
    ]);
    for (let round = 0; round < 3; round += 1) await Promise.all(ranks.map((rank) => rank.barrier()));
    // `init/` and the three names of the barriers.
    assert.equal(server.size, 4);
    now = 2000;
    await Promise.all(ranks.map((rank) => rank.barrier()));
    assert.equal(server.size, 2);
    await close(ranks);
  });
});

describe("faults of a group", () => {
  test("ranks that do not come are counted", async () => {
    const options = { host, port: 0, rank: 0, worldSize: 3, clock, random, timeout: 150 };
    await assert.rejects(joinProcessGroup(options), fails("deadline_exceeded", /1 of 3 ranks joined/));
  });

  test("more ranks than the group has are a conflict", async () => {
    const server = await listenTcpStore({ host, port: 0, clock });
    const strangers = [];
    for (let count = 0; count < 2; count += 1) {
      const stranger = await connectTcpStore({ host, port: server.port, clock });
      await stranger.join();
      strangers.push(stranger);
    }
    const options = { host, port: server.port, rank: 0, worldSize: 2, clock, random, server };
    await assert.rejects(joinProcessGroup(options), fails("conflict", /3 ranks joined a group of 2/));
    for (const stranger of strangers) await stranger.close();
  });

  test("a rank that came and died is not counted", async () => {
    const server = await listenTcpStore({ host, port: 0, clock });
    const dead = await connectTcpStore({ host, port: server.port, clock });
    await dead.join();
    await dead.close();
    const options = { host, port: server.port, rank: 0, worldSize: 2, clock, random, server, timeout: 200 };
    await assert.rejects(joinProcessGroup(options), fails("deadline_exceeded", /1 of 2 ranks joined/));
  });

  test("a barrier names the ranks that are missing, and the group goes on", async () => {
    const ranks = await open(3);
    const late = ranks[0]!.barrier({ timeout: 200 });
    const other = ranks[2]!.barrier({ timeout: 200 });
    await assert.rejects(late, fails("deadline_exceeded", /1 of 3 ranks have not reached the barrier in time: 1\./));
    await assert.rejects(other, fails("deadline_exceeded", /1 of 3/));
    assert.equal(ranks[0]!.lost.aborted, false);
    await close(ranks);
  });

  test("the host's end aborts `lost` on every other rank", async () => {
    const ranks = await open(2);
    const waiting = ranks[1]!.receiveObject(0);
    const lost = new Promise((resolve) => ranks[1]!.lost.addEventListener("abort", resolve));
    clock.timer(20, () => void ranks[0]!.close());
    await assert.rejects(waiting, fails("sync_failed", /closed|broke/));
    await lost;
    await ranks[1]!.close();
  });

  test("a hostile rank 0: a call in a pickle, and a barrier's name that is none", async () => {
    const server = await listenTcpStore({ host, port: 0, clock });
    const evil = await connectTcpStore({ host, port: server.port, clock });
    await evil.join();
    const call = new Uint8Array([...toPickle("posix"), ...toPickle("system")]);
    await evil.set("broadcast_from/0/0", call);
    await evil.set("broadcast_from/0/1", toPickle("barrier_/../../x"));
    const group = await joinProcessGroup({ host, port: server.port, rank: 1, worldSize: 2, clock, random });
    await assert.rejects(group.broadcastObject(null, 0), fails("sync_failed", /Pickle refused/));
    await evil.set("broadcast_from/0/0", toPickle("barrier_/../../x"));
    await assert.rejects(group.barrier(), fails("sync_failed", /name of a barrier/));
    await group.close();
    await evil.close();
    await server.close();
  });

  test("impossible ranks, sizes and ports are refused before anybody listens", async () => {
    const options = { host, port: 1, rank: 0, worldSize: 2, clock, random };
    const cases: [Partial<ProcessGroupOptions>, RegExp][] = [
      [{ rank: 2 }, /rank must be an integer from 0 to 1/],
      [{ rank: -1 }, /rank must be/],
      [{ worldSize: 0 }, /worldSize must be/],
      [{ worldSize: 1e9 }, /worldSize must be/],
      [{ rank: 1, port: 0 }, /port must be/],
      [{ rank: 1, host: "0.0.0.0" }, /wildcard/],
    ];
    for (const [wrong, says] of cases) {
      await assert.rejects(joinProcessGroup({ ...options, ...wrong }), fails("invalid_value", says));
    }
  });
});
