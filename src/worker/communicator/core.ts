/** The communicator worker's calls: groups by name, one abort signal per call, bytes in and out under credit. */
import { GatewayError } from "../../errors.ts";
import { orAborted } from "../../lib/deadline.ts";
import {
  type CommunicatorCall,
  DATA_CREDIT,
  DATA_PIECE,
  type FromCommunicator,
  type ToCommunicator,
  type WireLibraries,
} from "../communicator-protocol.ts";
import type { NcclLibrary } from "../native/nccl-library.ts";
import { toWireError } from "../protocol.ts";
import { ByteQueue } from "./byte-queue.ts";
import { type Group, type GroupEnvironment, openGroup } from "./group.ts";

type Call = Extract<ToCommunicator, { type: CommunicatorCall }>;

/** What the process gives its core. */
export interface CoreEnvironment extends Omit<GroupEnvironment, "library"> {
  /** Resolves when the pipe took the message. */
  readonly send: (message: FromCommunicator) => Promise<void> | void;
  /** Loads libnccl and the CUDA runtime; the same object for the same paths. */
  readonly load: (libraries: WireLibraries) => NcclLibrary;
}

interface Running {
  readonly controller: AbortController;
  readonly queue: ByteQueue;
  /** Bytes that may still be sent to the owner. */
  credit: number;
  wake: (() => void) | undefined;
}

/** Handles the owner's messages. */
export class CommunicatorCore {
  readonly #environment: CoreEnvironment;
  readonly #groups = new Map<string, Group>();
  readonly #running = new Map<number, Running>();

  /** See the file's head. */
  constructor(environment: CoreEnvironment) {
    this.#environment = environment;
  }

  /** Never throws; a failed call is answered with its error. */
  handle(message: ToCommunicator): void {
    switch (message.type) {
      case "data":
        this.#running.get(message.id)?.queue.push(message.bytes);
        return;
      case "credit": {
        const running = this.#running.get(message.id);
        if (running === undefined) return;
        running.credit += message.bytes;
        running.wake?.();
        return;
      }
      case "cancel":
        this.#running
          .get(message.id)
          ?.controller.abort(new GatewayError("client_closed", "The call was given up by its owner."));
        return;
      case "stop":
        return;
      default:
        void this.#answer(message);
    }
  }

  /** Ends every group. */
  async close(): Promise<void> {
    for (const { controller } of this.#running.values()) controller.abort(new Error("The worker ends."));
    const groups = [...this.#groups.values()];
    this.#groups.clear();
    await Promise.allSettled(groups.map((group) => group.close()));
  }

  async #answer(call: Call): Promise<void> {
    const { id } = call;
    const running: Running = {
      controller: new AbortController(),
      queue: new ByteQueue((bytes) => void this.#environment.send({ type: "credit", id, bytes })),
      credit: DATA_CREDIT,
      wake: undefined,
    };
    this.#running.set(id, running);
    try {
      const result = await this.#run(call, running);
      await this.#environment.send({ type: "result", id, result });
    } catch (error) {
      await this.#environment.send({ type: "error", id, error: toWireError(error) });
    } finally {
      this.#running.delete(id);
    }
  }

  async #run(call: Call, running: Running): Promise<unknown> {
    const { signal } = running.controller;
    const onProgress = ({ tensors, bytes }: { tensors: number; bytes: number }): void =>
      void this.#environment.send({ type: "progress", id: call.id, tensors, bytes });
    switch (call.type) {
      case "probe": {
        const library = this.#environment.load(call.libraries);
        await library.destroyStream(await library.createStream());
        return { nccl: library.version };
      }
      case "open": {
        if (this.#groups.has(call.group)) {
          throw new GatewayError("conflict", `The group ${call.group} is there already; close it first.`);
        }
        const library = this.#environment.load(call.libraries);
        const onListening = (host: string, port: number): void =>
          void this.#environment.send({ type: "listening", id: call.id, host, port });
        const group = await openGroup(call, { ...this.#environment, library }, signal, onListening);
        this.#groups.set(call.group, group);
        group.left.addEventListener("abort", () => {
          if (this.#groups.get(call.group) !== group) return;
          void this.#environment.send({ type: "lost", group: call.group, error: toWireError(group.left.reason) });
        });
        return { nccl: library.version };
      }
      case "send": {
        const step = { timeout: call.timeout, signal };
        const take = (bytes: number) => running.queue.take(bytes, signal);
        return await this.#group(call.group).send(call.tensors, call.packed, take, step, onProgress);
      }
      case "receive": {
        const step = { timeout: call.timeout, signal };
        const give = (piece: Uint8Array) => this.#give(call.id, running, piece);
        return await this.#group(call.group).receive(call.tensors, call.packed, call.root, give, step, onProgress);
      }
      case "hold":
        await this.#group(call.group).hold(call.tensor, call.root, { timeout: call.timeout, signal });
        return null;
      case "pass": {
        const step = { timeout: call.timeout, signal };
        await this.#group(call.group).pass(this.#group(call.from), call.tensor, step);
        return null;
      }
      case "barrier":
        await this.#group(call.group).barrier({ timeout: call.timeout, signal });
        return null;
      case "close": {
        const group = this.#groups.get(call.group);
        this.#groups.delete(call.group);
        await group?.close();
        return null;
      }
    }
  }

  async #give(id: number, running: Running, piece: Uint8Array): Promise<void> {
    for (let at = 0; at < piece.length; at += DATA_PIECE) {
      const bytes = piece.subarray(at, at + DATA_PIECE);
      while (running.credit < bytes.length) {
        const more = new Promise<void>((resolve) => {
          running.wake = resolve;
        });
        await orAborted(more, running.controller.signal);
      }
      running.credit -= bytes.length;
      await this.#environment.send({ type: "data", id, bytes });
    }
  }

  #group(name: string): Group {
    const group = this.#groups.get(name);
    if (group !== undefined) return group;
    throw new GatewayError("conflict", `There is no group ${name}; open it first.`, { phase: "transfer" });
  }
}
