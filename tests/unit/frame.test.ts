import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { GatewayError } from "../../src/errors.ts";
import {
  encodeBytesFrame,
  encodeFrame,
  FRAME_BYTES,
  FRAME_JSON,
  FRAME_LIMIT,
  FrameReader,
} from "../../src/worker/frame.ts";
import { fromWireError, fromWireEvent, toWireError, toWireEvent } from "../../src/worker/protocol.ts";

const join = (parts: readonly Uint8Array[]): Uint8Array => {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.byteLength;
  }
  return out;
};

const head = (length: number, kind = FRAME_JSON): Uint8Array => {
  const bytes = new Uint8Array(5);
  new DataView(bytes.buffer).setUint32(0, length, true);
  bytes[4] = kind;
  return bytes;
};

describe("frames", () => {
  test("come out whole and in order, however the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue(), { maxLength: 6 }),
        fc.array(fc.nat(40), { maxLength: 60 }),
        (values, cuts) => {
          const plain = JSON.parse(JSON.stringify(values)) as unknown[];
          const bytes = join(plain.map(encodeFrame));
          const reader = new FrameReader();
          const out: unknown[] = [];
          let at = 0;
          for (const cut of cuts) {
            out.push(...reader.push(bytes.subarray(at, at + cut)));
            at += cut;
          }
          out.push(...reader.push(bytes.subarray(at)));
          assert.deepEqual(out, plain);
          assert.equal(reader.pending, 0);
        },
      ),
    );
  });
  test("an object with bytes comes out whole, however the bytes are cut", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 50 }), (payload, step) => {
        const all = join([...encodeBytesFrame({ type: "data", id: 7 }, payload), encodeFrame("next")]);
        const reader = new FrameReader();
        const out: unknown[] = [];
        for (let at = 0; at < all.length; at += step) out.push(...reader.push(all.subarray(at, at + step)));
        const [first, next] = out as [{ type: string; id: number; bytes: Uint8Array }, string];
        assert.deepEqual([first.type, first.id, next], ["data", 7, "next"]);
        assert.deepEqual([...first.bytes], [...payload]);
      }),
    );
    // A JSON length that points past the end of its frame.
    assert.throws(
      () => new FrameReader().push(join([head(6, FRAME_BYTES), Uint8Array.from([9, 0, 0, 0, 1])])),
      RangeError,
    );
    assert.throws(() => new FrameReader().push(join([head(3, FRAME_BYTES), Uint8Array.from([9, 0])])), RangeError);
    assert.throws(() => encodeBytesFrame({}, new Uint8Array(FRAME_LIMIT)), GatewayError);
  });
  test("a large frame in small pieces", () => {
    const value = { text: "x".repeat(3_000_000) };
    const bytes = encodeFrame(value);
    const reader = new FrameReader();
    const out: unknown[] = [];
    for (let at = 0; at < bytes.byteLength; at += 65_536) out.push(...reader.push(bytes.subarray(at, at + 65_536)));
    assert.deepEqual(out, [value]);
  });
  test("a length over the limit is refused before anything is kept for it", () => {
    const reader = new FrameReader();
    assert.throws(() => reader.push(head(FRAME_LIMIT + 1)), RangeError);
    assert.throws(() => new FrameReader().push(head(0)), RangeError);
  });
  test("an unknown kind, broken UTF-8 and broken JSON are refused", () => {
    assert.throws(() => new FrameReader().push(head(1, 9)), /unknown kind 9/);
    assert.throws(() => new FrameReader().push(join([head(2), Uint8Array.of(0xff)])), TypeError);
    assert.throws(() => new FrameReader().push(join([head(2), Uint8Array.of(0x7b)])), SyntaxError);
  });
  test("a message over the limit is not sent", () => {
    assert.throws(
      () => encodeFrame("x".repeat(FRAME_LIMIT)),
      (error: unknown) => error instanceof GatewayError && error.code === "payload_too_large",
    );
  });
});

describe("the two conversions", () => {
  test("masked logprobs survive JSON", () => {
    const token = { tokenId: 1, token: "a", bytes: [97], logprob: -1, rank: 1 };
    const masked = { ...token, tokenId: 2, logprob: Number.NEGATIVE_INFINITY, rank: 2 };
    const delta = {
      type: "delta",
      prompt: 0,
      sample: 0,
      text: "a",
      tokenIds: [1],
      logprobs: [{ ...token, top: [token, masked] }],
    } as const;
    assert.deepEqual(fromWireEvent(JSON.parse(JSON.stringify(toWireEvent(delta)))), delta);
    const prompt = {
      type: "prompt",
      prompt: 0,
      tokenIds: [1, 2],
      cachedTokens: 0,
      text: null,
      logprobs: [null, { ...masked, top: [] }],
    } as const;
    assert.deepEqual(fromWireEvent(JSON.parse(JSON.stringify(toWireEvent(prompt)))), prompt);
  });
  test("errors keep code, message and details, and lose their cause", () => {
    const error = new GatewayError("weights_shape_mismatch", "no", { tensor: "a.b", cause: new Error("x") });
    const back = fromWireError(JSON.parse(JSON.stringify(toWireError(error))));
    assert.equal(back.code, "weights_shape_mismatch");
    assert.equal(back.message, "no");
    assert.deepEqual(back.details, { tensor: "a.b" });
    assert.match(fromWireError(toWireError(new Error("boom"))).message, /boom/);
    assert.equal(fromWireError({ code: "later" as "internal", message: "m", details: {} }).code, "internal");
  });
});
