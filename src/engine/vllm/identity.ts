/**
 * Proves that the process which is about to answer is the one whose weights are known. A process lives on in its
 * connections: while one is open, no other process can answer over it. So a connection is proved once, by a look at who
 * is there that begins after the connection was made: processes behind a URL only follow one another, and if the old one
 * is still there at the look, it was there when the connection was made. (Behind a balancer of several servers no such
 * thing can be told; one URL is one server.)
 */
import { GatewayError } from "../../errors.ts";
import type { Clock } from "../../ports.ts";
import type { Client } from "./client.ts";
import { connectionFault } from "./faults.ts";
import {
  hasOwnLabel,
  type Instance,
  isOtherInstance,
  isSameInstance,
  mergeInstance,
  readInstance,
  readLabel,
} from "./instance.ts";

/** A server under load may take seconds for its metrics; a request that waits longer than this is better elsewhere. */
const CONFIRM_MILLISECONDS = 5000;
/** How old a proof may be where connections cannot be seen: no server starts so fast. What it answers is proved again. */
const RECENT_MILLISECONDS = 50;

/** The proof of one server's identity. */
export interface Identity {
  /** Who is believed to be there. */
  readonly known: Instance;
  meet(instance: Instance): void;
  /** `labels`: the server has dev routes. */
  look(labels: boolean, signal: AbortSignal): Promise<Instance>;
  /** A restart would lose something: weights that were sent here, adapters. */
  readonly matters: boolean;
  /** Rejects with `upstream_failed` unless a look that began after this call found the known process. */
  confirm(): Promise<void>;
  /**
   * Sends over connections that cannot be seen: proves before, unless that was done just now, and the answer after. A
   * connection that broke makes the server suspect; `repeatable` calls are then sent once more, with a new proof.
   */
  around(send: () => Promise<Response>, repeatable: boolean): Promise<Response>;
}

/** A connection ended before an answer: uvicorn closes idle ones, and a process that dies closes all. */
const broke = (error: unknown): boolean =>
  error instanceof GatewayError && error.cause !== undefined && connectionFault(error.cause) !== "other";

/** Creates it. `matters` is asked for each request; `onOther` is told when another process was found. */
export function createIdentity(options: {
  readonly client: () => Client;
  readonly clock: Pick<Clock, "timer" | "monotonic">;
  readonly matters: () => boolean;
  readonly onOther: (reason: string) => void;
}): Identity {
  const { client, clock, matters, onOther } = options;
  let known: Instance = { started: null, label: null };
  let provedAt = Number.NEGATIVE_INFINITY;
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;
  const never = new AbortController().signal;

  /** The label alone is cheap, and proof enough where only this process was given it. */
  async function read(): Promise<Instance> {
    if (hasOwnLabel(known)) {
      const limit = new AbortController();
      const timer = clock.timer(CONFIRM_MILLISECONDS / 5, () => limit.abort(new Error("no answer in time")));
      try {
        const label = await readLabel(client(), limit.signal).catch(() => null);
        if (label === known.label) return { started: null, label };
      } finally {
        timer.cancel();
      }
    }
    return readInstance(client(), clock, known.label !== null, never, CONFIRM_MILLISECONDS);
  }

  async function prove(): Promise<void> {
    const asked = known;
    const found = await read();
    // It may have got another label meanwhile, from a sync of ours.
    const same = isSameInstance(asked, found) || (!isOtherInstance(asked, known) && isSameInstance(known, found));
    if (same) {
      provedAt = clock.monotonic();
      known = mergeInstance(known, found);
      return;
    }
    const { url } = client();
    if (isOtherInstance(asked, found) || isOtherInstance(asked, known)) {
      const reason = "another process answers there: it was restarted";
      onOther(reason);
      throw new GatewayError("upstream_failed", `The vLLM server at ${url} cannot be used: ${reason}.`);
    }
    // It never told who it is: nothing can be proved, now or ever.
    if (known.started === null && !hasOwnLabel(known)) return;
    throw new GatewayError("upstream_failed", `The vLLM server at ${url} does not tell whether it was restarted.`);
  }

  function begin(): Promise<void> {
    const mine = prove().finally(() => {
      if (running === mine) running = null;
    });
    running = mine;
    return mine;
  }

  /** One look serves all who asked before it began. */
  function confirm(): Promise<void> {
    if (running === null) return begin();
    next ??= running
      .catch(() => undefined)
      .then(() => {
        next = null;
        return begin();
      });
    return next;
  }

  return {
    get known() {
      return known;
    },
    get matters() {
      return matters();
    },
    meet(instance) {
      known = instance;
    },
    look: (labels, signal) => readInstance(client(), clock, labels, signal),
    confirm,
    async around(send, repeatable) {
      const once = async (): Promise<Response> => {
        if (clock.monotonic() - provedAt > RECENT_MILLISECONDS) await confirm();
        try {
          return await send();
        } catch (error) {
          if (broke(error)) provedAt = Number.NEGATIVE_INFINITY;
          throw error;
        }
      };
      const response = await once().catch((error: unknown) => {
        if (!repeatable || !broke(error)) throw error;
        return once();
      });
      try {
        await confirm();
      } catch (error) {
        await response.body?.cancel().catch(() => undefined);
        throw error;
      }
      return response;
    },
  };
}
