/** External data with a place: read by ONNX Runtime's own binding from a file, at its offset. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type Graph, toModelProto } from "../../src/worker/graph/onnx-proto.ts";

const OFFSET = 4096;

/** y = x + weight, the weight in a file. */
const graph: Graph = {
  name: "sum",
  nodes: [{ op: "Add", domain: "", inputs: ["x", "weight"], outputs: ["y"], attributes: {} }],
  inputs: [{ name: "x", type: "float32", dims: [2] }],
  outputs: [{ name: "y", type: "float32", dims: [2] }],
  external: [{ name: "weight", dims: [2], place: { offset: OFFSET, length: 8 } }],
  constants: [],
};

describe("ONNX models whose weights are in a file", () => {
  test("the bytes at the place are the weight", async () => {
    const directory = mkdtempSync(join(tmpdir(), "tidegate-onnx-"));
    try {
      const data = new Uint8Array(OFFSET + 8);
      data.set(new Uint8Array(Float32Array.of(10, 20).buffer), OFFSET);
      writeFileSync(join(directory, "weights"), data);
      writeFileSync(join(directory, "model.onnx"), toModelProto(graph, "weights"));
      const { default: onnx } = await import("onnxruntime-node");
      const session = await onnx.InferenceSession.create(join(directory, "model.onnx"));
      const { y } = await session.run({ x: new onnx.Tensor("float32", Float32Array.of(1, 2), [2]) });
      assert.deepEqual([...(y!.data as Float32Array)], [11, 22]);
      await session.release();
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
