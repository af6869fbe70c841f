/**
 * The worker process: frames on standard input and output, log lines on standard error. Owns the model and the native
 * code, so that a crash there ends this process and no other. Ends by itself as soon as its parent's pipe closes.
 */
import process from "node:process";
import { setImmediate } from "node:timers";
import { createBatcher } from "./batch.ts";
import { createReadOnlyFiles } from "./files.ts";
import { encodeFrame, FrameReader } from "./frame.ts";
import { loadModel } from "./load-model.ts";
import { type FromWorker, PROTOCOL_VERSION, type ToWorker } from "./protocol.ts";
import { createWorkerCore } from "./requests/core.ts";

/** Bytes that may wait in the pipe before deltas are merged instead of sent. */
const CONGESTED_BYTES = 4 * 2 ** 20;

/** The exit codes the parent shows: a step failed, or the pipe carried something that is no frame. */
const EXIT_FAILED = 70;
const EXIT_PROTOCOL = 76;

const { stdin, stdout } = process;

/** A last word on standard error; the parent logs it. Written at once, because the process ends after it. */
function die(code: number, reason: string): never {
  process.stderr.write(`worker: ${reason}\n`);
  process.exit(code);
}

function send(message: FromWorker): void {
  let frame: Uint8Array;
  try {
    frame = encodeFrame(message);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (message.type !== "events" && message.type !== "result") die(EXIT_PROTOCOL, reason);
    frame = encodeFrame({
      type: "error",
      id: message.id,
      error: { code: "payload_too_large", message: reason, details: {} },
    } satisfies FromWorker);
  }
  stdout.write(frame);
}

const core = createWorkerCore({
  files: createReadOnlyFiles(),
  loadModel,
  createBatcher,
  send,
  congested: () => stdout.writableLength > CONGESTED_BYTES,
  now: () => new Date(),
  drawSeed: () => crypto.getRandomValues(new Uint32Array(1))[0] ?? 0,
  turn: () => new Promise((resolve) => void setImmediate(resolve)),
  fail: (error) => die(EXIT_FAILED, error instanceof Error ? (error.stack ?? error.message) : String(error)),
});

const reader = new FrameReader();
stdin.on("data", (chunk: Uint8Array) => {
  let messages: unknown[];
  try {
    messages = reader.push(chunk);
  } catch (error) {
    return die(EXIT_PROTOCOL, error instanceof Error ? error.message : String(error));
  }
  for (const message of messages as ToWorker[]) {
    if (message.type === "stop") process.exit(0);
    core.handle(message);
  }
});
// The parent is gone: nobody is left to answer, and an orphan would hold the model's memory.
for (const event of ["end", "close", "error"] as const) stdin.on(event, () => process.exit(0));
stdout.on("error", () => process.exit(0));
stdout.on("drain", () => core.drained());
// A terminal's Ctrl-C reaches the whole group; the parent ends its workers in order.
process.on("SIGINT", () => {});
process.on("uncaughtException", (error) => die(EXIT_FAILED, error.stack ?? error.message));
process.on("unhandledRejection", (error) => die(EXIT_FAILED, String(error)));

send({
  type: "hello",
  protocol: PROTOCOL_VERSION,
  pid: process.pid,
  runtime: `${process.versions.bun ? "bun" : process.versions.deno ? "deno" : "node"} ${process.versions.bun ?? process.versions.deno ?? process.versions.node}`,
});
