/** What each policy promises: nobody starved, shares kept, beginnings of prompts sent where they are cached. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseConfig } from "../../src/config.ts";
import type { WeightVersion } from "../../src/contract/ids.ts";
import type { EngineSpec } from "../../src/engine/engine.ts";
import { Breaker } from "../../src/fleet/breaker.ts";
import { createChoose, type PolicyName } from "../../src/fleet/choose.ts";
import { PrefixTable } from "../../src/fleet/policies/prefix-table.ts";
import type { ReplicaRecord } from "../../src/fleet/replica.ts";
import { toPrefix } from "../../src/gateway/prefix.ts";
import { createWeights } from "../../src/gateway/specs.ts";
import { createRandom, createRecords, runGrpo, type Workload } from "../support/grpo-workload.ts";
import { createWorld, withReplicas } from "./cases/fleet-rig.ts";

const POLICIES: readonly PolicyName[] = [
  "least-in-flight",
  "round-robin",
  "power-of-two",
  "prefix",
  "session",
  "weighted",
];
const all = (): boolean => true;
const version = (value: number): WeightVersion => value as WeightVersion;
const blocks = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => first * 1000 + index);

describe("every policy", () => {
  test("chooses only whom it may, and starves nobody", () => {
    const histories = fc.record({
      policy: fc.constantFrom(...POLICIES),
      replicas: fc.integer({ min: 1, max: 6 }),
      seed: fc.nat(),
      out: fc.nat({ max: 5 }),
    });
    fc.assert(
      fc.property(histories, ({ policy, replicas, seed, out }) => {
        const random = createRandom(seed);
        const choose = createChoose(policy, { float: random });
        const records = createRecords(replicas);
        const counts = new Map<ReplicaRecord, number>();
        const running: ReplicaRecord[] = [];
        const shut = records[out];
        const fits = (replica: ReplicaRecord): boolean => replica !== shut;
        for (let turn = 0; turn < 60 * replicas; turn += 1) {
          const chosen = choose(records, fits, { prefix: blocks(Math.floor(random() * 40), 6) }, 0);
          if (chosen === undefined) {
            assert.ok(records.every((replica) => !fits(replica)));
            continue;
          }
          assert.notEqual(chosen, shut);
          chosen.inFlight += 1;
          running.push(chosen);
          counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
          // Some end now and then, in any order; a handful of requests per replica runs.
          while (running.length > 5 * replicas || (running.length > 0 && random() < 0.4)) {
            const [ended] = running.splice(Math.floor(random() * running.length), 1);
            if (ended !== undefined) ended.inFlight -= 1;
          }
        }
        for (const replica of records.filter(fits))
          assert.ok((counts.get(replica) ?? 0) > 0, `${policy} starves ${replica.id}`);
      }),
      { numRuns: 150 },
    );
  });

  test("passes over a replica that failed several times, unless nobody else is there", async () => {
    for (const policy of POLICIES) {
      const world = createWorld(policy);
      await withReplicas(world, 2);
      const [bad, good] = world.fleet.replicas() as [ReplicaRecord, ReplicaRecord];
      for (let failure = 0; failure < 5; failure += 1) bad.breaker.onFailure(0, true, 0);
      for (let request = 0; request < 6; request += 1) {
        const lease = world.fleet.acquireNow({
          model: undefined,
          waitMilliseconds: 0,
          exclude: new Set(),
          signal: new AbortController().signal,
        });
        assert.equal(lease?.replica, good, policy);
      }
      const wishes = {
        model: undefined,
        waitMilliseconds: 0,
        exclude: new Set([good.id as string]),
        signal: new AbortController().signal,
      };
      assert.equal(world.fleet.acquireNow({ ...wishes, onlyAdmitted: true }), undefined, policy);
      assert.equal(world.fleet.acquireNow(wishes)?.replica, bad, policy);
    }
  });

  test("with failures at any time: never all breakers open", async () => {
    const step = fc.record({
      replica: fc.nat({ max: 2 }),
      ok: fc.boolean(),
      repeat: fc.integer({ min: 1, max: 6 }),
      pass: fc.constantFrom(0, 500, 2500, 70_000),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const world = createWorld();
        await withReplicas(world, 3);
        const records = world.fleet.replicas() as readonly ReplicaRecord[];
        for (const { replica, ok, repeat, pass } of steps) {
          for (let time = 0; time < repeat; time += 1) {
            const exclude = new Set(records.filter((_, index) => index !== replica).map(({ id }) => id as string));
            const lease = world.fleet.acquireNow({
              model: undefined,
              waitMilliseconds: 0,
              exclude,
              signal: new AbortController().signal,
            });
            lease?.release(ok ? "ok" : "failed");
          }
          await world.clock.advance(pass);
          const now = world.clock.monotonic();
          assert.ok(records.some(({ breaker }) => breaker.admits(now)));
        }
      }),
      { numRuns: 200 },
    );
  });
});

test("a breaker whose trial fails while the others are shut out closes: somebody must answer", () => {
  const breaker = new Breaker();
  for (let failure = 0; failure < 5; failure += 1) breaker.onFailure(0, true, 0);
  assert.equal(breaker.admits(0), false);
  breaker.onLease();
  assert.equal(breaker.onFailure(3000, false, 0), false);
  assert.equal(breaker.state(3000), "closed");
  assert.ok(breaker.admits(3000));
});

describe("power-of-two", () => {
  test("of two replicas never takes the busier one, and is fair among equals", () => {
    const random = createRandom(3);
    const choose = createChoose("power-of-two", { float: random });
    const [one, two] = createRecords(2) as [ReplicaRecord, ReplicaRecord];
    let ones = 0;
    for (let turn = 0; turn < 1000; turn += 1) {
      one.inFlight = Math.floor(random() * 3);
      two.inFlight = Math.floor(random() * 3);
      const chosen = choose([one, two], all, {}, 0);
      if (one.inFlight < two.inFlight) assert.equal(chosen, one);
      else if (two.inFlight < one.inFlight) assert.equal(chosen, two);
      if (chosen === one) ones += 1;
    }
    assert.ok(ones > 400 && ones < 600, `${ones} of 1000`);
  });
});

describe("weighted", () => {
  test("keeps the proportion, idle and under load", () => {
    for (const busy of [false, true]) {
      const choose = createChoose("weighted", { float: () => 0 });
      const records = createRecords(3);
      for (const [index, weight] of [1, 2, 5].entries()) (records[index] as ReplicaRecord).weight = weight;
      const counts = [0, 0, 0];
      for (let turn = 0; turn < 80; turn += 1) {
        const chosen = choose(records, all, {}, 0) as ReplicaRecord;
        counts[records.indexOf(chosen)] = (counts[records.indexOf(chosen)] ?? 0) + 1;
        if (busy) chosen.inFlight += 1;
      }
      assert.deepEqual(counts, [10, 20, 50], busy ? "busy" : "idle");
    }
  });

  test("any weights: an idle fleet gives each its share within one round", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }), (weights) => {
        const choose = createChoose("weighted", { float: () => 0 });
        const records = createRecords(weights.length);
        for (const [index, weight] of weights.entries()) (records[index] as ReplicaRecord).weight = weight;
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const counts = weights.map(() => 0);
        for (let turn = 0; turn < total; turn += 1) {
          const at = records.indexOf(choose(records, all, {}, 0) as ReplicaRecord);
          counts[at] = (counts[at] ?? 0) + 1;
        }
        assert.deepEqual(counts, weights);
      }),
    );
  });
});

describe("prefix", () => {
  test("a group goes to one replica while that is not much busier, other prompts spread", () => {
    const choose = createChoose("prefix", { float: () => 0 });
    const records = createRecords(3);
    const take = (prefix: readonly number[]): ReplicaRecord => {
      const chosen = choose(records, all, { prefix }, 0) as ReplicaRecord;
      chosen.inFlight += 1;
      return chosen;
    };
    const first = [take(blocks(1, 8)), take(blocks(1, 8)), take(blocks(1, 8))];
    assert.equal(new Set(first).size, 1);
    const other = take(blocks(2, 8));
    assert.notEqual(other, first[0]);
    // Half of it is known there: that is worth as much crowding.
    assert.equal(take([...blocks(1, 8), ...blocks(9, 8)]), first[0]);
    // A tenth is not.
    assert.notEqual(take([...blocks(1, 2), ...blocks(7, 18)]), first[0]);
    (first[0] as ReplicaRecord).inFlight = 30;
    assert.notEqual(take(blocks(1, 8)), first[0]);
  });

  test("new weights and a restart forget; what is asked first stays longest", () => {
    const table = new PrefixTable(10);
    table.add(blocks(1, 6), version(1));
    assert.equal(table.match(blocks(1, 8), version(1)), 6);
    assert.equal(table.match(blocks(1, 8), version(2)), 0);
    table.add(blocks(2, 3), version(2));
    assert.equal(table.match(blocks(1, 6), version(2)), 0);
    table.add(blocks(3, 9), version(2));
    assert.equal(table.size, 10);
    assert.equal(table.match(blocks(3, 9), version(2)), 9);
    // The beginning of the older prompt is kept, its end is gone.
    assert.equal(table.match(blocks(2, 3), version(2)), 1);
    table.clear();
    assert.equal(table.match(blocks(3, 9), version(2)), 0);
  });

  test("whatever is added: bounded, and a match is a true beginning", () => {
    const prompts = fc.array(fc.array(fc.nat({ max: 2 }), { minLength: 1, maxLength: 8 }), { maxLength: 40 });
    /** Chained names: equal exactly where everything before is equal. */
    const chain = (path: readonly number[]): number[] =>
      path.map((_, at) => path.slice(0, at + 1).reduce((sum, digit) => sum * 3 + digit, 1));
    fc.assert(
      fc.property(prompts, (paths) => {
        const table = new PrefixTable(12);
        const added = new Set<number>();
        for (const path of paths) {
          const match = table.match(chain(path), version(0));
          for (const block of chain(path).slice(0, match)) assert.ok(added.has(block));
          table.add(chain(path), version(0));
          for (const block of chain(path)) added.add(block);
          assert.ok(table.size <= 12);
          assert.equal(table.match(chain(path), version(0)), path.length);
        }
      }),
    );
  });

  test("a GRPO step hits the caches more often than least-in-flight, and is no slower for it", () => {
    const load: Workload = {
      replicas: 4,
      questions: 64,
      group: 8,
      turns: 3,
      concurrency: 64,
      system: 8,
      cache: 8192,
      seed: 7,
    };
    for (const over of [{}, { turns: 1 }, { replicas: 8, concurrency: 128, seed: 9 }]) {
      const even = runGrpo("least-in-flight", { ...load, ...over });
      const sticky = runGrpo("prefix", { ...load, ...over });
      const shown = JSON.stringify({ even, sticky });
      assert.ok(sticky.hitRate > even.hitRate + 0.1, shown);
      assert.ok(sticky.makespan < even.makespan * 1.02, shown);
      assert.ok(sticky.skew < 1.2 && sticky.fewest > 0, shown);
    }
  });
});

describe("the beginning of a prompt", () => {
  const of = (body: unknown, model = "tiny"): readonly number[] =>
    toPrefix(new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body)), model) ?? [];
  const ids = Array.from({ length: 100 }, (_, index) => (index * 7919) % 50_000);

  test("of token ids is the same however they are written, and differs by model", () => {
    const plain = of({ prompt: ids });
    assert.equal(plain.length, 6);
    assert.deepEqual(of(`{"prompt": [ ${ids.join(" ,\n")} ]}`), plain);
    assert.deepEqual(of({ prompt: [ids, [1, 2]] }), plain);
    assert.deepEqual(of({ prompts: [ids] }), plain);
    assert.notDeepEqual(of({ prompt: ids }, "other"), plain);
    assert.deepEqual(of({ prompt: [...ids.slice(0, 40), 1, ...ids.slice(41)] }).slice(0, 2), plain.slice(0, 2));
    assert.notEqual(of({ prompt: [...ids.slice(0, 40), 1, ...ids.slice(41)] })[2], plain[2]);
  });

  test("of a conversation is that of its next turn", () => {
    const turns = Array.from({ length: 6 }, (_, index) => ({
      role: index % 2 === 0 ? "user" : "assistant",
      content: `turn ${index} `.repeat(12),
    }));
    const short = of({ messages: turns.slice(0, 3) });
    const long = of({ messages: turns });
    assert.ok(short.length > 4 && long.length > short.length);
    assert.deepEqual(long.slice(0, short.length), short);
    assert.deepEqual(of({ messages: [turns.slice(0, 3)] }), short);
  });

  test("is bounded, and absent where there is no prompt", () => {
    assert.ok(of({ prompt: "x".repeat(10_000_000) }).length <= 384);
    for (const body of ["", "[]", "{}", '{"prompt": 3}', '{"prompt": []}', '{"prompt"']) assert.deepEqual(of(body), []);
  });
});

describe("--server-weight", () => {
  test("is read, and refused by name", () => {
    const { serverWeight } = parseConfig({ serverWeight: ["http://127.0.0.1:8001/=2.5", "embedded-0=3"] });
    assert.deepEqual(serverWeight, [
      { server: "http://127.0.0.1:8001", weight: 2.5 },
      { server: "embedded-0", weight: 3 },
    ]);
    for (const bad of ["x", "x=0", "x=-1", "=2", "x=1001"]) {
      assert.throws(() => parseConfig({ serverWeight: [bad] }), /URL=N or ID=N/, bad);
    }
    const weigh = createWeights(serverWeight, [
      { kind: "vllm", url: "http://127.0.0.1:8001" },
      { kind: "embedded" } as EngineSpec,
    ]);
    assert.equal(weigh("vllm-0", "http://127.0.0.1:8001"), 2.5);
    assert.equal(weigh("embedded-0", null), 3);
    assert.equal(weigh("embedded-1", null), 1);
    assert.throws(() => createWeights(serverWeight, []), /names no server of this configuration/);
  });
});
