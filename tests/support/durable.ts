/** A gateway as a process of its own, with a store that outlives it, in front of fake vLLM servers of this process. */

import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Fleet } from "../../src/contract/control/fleet.ts";
import type { WeightSync } from "../../src/contract/control/weight-syncs.ts";
import { type FakeVllm, startFakeVllm } from "../fakes/vllm-server.ts";
import { json, postJson, runArguments } from "../system/serve.ts";
import { writeSafetensorsFile } from "./safetensors-file.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const { execPath, env } = process;

/** A started gateway. */
export interface Front {
  readonly url: string;
  readonly pid: number;
  output(): string;
  /** Resolves when the process is gone. */
  end(signal: "SIGKILL" | "SIGTERM"): Promise<number | null>;
  /** Stops and continues it, as a machine that is suspended does. */
  signal(name: "SIGSTOP" | "SIGCONT"): void;
}

/** Starts `tidegate serve`; resolves when it says where it listens and no server is starting any more. */
export async function startFront(args: readonly string[], quick = true): Promise<Front> {
  const words = [...runArguments("src/cli/main.ts"), "serve", "--port", "0", "--drain-timeout", "1", ...args];
  const child = spawn(execPath, words, { cwd: repository, stdio: ["ignore", "pipe", "pipe"], env });
  let output = "";
  let ended = false;
  const closed = new Promise<number | null>((resolve) => child.on("close", resolve));
  void closed.then(() => {
    ended = true;
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (bytes: Buffer) => {
      output += bytes.toString();
    });
  }
  let url: string | undefined;
  for (let tries = 0; ; tries += 1) {
    if (ended) throw new Error(`it ended before it was ready:\n${output}`);
    if (tries > 3000) throw new Error(`it was not ready in time:\n${output}`);
    url ??= /listening on (http:\/\/[^\s"]+)/.exec(output)?.[1];
    if (url !== undefined && (!quick || /"?ready"?.*replicas/.test(output))) {
      const states = await json<Fleet>(`${url}/api/fleet`).then(
        ({ body }) => body.servers.map(({ state }) => state),
        () => ["starting"],
      );
      if (states.length > 0 && states.every((state) => state !== "starting" && state !== "unreachable")) break;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    url,
    pid: child.pid ?? 0,
    output: () => output,
    end(signal) {
      child.kill(signal);
      return closed;
    },
    signal: (name) => void child.kill(name),
  };
}

/** Fake servers of this process. */
export const startFakes = (count: number): Promise<FakeVllm[]> =>
  Promise.all(Array.from({ length: count }, (_, at) => startFakeVllm({ name: `fake-${at}` })));

/** A checkpoint that fakes take; `step` makes it another one. */
export function writeCheckpoint(room: string, step: number): string {
  const directory = join(room, `step-${step}`);
  mkdirSync(directory, { recursive: true });
  const data = new Uint8Array(new Float32Array(64).fill(step + 0.5).buffer);
  writeSafetensorsFile(join(directory, "model.safetensors"), [
    { name: "model.norm.weight", dtype: "F32", shape: [64], data },
  ]);
  writeFileSync(join(directory, "config.json"), "{}");
  return directory;
}

/** Starts a sync from disk; with `wait`, answers when it has ended. */
export const startSync = (url: string, path: string, wait: number, headers: Record<string, string> = {}) =>
  postJson<WeightSync & { readonly code?: string; readonly detail?: string }>(
    `${url}/api/weight-syncs`,
    { source: { kind: "disk", path }, deadline_s: 30 },
    { ...(wait > 0 ? { prefer: `wait=${wait}` } : {}), ...headers },
  );

/** One short generation. */
export async function ask(url: string, headers: Record<string, string> = {}) {
  const answer = await postJson<unknown>(
    `${url}/v1/completions`,
    { model: "tiny", prompt: "The gateway", max_tokens: 2, temperature: 0 },
    { "x-request-timeout": "1", ...headers },
  );
  const { status, headers: told } = answer;
  return { status, version: told.get("x-weight-version"), by: told.get("x-served-by"), body: answer.body };
}
