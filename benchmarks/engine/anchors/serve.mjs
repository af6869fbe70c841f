// The anchors' side of the talk (operations.ts): one JSON line in, one out. Times are of this process, all threads.
import { createInterface } from "node:readline";

const say = (value) => console.log(JSON.stringify(value));

const cpuSeconds = () => {
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  return (userCPUTime + systemCPUTime) / 1e6;
};

/** A point in time; `since` gives what has passed. */
export function now() {
  const cpu = cpuSeconds();
  const time = performance.now();
  return {
    cpu,
    time,
    since: (start) => ({ cpu: cpu - start.cpu, wall: (time - start.time) / 1000 }),
  };
}

/** Ends the program where its tool is missing. */
export function skip(reason) {
  say({ skip: reason });
  process.exit(0);
}

/** `operations[op](operation)` gives what was measured, or undefined. */
export async function serve(label, operations) {
  say({ ready: label });
  for await (const line of createInterface({ input: process.stdin })) {
    const operation = JSON.parse(line);
    try {
      say((await operations[operation.op]?.(operation)) ?? { none: true });
    } catch (error) {
      say({ error: String(error?.stack ?? error) });
    }
  }
  process.exit(0);
}

export const option = (name, fallback) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : process.argv[at + 1];
};

/** As `toPromptIds` in operations.ts. */
export const toPromptIds = (length, salt, vocabulary = 4096) =>
  Array.from({ length }, (_, index) => 5 + ((index * 7919 + salt * 104_729 + 17) % (vocabulary - 10)));

/** Requests that come one by one to an engine that serves one at a time: `answer(onFirst)` makes one answer. */
export async function oneByOne({ requests, gap, tokens }, answer) {
  const start = now();
  let first = 0;
  for (let index = 0; index < requests; index++) {
    const arrives = start.time + index * gap;
    const early = arrives - performance.now();
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
    let seen = false;
    await answer(() => {
      if (!seen) first += (performance.now() - arrives) / 1000;
      seen = true;
    });
  }
  return { ...now().since(start), tokens: requests * tokens, first: first / requests };
}
