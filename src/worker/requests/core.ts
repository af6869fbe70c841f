/**
 * The worker without its pipes: takes messages of the parent, gives messages to it. One call, one answer; whatever a
 * call throws becomes an `error` message, and only a failing step ends the process.
 */
import { GatewayError } from "../../errors.ts";
import { noTokenizer } from "../../text/no-tokenizer.ts";
import { type CallName, type Calls, type LoadedInfo, type ToWorker, toSummary, toWireError } from "../protocol.ts";
import { Controls } from "./controls.ts";
import { encodePrompt } from "./prompt.ts";
import { openServed, type Served, type WorkerParts } from "./served.ts";

/** Progress is for people: ten messages a second are enough. */
const PROGRESS_INTERVAL = 100;

/** vLLM reads token ids as 32-bit numbers. */
const TOKEN_ID_LIMIT = 2 ** 32;

export interface WorkerCore {
  handle(message: ToWorker): void;
  /** The pipe has room again: sends what waited. */
  drained(): void;
}

interface State {
  readonly served: Served;
  readonly controls: Controls;
}

const isCall = (message: ToWorker): message is Extract<ToWorker, { type: CallName }> =>
  message.type !== "generate" &&
  message.type !== "credit" &&
  message.type !== "cancel" &&
  message.type !== "ping" &&
  message.type !== "stop";

/** Creates the core; it serves after a `load` call. */
export function createWorkerCore(parts: WorkerParts): WorkerCore {
  let state: State | undefined;
  const calls = new Map<number, AbortController>();

  const loaded = (): State => {
    if (state === undefined) throw new GatewayError("conflict", "The worker has no model yet.");
    return state;
  };

  const progress = (id: number): ((done: number, total: number) => void) => {
    let last = Number.NEGATIVE_INFINITY;
    return (bytesDone, bytesTotal) => {
      const now = performance.now();
      if (bytesDone < bytesTotal && now - last < PROGRESS_INTERVAL) return;
      last = now;
      parts.send({ type: "progress", id, bytesDone, bytesTotal });
    };
  };

  const load = async (message: Extract<ToWorker, { type: "load" }>): Promise<LoadedInfo> => {
    if (state !== undefined) throw new GatewayError("conflict", "The worker has a model already.");
    const served = await openServed(parts, message, progress(message.id));
    state = { served, controls: new Controls(served.scheduler, served.weights, served.residency) };
    return served.info;
  };

  const detokenize = (tokenIds: readonly number[]): { text: string } => {
    const bad = tokenIds.find((id) => !Number.isInteger(id) || id < 0 || id >= TOKEN_ID_LIMIT);
    if (bad !== undefined) {
      throw new GatewayError(
        "invalid_value",
        `tokens must hold token ids from 0 to ${TOKEN_ID_LIMIT - 1}, got ${bad}.`,
        {
          param: "tokens",
        },
      );
    }
    const { model } = loaded().served;
    if (model.skipTokenizer) throw noTokenizer("tokens");
    return { text: model.tokenizer.decodeClean(tokenIds, false) };
  };

  const run = async (
    message: Extract<ToWorker, { type: CallName }>,
    signal: AbortSignal,
  ): Promise<Calls[CallName]["result"]> => {
    if (message.type === "load") return await load(message);
    const { served, controls } = loaded();
    switch (message.type) {
      case "tokenize": {
        const { ids } = encodePrompt(message.prompt, served.model, parts.now());
        return { tokenIds: ids, tokenStrings: ids.map((id) => served.model.tokenizer.tokenString(id)) };
      }
      case "detokenize":
        return detokenize(message.tokenIds);
      case "stage": {
        await served.residency.settled();
        const model = await served.weights.stage(message.stage, message.set, progress(message.id), signal);
        return { digest: model.digest };
      }
      case "commit":
        await controls.commit(message.stage, message.version, message.mode, signal);
        return { digest: served.weights.model.digest };
      case "discard":
        served.weights.discard(message.stage);
        return null;
      case "pause":
        await controls.pause(message.mode, message.clearCache, signal);
        return null;
      case "resume":
        controls.resume();
        return null;
      case "isPaused":
        return controls.isPaused;
      case "resetPrefixCache":
        return controls.resetPrefixCache(message.resetRunning);
      case "sleep":
        await controls.sleep(message.level, message.mode, signal);
        return served.residency.report();
      case "wakeUp":
        await controls.wakeUp(message.tags);
        return served.residency.report();
      case "residency":
        return served.residency.report();
      case "applyResidency":
        return await served.residency.apply(message.directive, signal);
      case "gather":
        return await served.residency.gather(message.groups);
      case "releaseGathered":
        return await served.residency.release();
      case "isSleeping":
        return controls.isSleeping;
    }
  };

  const call = async (message: Extract<ToWorker, { type: CallName }>): Promise<void> => {
    const controller = new AbortController();
    calls.set(message.id, controller);
    try {
      const result = await run(message, controller.signal);
      parts.send({ type: "result", id: message.id, result });
    } catch (error) {
      parts.send({ type: "error", id: message.id, error: toWireError(error) });
    } finally {
      calls.delete(message.id);
    }
  };

  const generate = ({ id, request, credit }: Extract<ToWorker, { type: "generate" }>): void => {
    try {
      const { generations, scheduler, model } = loaded().served;
      const made = generations.prepare(id, request, credit, model);
      generations.add(made);
      try {
        scheduler.submit(made);
      } catch (error) {
        generations.remove(made);
        throw error;
      }
    } catch (error) {
      parts.send({ type: "error", id, error: toWireError(error) });
    }
  };

  const cancel = (id: number): void => {
    calls.get(id)?.abort(new GatewayError("client_closed", "The caller left."));
    const made = state?.served.generations.get(id);
    if (made === undefined || state === undefined) return;
    state.served.generations.remove(made);
    state.served.scheduler.cancel(made);
  };

  return {
    handle(message) {
      if (isCall(message)) {
        void call(message);
        return;
      }
      switch (message.type) {
        case "generate":
          generate(message);
          return;
        case "credit":
          state?.served.generations.get(message.id)?.outbox.grant(message.events);
          state?.served.flush();
          return;
        case "cancel":
          cancel(message.id);
          return;
        case "ping": {
          const { running = 0, waiting = 0, preemptions = 0 } = state?.served.scheduler ?? {};
          const residency = state === undefined ? null : toSummary(state.served.residency.report());
          parts.send({ type: "pong", sequence: message.sequence, running, waiting, preemptions, residency });
          return;
        }
        case "stop":
          state?.served.scheduler.stop();
          return;
      }
    },
    drained: () => state?.served.flush(),
  };
}
