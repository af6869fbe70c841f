/**
 * The worker process: frames on standard input and output, log lines on standard error. Owns the model and the native
 * code, so that a crash there ends this process and no other. Ends by itself as soon as its parent's pipe closes.
 */
import process from "node:process";
import { setImmediate } from "node:timers";
import { createBatcher } from "./batch.ts";
import { createReadOnlyFiles } from "./files.ts";
import { createFrameWriter } from "./frame-writer.ts";
import { loadModel } from "./load-model.ts";
import { createParent, EXIT, type Parent } from "./parent.ts";
import { PROTOCOL_VERSION, type ToWorker } from "./protocol.ts";
import { createWorkerCore, type WorkerCore } from "./requests/core.ts";
import { createSender } from "./send.ts";
import { startTidy } from "./tidy.ts";

/** Bytes that may wait in the pipe before deltas are merged instead of sent. */
const CONGESTED_BYTES = 4 * 2 ** 20;

const { stdout } = process;
const parent: Parent = createParent("worker");
const writer = createFrameWriter(stdout);

const send = createSender({
  write: (frame) => writer.send(frame),
  cancel: (id) => core.handle({ type: "cancel", id }),
  die: (reason) => parent.die(EXIT.protocol, reason),
});

const core: WorkerCore = createWorkerCore({
  files: createReadOnlyFiles(),
  loadModel,
  createBatcher,
  send,
  congested: () => writer.waiting > CONGESTED_BYTES,
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
