/** What the sync benchmarks time: a sync's phases by its events, and a plain copy of a file. */
import { open } from "node:fs/promises";

/** Milliseconds of `performance.now()` at which a sync was first seen in each phase. */
export type PhaseTimes = ReadonlyMap<string, number>;

/** Follows a sync to its end. Throws when it fails. */
export async function followSync(url: string, id: string): Promise<PhaseTimes> {
  const events = await fetch(`${url}/api/weight-syncs/${id}/events`);
  const seen = new Map<string, number>();
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of events.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(piece, { stream: true });
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) {
      if (!line.startsWith("data:")) continue;
      const { sync: now } = JSON.parse(line.slice(5)) as { sync: { phase: string; state: string; error?: object } };
      if (!seen.has(now.phase)) seen.set(now.phase, performance.now());
      if (now.state === "failed") throw new Error(JSON.stringify(now.error));
    }
  }
  return seen;
}

/** Seconds of a plain copy, read, written and flushed: the least that any way over a disk takes. */
export async function copyFlushed(path: string, target: string): Promise<number> {
  const start = performance.now();
  const [from, to] = [await open(path), await open(target, "w")];
  const buffer = new Uint8Array(2 ** 20);
  for (;;) {
    const { bytesRead } = await from.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) break;
    await to.write(buffer.subarray(0, bytesRead));
  }
  await to.sync();
  await from.close();
  await to.close();
  return (performance.now() - start) / 1000;
}
