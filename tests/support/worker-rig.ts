/** The worker's request layer in the hands of a test: calls answered, events collected, no process. */
import type { GenerateEvent, GenerateRequest, Prompt } from "../../src/contract/generation.ts";
import type { WeightVersion } from "../../src/contract/ids.ts";
import type { SamplingParams } from "../../src/contract/sampling.ts";
import type { FromWorker, ToWorker, WireError } from "../../src/worker/protocol.ts";
import type { WorkerCore } from "../../src/worker/requests/core.ts";
import { createFakeCore, type FakeOptions, MODEL, type Models, type RecitingBatcher } from "./fake-worker.ts";

export const version = (value: number): WeightVersion => value as WeightVersion;
export const textPrompt = (text = "Hello"): Prompt => ({ kind: "text", text, addSpecialTokens: false });
export const ask = (
  sampling: SamplingParams = {},
  prompts: readonly Prompt[] = [textPrompt()],
  echo = false,
): GenerateRequest => ({
  requestId: "r",
  prompts,
  sampling: { temperature: 0, ...sampling },
  echo,
});

export interface Rig {
  readonly core: WorkerCore;
  readonly sent: FromWorker[];
  readonly models: Models;
  readonly batcher: () => RecitingBatcher;
  /** The only answer of a call; waits for it. */
  call(message: Record<string, unknown>): Promise<unknown>;
  generate(request: GenerateRequest, credit?: number): number;
  events(id: number): GenerateEvent[];
  error(id: number): WireError | undefined;
  /** Lets the loop run until `condition` holds. */
  until(what: string, condition: () => boolean): Promise<void>;
  ended(id: number): Promise<GenerateEvent[]>;
}

export async function createRig(options: Partial<FakeOptions> = {}): Promise<Rig> {
  const sent: FromWorker[] = [];
  const models: Models = [];
  let batcher: RecitingBatcher | undefined;
  let nextId = 1;
  const core = createFakeCore({
    models,
    send: (message) => void sent.push(message),
    onBatcher: (made) => {
      batcher = made;
    },
    ...options,
  });
  const rig: Rig = {
    core,
    sent,
    models,
    batcher: () => batcher as RecitingBatcher,
    async call(message) {
      const id = nextId++;
      core.handle({ ...message, id } as ToWorker);
      const answer = (): FromWorker | undefined =>
        sent.find((one) => (one.type === "result" || one.type === "error") && one.id === id);
      await rig.until(`answer to ${message.type}`, () => answer() !== undefined);
      const found = answer();
      if (found?.type === "error") throw Object.assign(new Error(found.error.message), { code: found.error.code });
      return found?.type === "result" ? found.result : undefined;
    },
    generate(request, credit = 1000) {
      const id = nextId++;
      core.handle({ type: "generate", id, request, credit });
      return id;
    },
    events: (id) =>
      sent.flatMap((one) => (one.type === "events" && one.id === id ? (one.events as GenerateEvent[]) : [])),
    error: (id) => {
      const found = sent.find((one) => one.type === "error" && one.id === id);
      return found?.type === "error" ? found.error : undefined;
    },
    async until(what, condition) {
      for (let turn = 0; turn < 500; turn += 1) {
        if (condition()) return;
        await new Promise((resolve) => void setTimeout(resolve, 0));
      }
      throw new Error(`did not happen: ${what}`);
    },
    async ended(id) {
      await rig.until(`end of ${id}`, () => rig.events(id).at(-1)?.type === "end" || rig.error(id) !== undefined);
      const error = rig.error(id);
      if (error !== undefined) throw new Error(error.message);
      return rig.events(id);
    },
  };
  const load = {
    type: "load",
    directory: MODEL,
    device: "auto",
    maxConcurrency: 4,
    maxModelLen: undefined,
    maxQueue: 4,
  };
  await rig.call({ ...load, version: version(0), sets: [] });
  return rig;
}

export const textOf = (events: readonly GenerateEvent[], sample = 0): string =>
  events.map((event) => (event.type === "delta" && event.sample === sample ? event.text : "")).join("");
export const idsOf = (events: readonly GenerateEvent[]): number[] =>
  events.flatMap((event) => (event.type === "delta" ? [...event.tokenIds] : []));
export const finishOf = (events: readonly GenerateEvent[]): unknown => {
  const found = events.find((event) => event.type === "finish");
  return found?.type === "finish" ? [found.reason, found.stopReason] : null;
};
