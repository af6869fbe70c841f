/** Which device a model runs on: what was asked for or a refusal that helps, and what `auto` falls back to. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import { chooseDevice } from "../../src/worker/device.ts";
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

  test("auto takes the first that is there, else the CPU, and says why not the others", () => {
    const cpu = chooseDevice("auto", NONE);
    assert.equal(cpu.provider, "cpu");
    assert.deepEqual(cpu.notes, ["no cuda: cuda is not here.", "no webgpu: webgpu is not here."]);
    const webgpu = chooseDevice("auto", (provider) => (provider === "cuda" ? "gone." : null));
    assert.deepEqual([webgpu.provider, webgpu.notes], ["webgpu", ["no cuda: gone."]]);
    assert.deepEqual(chooseDevice("cpu", () => assert.fail("the CPU is not probed")).notes, []);
    assert.match(cpu.name, /\d+ cores/);
  });

  test("the library itself says why: one sentence, whatever it is", () => {
    for (const provider of ["cuda", "webgpu"] as const) {
      const reason = openOnnxRuntime().probe(provider);
      if (reason === null) continue;
      assert.ok(reason.length > 10 && reason.length < 400 && !reason.includes("\n"), reason);
    }
  });
});
