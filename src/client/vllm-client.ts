/** `VLLMClient` of the library: the client with weight groups over NCCL, which need a runtime with processes. */
import { EdgeClient } from "./edge-client.ts";
import type { Connection } from "./http.ts";
import type { WeightGroup } from "./weight-group.ts";

/**
 * A client for one base URL, on Bun, Deno and Node. Every method but the group's is that of `EdgeClient`.
 *
 * @example
 * ```ts
 * import { VLLMClient } from "./vllm-client.ts";
 * // A stand-in for a server, so that this example runs anywhere.
 * const fetch = (async () => Response.json({ choices: [{ text: " 42" }] })) as unknown as typeof globalThis.fetch;
 * const client = new VLLMClient({ host: "127.0.0.1", port: 8000, fetch });
 * const [answer] = await client.generate(["17 + 25 ="], { temperature: 0, max_tokens: 8 });
 * if (answer !== " 42") throw new Error(answer);
 * ```
 */
export class VLLMClient extends EdgeClient {
  protected override async openGroup(connection: Connection): Promise<WeightGroup> {
    const { WeightGroup } = await import("./weight-group.ts");
    return new WeightGroup(connection);
  }
}
