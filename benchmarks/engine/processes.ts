/** Processes of a benchmark: a gateway that is started and stopped, CPU time and memory of others. Linux only. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** CPU seconds of all threads that live. */
export function cpuSeconds(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, task) => {
    try {
      return sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]) / 1e9;
    } catch {
      // The thread ended between the two looks.
      return sum;
    }
  }, 0);
}

/** Resident memory, MiB. */
export const residentMebibytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

/** The middle value. */
export const median = (list: readonly number[]): number =>
  list.toSorted((x, y) => x - y)[Math.floor(list.length / 2)] ?? Number.NaN;

/** A served gateway with one embedded replica. */
export interface Gateway {
  readonly url: string;
  readonly pid: number;
  readonly worker: number;
  /** ONNX Runtime's version, the device, the form of the weights. */
  readonly provider: string;
  readonly vocabSize: number;
  stop(): Promise<void>;
}

/** Milliseconds until a gateway that does not end is killed. */
const STOP_GRACE = 10_000;

function waitUntilReady(child: ChildProcess): Promise<string> {
  let output = "";
  return new Promise((resolve, reject) => {
    const take = (bytes: Buffer): void => {
      if (output.length < 100_000) output += bytes.toString();
      const url = /listening on (http:\/\/[^\s"]+)/.exec(output)?.[1];
      if (url !== undefined && /\bready\b.*replicas=/.test(output)) resolve(url);
    };
    child.stdout?.on("data", take);
    child.stderr?.on("data", take);
    child.on("close", () => reject(new Error(`the gateway ended:\n${output}`)));
  });
}

/** Starts `tidegate serve` with these flags; resolves when it is ready. */
export async function startGateway(flags: readonly string[]): Promise<Gateway> {
  const child = spawn(process.execPath, ["src/cli/main.ts", "serve", "--port", "0", ...flags], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_ENV: "production" },
  });
  const closed = new Promise<void>((resolve) => child.on("close", () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_GRACE);
    await closed;
    clearTimeout(timer);
  };
  try {
    const url = await waitUntilReady(child);
    const fleet = (await (await fetch(`${url}/api/fleet`)).json()) as {
      servers: { details: { pid: number; provider: string; vocab_size: number } }[];
    };
    const details = fleet.servers[0]?.details;
    if (details === undefined) throw new Error("the gateway has no replica");
    const { pid: worker, provider, vocab_size: vocabSize } = details;
    return { url, pid: child.pid ?? 0, worker, provider, vocabSize, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
