/**
 * What every engine that generates must do, as cases to be run over any of them. Nothing here knows which engine it is:
 * the words that come out are its own matter.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { GenerateEvent, GenerateRequest } from "../../../src/contract/generation.ts";
import type { Engine, EngineInfo } from "../../../src/engine/engine.ts";
import { GatewayError } from "../../../src/errors.ts";

export interface EngineUnderTest {
  readonly engine: Engine;
  /** Called after the engine was stopped. */
  readonly dispose?: () => Promise<void>;
}

/** A request that every engine answers greedily with at least three tokens. */
export const request = (sampling: GenerateRequest["sampling"] = {}): GenerateRequest => ({
  requestId: "case",
  prompts: [{ kind: "text", text: "What is 17 + 25?", addSpecialTokens: true }],
  sampling: { temperature: 0, maxTokens: 12, ...sampling },
  echo: false,
});

export const soon = (): AbortSignal => AbortSignal.timeout(20_000);

export async function collect(events: AsyncIterable<GenerateEvent>): Promise<GenerateEvent[]> {
  const all: GenerateEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

/** Text of one sample. */
export const textOf = (events: readonly GenerateEvent[], prompt = 0, sample = 0): string =>
  events
    .map((event) => (event.type === "delta" && event.prompt === prompt && event.sample === sample ? event.text : ""))
    .join("");

/** Throws when the order of `GenerateEvent` is not kept. */
export function checkOrder(events: readonly GenerateEvent[]): void {
  assert.equal(events[0]?.type, "start");
  assert.equal(events.at(-1)?.type, "end");
  const prompted = new Set<number>();
  const finished = new Set<string>();
  for (const event of events.slice(1, -1)) {
    assert.ok(event.type === "prompt" || event.type === "delta" || event.type === "finish", event.type);
    if (event.type === "prompt") {
      assert.ok(!prompted.has(event.prompt), "a prompt comes once");
      prompted.add(event.prompt);
      continue;
    }
    const place = `${event.prompt}/${event.sample}`;
    assert.ok(prompted.has(event.prompt), "a sample comes after its prompt");
    assert.ok(!finished.has(place), "nothing comes after a sample's end");
    if (event.type === "finish") finished.add(place);
  }
  assert.ok(finished.size > 0);
}

/** Registers the cases. The engine is started once and shared. */
export function engineCases(name: string, create: () => Promise<EngineUnderTest>): void {
  describe(`engine: ${name}`, () => {
    let made: EngineUnderTest;
    let engine: Engine;
    let info: EngineInfo;
    const generate = (...sent: Parameters<NonNullable<Engine["generate"]>>): AsyncIterable<GenerateEvent> => {
      assert.ok(engine.generate !== undefined);
      return engine.generate(...sent);
    };

    before(async () => {
      made = await create();
      engine = made.engine;
      info = await engine.start({ signal: soon() });
    });
    after(async () => {
      await engine.stop({ signal: soon() });
      await made.dispose?.();
    });

    test("says what it serves", () => {
      assert.ok(info.models.length > 0);
      assert.ok(info.worldSize >= 1);
    });
    test("answers a probe", () => engine.probe({ signal: soon() }));
    test("generates events in their order", async () => {
      checkOrder(await collect(generate(request(), { signal: soon() })));
    });
    test("greedy answers are the same every time, and cut at max_tokens", async () => {
      const first = await collect(generate(request({ maxTokens: 3 }), { signal: soon() }));
      const second = await collect(generate(request({ maxTokens: 3 }), { signal: soon() }));
      assert.equal(textOf(first), textOf(second));
      const ids = first.flatMap((event) => (event.type === "delta" ? [...event.tokenIds] : []));
      assert.ok(ids.length <= 3);
    });
    test("many at once do not disturb each other", async () => {
      const alone = textOf(await collect(generate(request(), { signal: soon() })));
      const all = await Promise.all(Array.from({ length: 6 }, () => collect(generate(request(), { signal: soon() }))));
      for (const events of all) assert.equal(textOf(events), alone);
    });
    test("a reader may leave early", async () => {
      for await (const event of generate(request(), { signal: soon() })) if (event.type === "delta") break;
      checkOrder(await collect(generate(request(), { signal: soon() })));
    });
    test("an aborted signal ends the reading with its reason", async () => {
      const leave = new AbortController();
      const reason = new GatewayError("client_closed", "gone");
      await assert.rejects(async () => {
        for await (const event of generate(request(), { signal: leave.signal })) {
          if (event.type === "delta") leave.abort(reason);
        }
      }, reason);
      await assert.rejects(collect(generate(request(), { signal: AbortSignal.abort(reason) })), reason);
    });
    test("a bad value is refused with a 4xx before any event", async () => {
      await assert.rejects(collect(generate(request({ temperature: 7 }), { signal: soon() })), (error: unknown) => {
        assert.ok(error instanceof GatewayError, String(error));
        assert.equal(error.status, 400);
        return true;
      });
    });
    test("tokenize and detokenize are inverse", async () => {
      if (engine.tokenize === undefined || engine.detokenize === undefined) return;
      const prompt = { kind: "text", text: "What is 17 + 25?", addSpecialTokens: false } as const;
      const { tokenIds } = await engine.tokenize(prompt, { signal: soon() });
      assert.equal(await engine.detokenize(tokenIds, { signal: soon() }), prompt.text);
    });
    test("pause holds new requests until resume", async () => {
      const { control } = engine;
      if (control === undefined) return;
      await control.pause("abort", true, { signal: soon() });
      assert.equal(await control.isPaused({ signal: soon() }), true);
      let ended = false;
      const held = collect(generate(request(), { signal: soon() })).finally(() => {
        ended = true;
      });
      await control.isPaused({ signal: soon() });
      assert.equal(ended, false);
      await control.resume({ signal: soon() });
      checkOrder(await held);
      assert.equal(await control.isPaused({ signal: soon() }), false);
    });
    test("an unsubscribed listener hears nothing, and unsubscribing twice is fine", () => {
      const unsubscribe = engine.subscribe(() => assert.fail("heard something"));
      unsubscribe();
      unsubscribe();
    });
  });
}
