/** Answers and frames: many events go in several, one that fits in none ends its call and what the worker still does for it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Prompt } from "../../src/contract/generation.ts";
import { GatewayError } from "../../src/errors.ts";
import { encodeFrame, FrameReader } from "../../src/worker/frame.ts";
import type { FromWorker } from "../../src/worker/protocol.ts";
import type { WorkerCore } from "../../src/worker/requests/core.ts";
import { createSender } from "../../src/worker/send.ts";
import { createFakeCore, MODEL, type RecitingBatcher } from "../support/fake-worker.ts";
import { ask, version } from "../support/worker-rig.ts";

type Delta = { readonly type: "delta"; readonly text: string };

/** A sender whose frames hold `limit` bytes. */
function createSmall(limit: number) {
  const reader = new FrameReader();
  const messages: FromWorker[] = [];
  const cancelled: number[] = [];
  const deaths: string[] = [];
  const encode = (message: unknown): Uint8Array => {
    const frame = encodeFrame(message);
    if (frame.byteLength > limit)
      throw new GatewayError("payload_too_large", `${frame.byteLength} bytes are too many.`);
    return frame;
  };
  const send = createSender({
    write: (frame) => void messages.push(...(reader.push(frame) as FromWorker[])),
    cancel: (id) => void cancelled.push(id),
    die: (reason) => void deaths.push(reason),
    encode,
  });
  return { send, messages, cancelled, deaths };
}

const deltas = (...sizes: readonly number[]) =>
  sizes.map((size) => ({ type: "delta", prompt: 0, sample: 0, text: "x".repeat(size), tokenIds: [] }) as const);
const sizesOf = (messages: readonly FromWorker[]): number[][] =>
  messages.map((message) =>
    message.type === "events" ? message.events.map((event) => (event as Delta).text.length) : [],
  );

describe("messages to the parent", () => {
  test("events that are too many for a frame go in several, in order", () => {
    const rig = createSmall(600);
    rig.send({ type: "events", id: 7, events: deltas(10, 200, 200, 20, 30, 200) });
    assert.deepEqual(sizesOf(rig.messages).flat(), [10, 200, 200, 20, 30, 200]);
    assert.ok(rig.messages.length > 1);
    assert.deepEqual([rig.cancelled, rig.deaths], [[], []]);
  });

  test("an event that fits in none ends the call: one error, nothing after it, and a cancel", () => {
    const rig = createSmall(600);
    rig.send({ type: "events", id: 7, events: deltas(10, 9000, 20) });
    assert.deepEqual(sizesOf(rig.messages.slice(0, 1)), [[10]]);
    const [, error, ...rest] = rig.messages;
    assert.ok(error?.type === "error" && error.id === 7 && error.error.code === "payload_too_large");
    assert.deepEqual(rest, []);
    assert.deepEqual(rig.cancelled, [7]);
    rig.send({ type: "result", id: 8, result: "y".repeat(9000) });
    assert.deepEqual(rig.cancelled, [7, 8]);
    assert.deepEqual(rig.deaths, []);
  });

  test("what belongs to no call cannot be left out", () => {
    const rig = createSmall(600);
    rig.send({ type: "log", level: "info", message: "z".repeat(9000) });
    assert.equal(rig.deaths.length, 1);
    assert.deepEqual(rig.messages, []);
  });

  test("the worker stops computing an answer that cannot be sent", async () => {
    const sent: FromWorker[] = [];
    let core: WorkerCore | undefined;
    let batcher: RecitingBatcher | undefined;
    const send = createSender({
      write: (frame) => void sent.push(...(new FrameReader().push(frame) as FromWorker[])),
      cancel: (id) => core?.handle({ type: "cancel", id }),
      die: assert.fail,
      encode(message) {
        // The prompt of the call alone is longer than this.
        const long = (message as FromWorker).type === "events" && JSON.stringify(message).length > 250;
        if (long) throw new GatewayError("payload_too_large", "too long for this test");
        return encodeFrame(message);
      },
    });
    const take = (made: RecitingBatcher): void => {
      batcher = made;
    };
    core = createFakeCore({ send, onBatcher: take });
    const until = async (condition: () => boolean): Promise<void> => {
      for (let turn = 0; !condition() && turn < 500; turn += 1) await new Promise((next) => void setTimeout(next, 0));
      assert.ok(condition());
    };
    const load = { directory: MODEL, device: "auto", quantize: "auto", memoryBudget: undefined, replicas: 1 } as const;
    const limits = { skipTokenizer: false, maxConcurrency: 4, maxModelLen: undefined, maxQueue: 4 };
    core.handle({ type: "load", id: 1, ...load, ...limits, version: version(0), sets: [] });
    await until(() => sent.some(({ type }) => type === "result"));
    const tokens: Prompt = { kind: "tokens", ids: Array.from({ length: 52 }, () => 400) };
    const sampling = { maxTokens: 12, ignoreEos: true };
    core.handle({ type: "generate", id: 2, request: ask(sampling, [tokens, tokens, tokens, tokens]), credit: 1000 });
    core.handle({ type: "generate", id: 3, request: ask({ maxTokens: 4 }), credit: 1000 });
    await until(() => sent.some((message) => message.type === "error"));
    assert.ok(batcher!.steps < 5, `${batcher!.steps} steps`);
    await until(() => sent.some((message) => message.type === "events" && message.events.at(-1)?.type === "end"));
    await until(() => batcher!.idle);
    assert.ok(batcher!.steps < 8, `${batcher!.steps} steps`);
    const about = sent.filter((message) => "id" in message && message.id === 2);
    const at = about.findIndex(({ type }) => type === "error");
    assert.equal(at, about.length - 1, "nothing after the error");
  });
});
