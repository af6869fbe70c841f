/** What the checkpoint of a vLLM server says of its model, where that lies on this machine. */
import type { Files } from "../../ports.ts";
import { locateWeights, readHeader } from "../../tensor/weights.ts";
import type { TensorSpec } from "../engine.ts";

const LOOPBACK = /^(localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** Of the served model; null = not to be found out from here. */
export interface ModelFacts {
  readonly manifest: readonly TensorSpec[] | null;
  /** `tie_word_embeddings` of config.json: the output head is the embedding. */
  readonly tied: boolean | null;
}

async function readTied(files: Files, root: string): Promise<boolean | null> {
  try {
    const config = JSON.parse(await files.readText(files.resolve(root, "config.json"))) as Record<string, unknown>;
    return typeof config.tie_word_embeddings === "boolean" ? config.tie_word_embeddings : null;
  } catch {
    return null;
  }
}

/**
 * The tensors by name and shape; any floating-point dtype is fine, vLLM casts. nulls where the checkpoint cannot be read
 * from here: not a local path, another machine, other formats. `root` is what the server calls its model's place.
 */
export async function readModelFacts(
  files: Files | undefined,
  url: string,
  root: string | undefined,
): Promise<ModelFacts> {
  // A path of another machine may exist here too and mean something else.
  if (files === undefined || root?.startsWith("/") !== true || !LOOPBACK.test(new URL(url).hostname)) {
    return { manifest: null, tied: null };
  }
  const tied = await readTied(files, root);
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
    return { manifest: specs, tied };
  } catch {
    return { manifest: null, tied };
  }
}
