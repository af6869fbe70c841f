/**
 * Weights over a disk that server and gateway share: vLLM reads the set's files itself (`reload_weights`, any load
 * format, no plugin). What it read it does not tell, so the digest stays unproven.
 *
 * A path that the server cannot see would leave it without weights: vLLM empties its parameters before it looks. So the
 * path is proved first, by a file without tensors beside the set: `reload_weights` with `is_checkpoint_format: false`
 * reads it without emptying anything (vLLM 0.32, model_loader/reload/inplace.py).
 */
import { GatewayError } from "../../errors.ts";
import type { Files } from "../../ports.ts";
import type { WeightSet } from "../engine.ts";
import type { Client } from "./client.ts";
import type { WeightWay } from "./weight-way.ts";

/** A whole safetensors file that holds nothing: eight bytes of length, then `{}` padded to eight. */
const NO_TENSORS = new Uint8Array([8, 0, 0, 0, 0, 0, 0, 0, ...new TextEncoder().encode("{}      ")]);

const PROBE = "probe";

/** The directory that holds exactly the files of a set. */
function directoryOf(files: Files, set: WeightSet): string {
  const [first] = set.files;
  if (first === undefined) throw new GatewayError("internal", "A weight set without files was staged.");
  return files.resolve(first, "..");
}

/** Worker method of our plugin: packs an output head that is the embedding anew. */
export const REPACK_METHOD = "tidegate_repack";

/**
 * Creates the way for one server.
 *
 * @param repacks asked at each use: the server computes on a CPU, and its output head is the embedding. vLLM 0.32 keeps a
 * packed copy of such a head there, which `reload_weights` leaves as it was: new weights with the old head, and nothing
 * tells. With the plugin installed the copy can be made anew; without it such a server is refused.
 * @param noNccl asked for a refusal: why the weights did not go over NCCL instead.
 */
export function createReloadWay(client: Client, files: Files, repacks: () => boolean, noNccl: () => string): WeightWay {
  const rpc = (method: string, signal: AbortSignal, kwargs: object = {}): Promise<unknown> =>
    client.call("/collective_rpc", { json: { method, kwargs }, signal });

  async function needPlugin(signal: AbortSignal): Promise<void> {
    try {
      await rpc(REPACK_METHOD, signal);
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      throw new GatewayError(
        "unsupported",
        `vLLM's CPU build keeps the old output head when it reloads a model with tied embeddings, as ${client.url} serves one. Install the plugin there, which makes it anew: pip install tidegate-vllm.`,
        { cause },
      );
    }
  }

  const directories = new Map<string, string>();
  return {
    async stage(id, set, { signal, onProgress }) {
      const directory = directoryOf(files, set);
      const probe = files.resolve(directory, PROBE);
      await files.makeDirectory(probe);
      const writer = await files.openWrite(files.resolve(probe, "empty.safetensors"));
      await writer.write(NO_TENSORS);
      await writer.close();
      try {
        await rpc("reload_weights", signal, { weights_path: probe, is_checkpoint_format: false });
      } catch (cause) {
        if (signal.aborted) throw signal.reason;
        const said = cause instanceof GatewayError ? (cause.details.upstream ?? cause.message) : String(cause);
        throw new GatewayError(
          "unsupported",
          `The vLLM server at ${client.url} cannot read ${probe}: ${said} Put --spool-dir on a disk that both see, or use the plugin: pip install tidegate-vllm there, and start it with --weight-transfer-config '{"backend":"tidegate"}'. NCCL would do as well (--weight-transfer-config '{"backend":"nccl"}' there; a GPU, libnccl and the CUDA runtime here), but ${noNccl()}.`,
          { upstream: said, cause },
        );
      }
      if (repacks()) await needPlugin(signal);
      const stats = await Promise.all(set.files.map((path) => files.stat(path)));
      const bytesTotal = stats.reduce((all, stat) => all + (stat?.size ?? 0), 0);
      directories.set(id, directory);
      onProgress({ bytesDone: 0, bytesTotal });
      return null;
    },
    async load(id, _version, { signal }) {
      const directory = directories.get(id);
      if (directory === undefined) throw new GatewayError("conflict", `Nothing is staged as ${id} for ${client.url}.`);
      directories.delete(id);
      await rpc("reload_weights", signal, { weights_path: directory });
      if (repacks()) await rpc(REPACK_METHOD, signal);
    },
    async discard(id) {
      directories.delete(id);
    },
  };
}
