/** Pure helpers: strict JSON, bounded waits, broadcast. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { createBroadcast } from "../../src/lib/broadcast.ts";
import { orAborted, sleep } from "../../src/lib/deadline.ts";
import { JsonNumber, JsonObject, type JsonValue, parseStrictJson } from "../../src/lib/strict-json.ts";
import { createTestPorts } from "./cases/sync-fakes.ts";

const plain = (value: JsonValue): unknown => {
  if (value instanceof JsonNumber) return Number(value.text);
  if (value instanceof JsonObject) return Object.fromEntries(value.entries.map(([key, item]) => [key, plain(item)]));
  if (Array.isArray(value)) return value.map(plain);
  return value;
};

describe("strict JSON", () => {
  test("reads what JSON.stringify writes", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, "\t\r\n"), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        assert.deepEqual(plain(parseStrictJson(text)), JSON.parse(text));
      }),
    );
  });

  test("refuses what JSON.parse refuses", () => {
    const alphabet = [...'{}[]",:0123456789.-+eEtruefalsn\\u \n\t\u0000\ufeffé'];
    const parses = (parse: (text: string) => unknown, text: string): boolean => {
      try {
        parse(text);
        return true;
      } catch {
        return false;
      }
    };
    const texts = fc.oneof(
      fc.array(fc.constantFrom(...alphabet), { maxLength: 12 }).map((letters) => letters.join("")),
      // A valid text with one character changed: much nearer to the border.
      fc.tuple(fc.json(), fc.nat(), fc.constantFrom(...alphabet)).map(([text, at, letter]) => {
        const place = at % (text.length + 1);
        return text.slice(0, place) + letter + text.slice(place + 1);
      }),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const wellFormed = (value: unknown): boolean =>
          typeof value === "string"
            ? value.isWellFormed()
            : value === null || typeof value !== "object" || Object.entries(value).flat().every(wellFormed);
        const expected = parses((input) => {
          const value = JSON.parse(input);
          if (!wellFormed(value) || /\d[eE]\+?\d{3}/.test(input)) throw new Error("stricter by intent");
        }, text);
        if (!/\d[eE]\+?\d{3}/.test(text)) assert.equal(parses(parseStrictJson, text), expected, JSON.stringify(text));
      }),
      { numRuns: 5000 },
    );
  });

  test("keeps doubled keys and the text of numbers", () => {
    const value = parseStrictJson('{"a":1,"a":18446744073709551616}');
    assert.ok(value instanceof JsonObject);
    assert.deepEqual(
      value.entries.map(([key, item]) => [key, (item as JsonNumber).text]),
      [
        ["a", "1"],
        ["a", "18446744073709551616"],
      ],
    );
    assert.equal(new JsonNumber("9007199254740991").natural, Number.MAX_SAFE_INTEGER);
    for (const text of ["9007199254740992", "1.0", "-1", "-0", "1e3"])
      assert.equal(new JsonNumber(text).natural, undefined);
  });
});

describe("bounded waits", () => {
  const { clock } = createTestPorts();
  test("orAborted: the first of promise and signal", async () => {
    const never = new Promise(() => undefined);
    const abort = new AbortController();
    const wait = orAborted(never, abort.signal);
    abort.abort(new Error("enough"));
    await assert.rejects(wait, /enough/);
    assert.equal(await orAborted(Promise.resolve(1), new AbortController().signal), 1);
    await assert.rejects(orAborted(Promise.reject(new Error("own")), new AbortController().signal), /own/);
    await assert.rejects(orAborted(Promise.resolve(1), AbortSignal.abort(new Error("before"))), /before/);
  });
  test("sleep ends with time or signal", async () => {
    await sleep(clock, 1);
    const abort = new AbortController();
    const wait = sleep(clock, 1e6, abort.signal);
    abort.abort(new Error("woken"));
    await assert.rejects(wait, /woken/);
    await assert.rejects(sleep(clock, 1e6, AbortSignal.abort(new Error("before"))), /before/);
  });
});

describe("broadcast", () => {
  test("every reader gets everything, progress superseded, the end after the last", async () => {
    const broadcast = createBroadcast<string>();
    const open = new AbortController().signal;
    const slow = broadcast.subscribe(open, "now");
    const quick: string[] = [];
    const reading = (async () => {
      for await (const value of broadcast.subscribe(open)) quick.push(value);
    })();
    for (const value of ["p1", "p2", "p3"]) {
      broadcast.publish(value, true);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    broadcast.publish("done");
    broadcast.close();
    await reading;
    assert.deepEqual(quick, ["p1", "p2", "p3", "done"]);
    assert.deepEqual(await Array.fromAsync(slow), ["now", "done"]);
    assert.equal(broadcast.readers, 0);
    assert.deepEqual(await Array.fromAsync(broadcast.subscribe(open, "late")), ["late"]);
  });

  test("readers leave with their signal, read or not, and when they stop reading", async () => {
    const broadcast = createBroadcast<number>();
    const abort = new AbortController();
    const unread = broadcast.subscribe(abort.signal);
    const waiting = Array.fromAsync(broadcast.subscribe(abort.signal));
    for await (const value of broadcast.subscribe(new AbortController().signal, 1)) {
      assert.equal(value, 1);
      break;
    }
    assert.equal(broadcast.readers, 2);
    abort.abort();
    assert.deepEqual(await waiting, []);
    assert.equal(broadcast.readers, 0);
    assert.deepEqual(await Array.fromAsync(unread), []);
  });
});
