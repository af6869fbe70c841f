import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ProtocolError, type ResponseHead, ResponseReader } from "../../src/lib/http1-response.ts";

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));
const text = (parts: readonly Uint8Array[]): string => parts.map((part) => String.fromCharCode(...part)).join("");

interface Seen {
  heads: ResponseHead[];
  pieces: Uint8Array[];
  ends: boolean[];
}

/** Feeds the wire text in pieces cut at these places. */
function read(wire: string, cuts: readonly number[] = [], head = false): Seen & { reader: ResponseReader } {
  const seen: Seen = { heads: [], pieces: [], ends: [] };
  const reader = new ResponseReader();
  const events = {
    head: (one: ResponseHead) => void seen.heads.push(one),
    data: (piece: Uint8Array) => void seen.pieces.push(piece.slice()),
    end: (reusable: boolean) => void seen.ends.push(reusable),
  };
  reader.begin(events, head);
  const all = bytes(wire);
  const places = [...new Set([0, ...cuts, all.length])].sort((x, y) => x - y);
  for (let at = 0; at + 1 < places.length; at += 1) reader.push(all.slice(places[at], places[at + 1]));
  return { ...seen, reader };
}

const counted =
  'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 7\r\n\r\n{"a":1}';
const chunked =
  "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: text/event-stream\r\n\r\n5\r\nhello\r\n3;x=y\r\n\r\n!\r\n0\r\nx-trailer: 1\r\n\r\n";

describe("HTTP/1.1 answers", () => {
  test("a counted body, whole", () => {
    const { heads, pieces, ends, reader } = read(counted);
    assert.equal(heads.length, 1);
    assert.equal(heads[0]?.status, 200);
    assert.equal(heads[0]?.statusText, "OK");
    assert.equal(heads[0]?.length, 7);
    assert.equal(heads[0]?.headers.get("x-a"), "1, 2");
    assert.equal(heads[0]?.headers.get("content-length"), "7");
    assert.equal(text(pieces), '{"a":1}');
    assert.deepEqual(ends, [true]);
    assert.equal(reader.busy, false);
  });

  test("chunks stay apart, and their framing is not part of the body", () => {
    const { heads, pieces, ends } = read(chunked);
    assert.equal(heads[0]?.length, null);
    assert.equal(heads[0]?.headers.has("transfer-encoding"), false);
    assert.deepEqual(
      pieces.map((piece) => text([piece])),
      ["hello", "\r\n!"],
    );
    assert.deepEqual(ends, [true]);
  });

  test("wherever the bytes are cut, the answer is the same", () => {
    for (const wire of [counted, chunked, `HTTP/1.1 100 Continue\r\n\r\n${counted}`]) {
      const whole = read(wire);
      fc.assert(
        fc.property(fc.array(fc.integer({ min: 0, max: wire.length }), { maxLength: 30 }), (cuts) => {
          const cut = read(wire, cuts);
          assert.equal(text(cut.pieces), text(whole.pieces));
          assert.deepEqual([...(cut.heads[0]?.headers ?? [])], [...(whole.heads[0]?.headers ?? [])]);
          assert.deepEqual(cut.ends, whole.ends);
        }),
      );
      // And byte by byte.
      const cut = read(
        wire,
        Array.from({ length: wire.length }, (_, index) => index),
      );
      assert.equal(text(cut.pieces), text(whole.pieces));
      assert.deepEqual(cut.ends, whole.ends);
    }
  });

  test("a body without a length lasts as long as the connection", () => {
    const { reader, pieces, ends } = read("HTTP/1.1 200 OK\r\n\r\nabc");
    assert.deepEqual(ends, []);
    assert.equal(reader.close(), true);
    assert.equal(text(pieces), "abc");
    assert.deepEqual(ends, [false]);
  });

  test("an answer that breaks off is told apart from one that ended", () => {
    assert.equal(read("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc").reader.close(), false);
    assert.equal(read(chunked.slice(0, -6)).reader.close(), false);
    assert.equal(read("HTTP/1.1 20").reader.close(), false);
  });

  test("no body follows HEAD, 204 and 304", () => {
    const head = read("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n", [], true);
    assert.deepEqual(head.ends, [true]);
    assert.equal(head.heads[0]?.headers.get("content-length"), "500");
    assert.deepEqual(read("HTTP/1.1 204 No Content\r\n\r\n").ends, [true]);
    assert.deepEqual(read("HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n").ends, [true]);
  });

  test("connection: close, HTTP/1.0 and bytes behind the end make a connection unusable", () => {
    assert.deepEqual(read(counted.replace("X-A: 1", "Connection: close")).ends, [false]);
    assert.deepEqual(read(counted.replace("X-A: 1", "Connection: x-a, close")).ends, [false]);
    assert.deepEqual(read(counted.replace("HTTP/1.1", "HTTP/1.0")).ends, [false]);
    assert.throws(() => read(`${counted}HTTP/1.1 200 OK\r\n\r\n`), ProtocolError);
  });

  test("headers of the hop, and those that connection names, are left out", () => {
    const { heads } = read(counted.replace("X-A: 1", "Keep-Alive: timeout=5\r\nConnection: keep-alive, x-b\r\nX-B: 1"));
    assert.deepEqual([...(heads[0]?.headers.keys() ?? [])].sort(), ["content-length", "content-type", "x-a"]);
  });

  test("a header value keeps its bytes", () => {
    assert.equal(read(counted.replace("X-A: 1", "X-A: é\u0085")).heads[0]?.headers.get("x-a"), "é\u0085, 2");
  });

  const wrong: Record<string, string> = {
    "no HTTP": "SSH-2.0-OpenSSH\r\n\r\n",
    "another major version": "HTTP/2.0 200 OK\r\n\r\n",
    "a status of two digits": "HTTP/1.1 20 OK\r\n\r\n",
    "switching protocols": "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "a negative length": "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
    "a length of 2^63": "HTTP/1.1 200 OK\r\ncontent-length: 9223372036854775808\r\n\r\n",
    "two lengths": "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    "a list of lengths": "HTTP/1.1 200 OK\r\ncontent-length: 1, 2\r\n\r\n",
    "another coding": "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
    "a folded header": "HTTP/1.1 200 OK\r\nx-a: 1\r\n folded\r\n\r\n",
    "a line without a name": "HTTP/1.1 200 OK\r\n: 1\r\n\r\n",
    "a name with a space": "HTTP/1.1 200 OK\r\nx a: 1\r\n\r\n",
    "a chunk length that is none": "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
    "a chunk length of 2^63": "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n8000000000000000\r\n",
    "a chunk longer than it said": "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
    "an endless head": `HTTP/1.1 200 OK\r\n${"x-a: 1\r\n".repeat(10_000)}`,
    "an endless chunk line": `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;${"x".repeat(2000)}`,
  };
  for (const [name, wire] of Object.entries(wrong)) {
    test(`refused: ${name}`, () => {
      assert.throws(() => read(wire), ProtocolError);
      assert.throws(
        () =>
          read(
            wire,
            Array.from({ length: wire.length }, (_, index) => index),
          ),
        ProtocolError,
      );
    });
  }

  test("a length and chunks at once: the chunks count, and the connection is not used again", () => {
    const { pieces, ends } = read(chunked.replace("content-type", "content-length: 3\r\ncontent-type"));
    assert.equal(text(pieces), "hello\r\n!");
    assert.deepEqual(ends, [false]);
  });

  test("random bytes never crash it otherwise", () => {
    const pool = fc.constantFrom(
      "HTTP/1.1 200 OK\r\n",
      "content-length: ",
      "3",
      "\r\n",
      "\r\n\r\n",
      "chunked",
      "transfer-encoding: ",
      "a",
      "\n",
      ":",
      "0",
    );
    fc.assert(
      fc.property(fc.array(pool, { maxLength: 40 }), (parts) => {
        try {
          read(`HTTP/1.1 200 OK\r\n${parts.join("")}`).reader.close();
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});
