/** Frames of one turn go out as one piece, in order, whatever their sizes. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeFrame, FrameReader } from "../../src/worker/frame.ts";
import { createFrameWriter } from "../../src/worker/frame-writer.ts";

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

describe("frame writer", () => {
  test("one write for what is sent in one go; order is kept around large frames", async () => {
    const written: Uint8Array[] = [];
    const writer = createFrameWriter({ writableLength: 7, write: (bytes) => written.push(bytes) });
    const texts = ["a", "b", "x".repeat(100_000), "c", "d", "e"];
    for (const text of texts) writer.send(encodeFrame(text));
    assert.equal(writer.waiting, 7 + 3 * encodeFrame("c").byteLength);
    await turn();
    assert.equal(writer.waiting, 7);
    assert.equal(written.length, 3);
    writer.send(encodeFrame("f"));
    assert.equal(written.length, 3);
    await turn();
    writer.send(encodeFrame("g"));
    await turn();
    assert.equal(written.length, 5);
    const reader = new FrameReader();
    assert.deepEqual(
      written.flatMap((bytes) => reader.push(bytes)),
      [...texts, "f", "g"],
    );
    await turn();
    assert.equal(written.length, 5);
  });
});
