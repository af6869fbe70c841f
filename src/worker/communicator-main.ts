/**
 * The communicator's worker process: NCCL, CUDA and rendezvous sockets, with frames on standard input and output. A hang
 * or a crash of native code ends this process and no other; it ends by itself when its owner's pipe closes.
 */
import process from "node:process";
import { setTimeout } from "node:timers";
import type { Clock } from "../ports.ts";
import { CommunicatorCore } from "./communicator/core.ts";
import {
  COMMUNICATOR_PROTOCOL,
  type FromCommunicator,
  type ToCommunicator,
  type WireLibraries,
} from "./communicator-protocol.ts";
import { encodeBytesFrame, encodeFrame } from "./frame.ts";
import { NcclLibrary } from "./native/nccl-library.ts";
import { createParent } from "./parent.ts";

const { stdout } = process;

function send(message: FromCommunicator): Promise<void> {
  return new Promise((resolve) => {
    if (message.type === "data") {
      const { bytes, ...header } = message;
      const [head, body] = encodeBytesFrame(header, bytes);
      stdout.write(head);
      // Resolves when the bytes left: they lie in a buffer that is used again.
      stdout.write(body, () => resolve());
    } else stdout.write(encodeFrame(message), () => resolve());
  });
}

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  timer(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds);
    return { cancel: () => clearTimeout(timer) };
  },
};

const loaded = new Map<string, NcclLibrary>();

/** One per process and pair of paths: koffi keeps a library for ever. */
function load({ nccl, cudart }: WireLibraries): NcclLibrary {
  const paths = {
    nccl: nccl ?? process.env.TIDEGATE_NCCL_LIBRARY,
    cudart: cudart ?? process.env.TIDEGATE_CUDART_LIBRARY,
  };
  const key = JSON.stringify([paths.nccl, paths.cudart]);
  const library =
    loaded.get(key) ??
    new NcclLibrary({
      ...(paths.nccl !== undefined && { nccl: paths.nccl }),
      ...(paths.cudart !== undefined && { cudart: paths.cudart }),
    });
  loaded.set(key, library);
  return library;
}

const random = { uuid: () => crypto.randomUUID(), float: () => Math.random() };
const core = new CommunicatorCore({ clock, random, send, load });

createParent("communicator").serve((message: ToCommunicator) => {
  if (message.type === "stop") void core.close().finally(() => process.exit(0));
  else core.handle(message);
});

void send({ type: "hello", protocol: COMMUNICATOR_PROTOCOL, pid: process.pid });
