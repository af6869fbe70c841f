import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import type { Lease } from "../../src/fleet/types.ts";
import { finishForward } from "../../src/gateway/forward.ts";
import { createStreamWatch } from "../../src/gateway/stream-watch.ts";
import type { BodyEvents, ExchangeAnswer, StreamedBody } from "../../src/ports.ts";

const clock = { now: () => 0, monotonic: () => 0, timer: () => ({ cancel: () => undefined }) };
const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

function scope(saysDead?: (text: string) => boolean) {
  const released: string[] = [];
  const lease = {
    replica: { id: "vllm-0", engine: { ...(saysDead === undefined ? {} : { saysDead }) } },
    release: (outcome: string) => void released.push(outcome),
  } as unknown as Lease;
  const streams = createStreamWatch(clock, 1000);
  return { released, streams, lease, signal: new AbortController().signal, toBody: undefined };
}

/** A body whose pieces the test pushes. */
function pushed(first: Uint8Array | null | Error): { body: StreamedBody; opened: BodyEvents[]; cancelled: unknown[] } {
  const opened: BodyEvents[] = [];
  const cancelled: unknown[] = [];
  const begun = first instanceof Error ? Promise.reject(first) : Promise.resolve(first);
  const body: StreamedBody = {
    begun,
    open(events) {
      opened.push(events);
      return new ReadableStream();
    },
    cancel: (reason) => void cancelled.push(reason),
  };
  return { body, opened, cancelled };
}

const answer = (body: ExchangeAnswer["body"], headers: Record<string, string> = {}, status = 200): ExchangeAnswer => ({
  status,
  statusText: "",
  headers: new Headers(headers),
  body,
});
const events = { "content-type": "text/event-stream" };

describe("what fetch gave", () => {
  const hop = { connection: "keep-alive", "keep-alive": "timeout=5", "transfer-encoding": "chunked", "x-up": "1" };

  test("keeps its bytes and loses the headers of its hop, whatever its length", async () => {
    const cases = [
      new Response("abc", { headers: { ...hop, "content-length": "3" } }),
      new Response("x".repeat(70_000), { headers: { ...hop, "content-length": "70000" } }),
      new Response("data: 1\n\n", { headers: { ...hop, ...events } }),
      new Response(null, { status: 204, headers: hop }),
    ];
    for (const response of cases) {
      const wanted = await response.clone().text();
      const { released, ...rest } = scope();
      const given = await finishForward(response, rest);
      assert.equal(await given.text(), wanted);
      assert.equal(given.headers.get("x-up"), "1");
      for (const name of ["connection", "keep-alive", "transfer-encoding"]) assert.equal(given.headers.get(name), null);
      given.headers.set("x-weight-version", "3");
      assert.deepEqual(released, ["ok"]);
    }
  });

  test("a body shorter than it said is the replica's failure", async () => {
    const { released, ...rest } = scope();
    const short = new Response("abc", { headers: { "content-length": "5" } });
    await assert.rejects(async () => finishForward(short, rest), /3 of 5 bytes/);
    assert.deepEqual(released, []);
  });

  test("a stream that begins with the death of its server is moved", async () => {
    const { released, ...rest } = scope((text) => text.includes("EngineDeadError"));
    const dead = new Response('data: {"error": {"message": "EngineDeadError"}}\n\n', { headers: events });
    await assert.rejects(async () => finishForward(dead, rest), { code: "upstream_failed" });
    assert.deepEqual(released, ["failed"]);
    assert.equal(rest.streams.active, 0);
  });
});

describe("what came on a socket of ours", () => {
  test("a whole body", async () => {
    const { released, ...rest } = scope();
    const given = await finishForward(answer(bytes("abc"), { "x-up": "1" }, 500), rest);
    assert.equal(await given.text(), "abc");
    assert.equal(given.status, 500);
    assert.deepEqual(released, ["failed"]);
  });

  test("a stream holds its lease until it ends, and an error becomes its last event", async () => {
    const { released, ...rest } = scope();
    const { body, opened } = pushed(bytes("data: 1\n\n"));
    await finishForward(answer(body, events), rest);
    assert.deepEqual(released, []);
    assert.equal(rest.streams.active, 1);
    const last = opened[0]?.end(new Error("gone"));
    assert.match(new TextDecoder().decode(last ?? undefined), /broke off its answer: gone[\s\S]*data: \[DONE\]/);
    assert.deepEqual(released, ["failed"]);
    assert.equal(rest.streams.active, 0);
  });

  test("a broken body that is no event stream gets no last words", async () => {
    const { released, ...rest } = scope();
    const { body, opened } = pushed(bytes("x"));
    await finishForward(answer(body), rest);
    assert.equal(opened[0]?.end(new Error("gone")), null);
    assert.deepEqual(released, ["failed"]);
  });

  test("a client that leaves is not the replica's fault", async () => {
    const { released, ...rest } = scope();
    const { body, opened } = pushed(bytes("data: 1\n\n"));
    await finishForward(answer(body, events), rest);
    opened[0]?.left();
    assert.deepEqual(released, ["ok"]);
  });

  test("a stream that breaks off before its first byte, or begins with a death, can be moved", async () => {
    const one = scope();
    await assert.rejects(async () => finishForward(answer(pushed(new Error("gone")).body, events), one), {
      code: "upstream_failed",
    });
    assert.deepEqual(one.released, ["failed"]);
    const two = scope(() => true);
    const { body, cancelled } = pushed(bytes('data: {"error": {"message": "EngineDeadError"}}\n\n'));
    await assert.rejects(async () => finishForward(answer(body, events), two), { code: "upstream_failed" });
    assert.equal(cancelled.length, 1);
  });

  test("a deadline is told in the caller's words", async () => {
    const own = scope();
    const controller = new AbortController();
    const { body, opened } = pushed(bytes("data: 1\n\n"));
    await finishForward(answer(body, events), { ...own, signal: controller.signal });
    controller.abort(new GatewayError("deadline_exceeded", "The deadline of 1 s passed."));
    const last = opened[0]?.end(controller.signal.reason);
    assert.match(new TextDecoder().decode(last ?? undefined), /The deadline of 1 s passed/);
    assert.deepEqual(own.released, ["ok"]);
  });
});
