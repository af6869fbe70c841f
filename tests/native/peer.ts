/**
 * A TypeScript peer for the rendezvous suite, as a program: reads one JSON line of instructions on standard input, answers
 * with JSON lines on standard output. `tests/interop/python/rendezvous.py` starts it beside real torch.
 *
 *   {"role": "server"}                                         → {"port": N}, until standard input closes
 *   {"role": "client", "port": N, "operations": [[name, …]]}   → {"results": [...]}
 *   {"role": "rank", "port": N, "rank": R, "worldSize": W, "barrier": "arrival", "steps": [[name, …]]}
 *                              → {"port": N} from rank 0, then {"results": [...]}; leaves when standard input closes
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import { createInterface } from "node:readline";
import { type BarrierKind, joinProcessGroup } from "../../src/worker/native/process-group.ts";
import { connectTcpStore } from "../../src/worker/native/tcp-store-client.ts";
import { listenTcpStore } from "../../src/worker/native/tcp-store-server.ts";
import { clock, random } from "./clock.ts";
import { fromJson, type Json, toJson } from "./tagged.ts";

type Step = [string, ...Json[]];
interface Instructions {
  readonly role: "server" | "client" | "rank";
  readonly port: number;
  readonly rank: number;
  readonly worldSize: number;
  readonly barrier: BarrierKind;
  readonly operations: Step[];
  readonly steps: Step[];
}

const host = "127.0.0.1";
const timeout = 20_000;
const say = (answer: unknown): void => void process.stdout.write(`${JSON.stringify(answer)}\n`);
const toBytes = (text: Json | undefined): Uint8Array => Buffer.from(String(text), "utf8");
const toText = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");

const lines = createInterface({ input: process.stdin });
const told = new Promise<void>((resolve) => lines.once("close", resolve));

async function runClient({ port, operations }: Instructions): Promise<Json[]> {
  const store = await connectTcpStore({ host, port, clock, timeout });
  const results: Json[] = [];
  for (const [name, ...args] of operations) {
    const key = String(args[0]);
    const keys = (args[0] ?? []) as string[];
    if (name === "set") results.push((await store.set(key, toBytes(args[1]))) ?? null);
    else if (name === "get") results.push(toText(await store.get(key)));
    else if (name === "add") results.push(Number(await store.add(key, BigInt(Number(args[1])))));
    else if (name === "check") results.push(await store.check(keys));
    else if (name === "wait") {
      const milliseconds = Number(args[1]);
      results.push(
        await store.wait(keys, { timeout: milliseconds }).then(
          () => "ready",
          () => "timeout",
        ),
      );
    } else if (name === "compare_set")
      results.push(toText(await store.compareSet(key, toBytes(args[1]), toBytes(args[2]))));
    else if (name === "num_keys") results.push(await store.keyCount());
    else if (name === "delete_key") results.push(await store.deleteKey(key));
    else if (name === "set_large")
      results.push((await store.set(key, new Uint8Array(Number(args[1])).fill(7))) ?? null);
    else if (name === "get_large") results.push((await store.get(key)).reduce((sum, byte) => sum + byte, 0));
    else throw new Error(`unknown operation ${name}`);
  }
  await store.close();
  return results;
}

async function runRank({ port, rank, worldSize, barrier, steps }: Instructions): Promise<void> {
  const server = rank === 0 ? await listenTcpStore({ host, port, clock }) : undefined;
  if (server !== undefined) say({ port: server.port });
  const group = await joinProcessGroup({
    host,
    port,
    rank,
    worldSize,
    barrier,
    clock,
    random,
    timeout,
    ...(server && { server }),
  });
  const results: Json[] = [];
  for (const [name, ...args] of steps) {
    if (name === "broadcast") {
      const source = Number(args[0]);
      results.push(toJson(await group.broadcastObject(source === rank ? fromJson(args[1]!) : null, source)));
    } else if (name === "all_gather") {
      results.push((await group.allGatherObjects(fromJson((args[0] as Json[])[rank]!))).map(toJson));
    } else if (name === "send") {
      const [source, destination, value] = [Number(args[0]), Number(args[1]), fromJson(args[2]!)];
      if (rank === source) await group.sendObject(value, destination);
      results.push(rank === destination ? toJson(await group.receiveObject(source)) : null);
    } else if (name === "barrier") results.push((await group.barrier()) ?? "passed");
    else throw new Error(`unknown step ${name}`);
  }
  say({ results });
  // Rank 0 hosts the store: it stays until everyone is done.
  await told;
  await group.close();
}

let begun = false;
lines.on("line", (line) => {
  if (begun) return;
  begun = true;
  const instructions = JSON.parse(line) as Instructions;
  const run = async (): Promise<void> => {
    if (instructions.role === "client") say({ results: await runClient(instructions) });
    else if (instructions.role === "rank") await runRank(instructions);
    else {
      const server = await listenTcpStore({ host, port: 0, clock });
      say({ port: server.port });
      await told;
      await server.close();
    }
  };
  run().then(
    () => process.exit(0),
    (error) => {
      say({ error: String(error) });
      process.exit(1);
    },
  );
});
