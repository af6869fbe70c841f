/** What each policy does to a simulated GRPO step: prefix cache hits, time, evenness. `bun benchmarks/routing/run.ts` */
import type { PolicyName } from "../../src/fleet/choose.ts";
import { runGrpo, type Workload } from "../../tests/support/grpo-workload.ts";

const POLICIES: readonly PolicyName[] = ["least-in-flight", "round-robin", "power-of-two", "weighted", "prefix"];

const BASE: Workload = {
  replicas: 4,
  questions: 64,
  group: 8,
  turns: 3,
  concurrency: 64,
  system: 8,
  cache: 8192,
  seed: 1,
};

const LOADS: readonly (readonly [string, Partial<Workload>])[] = [
  ["4 servers, 64 running, 3 turns", {}],
  ["4 servers, 64 running, 1 turn", { turns: 1 }],
  ["16 servers, 256 running, 3 turns", { replicas: 16, questions: 256, concurrency: 256 }],
  ["4 servers, 16 running, 3 turns", { concurrency: 16 }],
  ["4 servers, long common text", { system: 64 }],
];

for (const [name, over] of LOADS) {
  console.log(`\n${name}\npolicy            hit rate   time (least-in-flight = 1)   most / even share`);
  const base = runGrpo("least-in-flight", { ...BASE, ...over }).makespan;
  for (const policy of POLICIES) {
    const { hitRate, makespan, skew } = runGrpo(policy, { ...BASE, ...over });
    const cells = [
      `${(100 * hitRate).toFixed(1)} %`.padStart(8),
      (makespan / base).toFixed(2).padStart(10),
      skew.toFixed(2).padStart(24),
    ];
    console.log(policy.padEnd(16), ...cells);
  }
}
