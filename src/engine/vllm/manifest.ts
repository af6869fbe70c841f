/** Which tensors the model of a vLLM server has, read from its checkpoint where that lies on this machine. */
import type { Files } from "../../ports.ts";
import { locateWeights, readHeader } from "../../tensor/weights.ts";
import type { TensorSpec } from "../engine.ts";

const LOOPBACK = /^(localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * The tensors by name and shape; any floating-point dtype is fine, vLLM casts. null where the checkpoint cannot be read
 * from here: not a local path, another machine, other formats. `root` is what the server calls its model's place.
 */
export async function readModelManifest(
  files: Files | undefined,
  url: string,
  root: string,
): Promise<readonly TensorSpec[] | null> {
  // A path of another machine may exist here too and mean something else.
  if (files === undefined || !root.startsWith("/") || !LOOPBACK.test(new URL(url).hostname)) return null;
  try {
    const specs: TensorSpec[] = [];
    for (const path of (await locateWeights(files, root)).files) {
      const reader = await files.openRead(path);
      try {
        const { tensors } = await readHeader(reader);
        for (const { name, dtype, shape } of tensors) specs.push({ name, dtype, shape, castable: true });
      } finally {
        await reader.close();
      }
    }
    return specs;
  } catch {
    return null;
  }
}
