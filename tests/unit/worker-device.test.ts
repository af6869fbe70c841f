/** Which device a model runs on: what was asked for or a refusal that helps, and what `auto` falls back to. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import { chooseDevice } from "../../src/worker/device.ts";
import { type Graph, toModelProto } from "../../src/worker/graph/onnx-proto.ts";
import { showElsewhere } from "../../src/worker/native/assignments.ts";
import { openOnnxRuntime } from "../../src/worker/native/onnxruntime.ts";

const NONE = (provider: string): string => `${provider} is not here.`;

describe("the device", () => {
  test("asked for by name and not to be had: refused with the reason and the mend", () => {
    for (const [asked, mend] of [
      ["cuda", /TIDEGATE_ONNXRUNTIME_DIR.*--device auto/],
      ["webgpu", /Vulkan.*--device auto/],
    ] as const) {
      assert.throws(
        () => chooseDevice(asked, NONE),
        (error) =>
          error instanceof GatewayError &&
          error.code === "unsupported" &&
          error.message.startsWith(`--device ${asked} cannot be had: ${asked} is not here. `) &&
          mend.test(error.message),
      );
    }
  });

  test("auto takes the CPU, and says why not the others", () => {
    const cpu = chooseDevice("auto", NONE);
    assert.equal(cpu.provider, "cpu");
    assert.deepEqual(cpu.notes, ["no cuda: cuda is not here.", "no webgpu: webgpu is not here."]);
    const beside = chooseDevice("auto", (provider) => (provider === "cuda" ? "gone." : null));
    assert.equal(beside.provider, "cpu");
    assert.deepEqual(beside.notes.length, 2);
    assert.match(beside.notes[1]!, /--device webgpu; .*KV cache/);
    assert.deepEqual(chooseDevice("cpu", () => assert.fail("the CPU is not probed")).notes, []);
    assert.match(cpu.name, /\d+ cores/);
  });

  test("ONNX Runtime says which provider runs which operator", async () => {
    const graph: Graph = {
      name: "sum",
      nodes: [
        { op: "ReduceSum", domain: "", inputs: ["x", "axes"], outputs: ["y"], attributes: { keepdims: { int: 0 } } },
      ],
      inputs: [{ name: "x", type: "float32", dims: ["N", 4] }],
      outputs: [{ name: "y", type: "float32", dims: ["N"] }],
      external: [],
      constants: [{ name: "axes", int64: [1] }],
    };
    const runtime = openOnnxRuntime();
    const session = await runtime.createSession(toModelProto(graph, runtime.externalLocation), {
      threads: 1,
      prepack: true,
      initializers: new Map(),
      recordAssignments: true,
    });
    assert.deepEqual(session.assignments, new Map([["CPUExecutionProvider", new Map([["ReduceSum", 1]])]]));
    assert.equal(showElsewhere(session.assignments!), "ReduceSum ×1");
    session.release();
  });

  test("the library itself says why: one sentence, whatever it is", () => {
    for (const provider of ["cuda", "webgpu"] as const) {
      const reason = openOnnxRuntime().probe(provider);
      if (reason === null) continue;
      assert.ok(reason.length > 10 && reason.length < 400 && !reason.includes("\n"), reason);
    }
  });
});
