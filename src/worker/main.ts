/**
 * The worker process: frames on standard input and output, log lines on standard error. Owns the model and the native
 * code, so that a crash there ends this process and no other. Ends by itself as soon as its parent's pipe closes.
 */
import process from "node:process";
import { setImmediate } from "node:timers";
import { createBatcher } from "./batch.ts";
import { createReadOnlyFiles } from "./files.ts";
import { encodeFrame } from "./frame.ts";
import { loadModel } from "./load-model.ts";
import { createParent, EXIT, type Parent } from "./parent.ts";
import { type FromWorker, PROTOCOL_VERSION, type ToWorker } from "./protocol.ts";
import { createWorkerCore } from "./requests/core.ts";
import { startTidy } from "./tidy.ts";

/** Bytes that may wait in the pipe before deltas are merged instead of sent. */
const CONGESTED_BYTES = 4 * 2 ** 20;

const { stdout } = process;
const parent: Parent = createParent("worker");

function send(message: FromWorker): void {
  let frame: Uint8Array;
  try {
    frame = encodeFrame(message);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (message.type !== "events" && message.type !== "result") parent.die(EXIT.protocol, reason);
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
  fail: (error) => parent.die(EXIT.failed, error),
});

parent.serve((message: ToWorker) => {
  if (message.type === "stop") process.exit(0);
  core.handle(message);
});
stdout.on("drain", () => core.drained());
void startTidy();

send({
  type: "hello",
  protocol: PROTOCOL_VERSION,
  pid: process.pid,
  runtime: `${process.versions.bun ? "bun" : process.versions.deno ? "deno" : "node"} ${process.versions.bun ?? process.versions.deno ?? process.versions.node}`,
});
