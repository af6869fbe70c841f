/**
 * A simulated GRPO step over simulated servers with real prefix caches: what a routing policy is worth, without a
 * server. Groups of samples as single requests, several turns each (an answer, a tool's result, the next question).
 * Deterministic for a seed. Uses the chooser of the fleet and nothing else of the gateway.
 */
import type { ReplicaId, WeightVersion } from "../../src/contract/ids.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { createChoose, type PolicyName } from "../../src/fleet/choose.ts";
import { ReplicaRecord } from "../../src/fleet/replica.ts";

export interface Workload {
  readonly replicas: number;
  readonly questions: number;
  /** Samples of a question, each a request of its own. */
  readonly group: number;
  readonly turns: number;
  /** Requests that the trainer keeps running. */
  readonly concurrency: number;
  /** Blocks (of 16 tokens) that all prompts begin with. */
  readonly system: number;
  /** Blocks that one server's cache holds. */
  readonly cache: number;
  readonly seed: number;
}

export interface Measured {
  /** Share of all prompt blocks that were in the cache of the server that got them. */
  readonly hitRate: number;
  /** Time until the last request ended, in decoded blocks; a cached block costs nothing, another one a tenth of a decoded one. */
  readonly makespan: number;
  /** Requests of the server that got most, as a multiple of an even share. */
  readonly skew: number;
  /** Requests of the server that got fewest. */
  readonly fewest: number;
}

/** One server's cache: blocks, the least recently used goes first. */
class Cache {
  readonly #blocks = new Set<number>();
  readonly #limit: number;
  constructor(limit: number) {
    this.#limit = limit;
  }
  /** How many of the first blocks are here; afterwards all are. */
  use(blocks: readonly number[]): number {
    let hits = 0;
    while (hits < blocks.length && this.#blocks.has(blocks[hits] as number)) hits += 1;
    for (const block of blocks) {
      this.#blocks.delete(block);
      this.#blocks.add(block);
    }
    for (const block of this.#blocks) {
      if (this.#blocks.size <= this.#limit) break;
      this.#blocks.delete(block);
    }
    return hits;
  }
}

/** A small generator with a seed (mulberry32): the same numbers on every machine. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Replicas as the chooser sees them, all ready. */
export function createRecords(count: number): ReplicaRecord[] {
  return Array.from({ length: count }, (_, index) => {
    const record = new ReplicaRecord(`vllm-${index}` as ReplicaId, {} as Engine);
    record.weightVersion = 0 as WeightVersion;
    record.setHealth("up", null);
    return record;
  });
}

/** A request on a replica until `end`; without one, a tool that runs until then. */
interface Running {
  readonly end: number;
  readonly replica?: ReplicaRecord;
  readonly turn: number;
  readonly blocks: readonly number[];
}

/** Runs one step to its end. */
export function runGrpo(policy: PolicyName, load: Workload): Measured {
  const random = createRandom(load.seed);
  const between = (least: number, most: number): number => least + Math.floor(random() * (most - least + 1));
  const choose = createChoose(policy, { float: createRandom(load.seed + 1) });
  const records = createRecords(load.replicas);
  const caches = new Map(records.map((record) => [record, new Cache(load.cache)]));
  const counts = new Map(records.map((record) => [record, 0]));
  let next = 0;
  const fresh = (count: number): number[] => Array.from({ length: count }, () => (next += 1));
  const system = fresh(load.system);
  const queue = Array.from({ length: load.questions }, () => [...system, ...fresh(between(8, 24))]).flatMap((blocks) =>
    Array.from({ length: load.group }, () => ({ blocks, turn: 1 })),
  );
  const running: Running[] = [];
  let now = 0;
  let asked = 0;
  let hit = 0;
  const start = ({ blocks, turn }: { readonly blocks: readonly number[]; readonly turn: number }): void => {
    const replica = choose(records, () => true, { prefix: blocks }, now);
    if (replica === undefined) throw new Error("no replica");
    const hits = caches.get(replica)?.use(blocks) ?? 0;
    asked += blocks.length;
    hit += hits;
    replica.inFlight += 1;
    counts.set(replica, (counts.get(replica) ?? 0) + 1);
    // A busy server decodes a little slower for everyone.
    const pace = 1 + replica.inFlight / 64;
    running.push({ end: now + ((blocks.length - hits) / 10 + between(4, 20)) * pace, replica, turn, blocks });
  };
  for (;;) {
    while (running.length < load.concurrency && queue.length > 0) start(queue.shift() as (typeof queue)[number]);
    if (running.length === 0) break;
    let first = 0;
    for (const [index, one] of running.entries()) if (one.end < (running[first] as Running).end) first = index;
    const [done] = running.splice(first, 1) as [Running];
    now = done.end;
    if (done.replica === undefined) {
      start(done);
      continue;
    }
    done.replica.inFlight -= 1;
    // The answer is in the cache of its server; what a tool says is new to all.
    const answered = [...done.blocks, ...fresh(between(4, 12))];
    caches.get(done.replica)?.use(answered);
    if (done.turn === load.turns) continue;
    running.push({ end: now + between(1, 20), turn: done.turn + 1, blocks: [...answered, ...fresh(between(1, 4))] });
  }
  const requests = [...counts.values()];
  const total = requests.reduce((sum, count) => sum + count, 0);
  return {
    hitRate: hit / asked,
    makespan: now,
    skew: (Math.max(...requests) * load.replicas) / total,
    fewest: Math.min(...requests),
  };
}
