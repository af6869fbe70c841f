import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { FleetEvent } from "../../src/contract/control/fleet.ts";
import type { WeightSync } from "../../src/contract/control/weight-syncs.ts";
import { SYNC } from "../support/fake-gateway.ts";
import { chunked, createHttpApp } from "../support/http-app.ts";
import { FAILED, json, OCTETS, type ProblemBody, RUNNING, recordingApp } from "../support/syncs.ts";

describe("uploading weights", () => {
  test("the body is streamed, the query says the rest", async () => {
    const { app, started } = recordingApp(RUNNING);
    const response = await app.request(
      "/api/weight-syncs?version=9&label=step-9&partial=true&mode=keep&deadline_s=30",
      {
        ...chunked(new Uint8Array(3), new Uint8Array(4)),
        headers: OCTETS,
      },
    );
    assert.equal(response.status, 202);
    assert.equal(started[0]?.bytes, 7);
    assert.deepEqual(started[0]?.request, {
      version: 9,
      label: "step-9",
      source: { kind: "upload" },
      mode: "keep",
      deadline_s: 30,
      verify: true,
      partial: true,
    });
  });

  test("is answered when the body was read, and a bad file at once", async () => {
    const receiving: WeightSync = { ...RUNNING, phase: "receive" };
    const { app } = recordingApp(receiving, {
      async *events() {
        yield { type: "sync", sync: receiving };
        yield { type: "sync", sync: FAILED };
      },
    });
    const response = await app.request("/api/weight-syncs", { ...chunked(new Uint8Array(3)), headers: OCTETS });
    assert.equal(response.status, 400);
    assert.equal((await json<ProblemBody>(response)).tensor, "lm_head.weight");
  });

  for (const [query, param] of [
    ["version=new", "version"],
    ["partial=maybe", "partial"],
    ["mode=now", "mode"],
    ["deadline_s=0", "deadline_s"],
    ["colour=red", "colour"],
  ]) {
    test(`?${query} is refused by name`, async () => {
      const { app, started } = recordingApp();
      const init = { ...chunked(new Uint8Array(3)), headers: OCTETS };
      const response = await app.request(`/api/weight-syncs?${query}`, init);
      assert.equal(response.status, 400);
      assert.equal((await json<ProblemBody>(response)).param, param);
      assert.equal(started.length, 0);
    });
  }
});

describe("event feeds", () => {
  test("events have name, id and data, and the feed ends with its source", async () => {
    const app = createHttpApp({
      over: {
        syncs: {
          async *events() {
            yield { type: "sync", sync: RUNNING };
            yield { type: "sync", sync: SYNC };
          },
        },
      },
    });
    const response = await app.request("/api/weight-syncs/ws_1/events");
    assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
    const [retry, first, second, rest] = (await response.text()).split("\n\n");
    assert.equal(retry, "retry: 2000");
    assert.deepEqual(first?.split("\n").slice(0, 2), ["id: 1", "event: sync"]);
    assert.deepEqual(second?.split("\n").slice(0, 2), ["id: 2", "event: sync"]);
    assert.equal((JSON.parse(second?.split("\n")[2]?.slice(6) ?? "") as { sync: WeightSync }).sync.state, "completed");
    assert.equal(rest, "");
  });

  test("a silent feed sends a comment every 15 s, and gives its source back when the reader leaves", async () => {
    let ended = false;
    const app = createHttpApp({
      over: {
        fleet: {
          async *events(signal): AsyncGenerator<FleetEvent> {
            try {
              await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
            } finally {
              ended = true;
            }
          },
        },
      },
    });
    const response = await app.request("/api/events");
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const read = async (): Promise<string> => new TextDecoder().decode((await reader.read()).value);
    assert.equal(await read(), "retry: 2000\n\n");
    const beat = read();
    await app.clock.advance(15_000);
    assert.match(await beat, /^: /);
    await reader.cancel();
    await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(ended, true);
  });
});
