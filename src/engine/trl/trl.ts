/**
 * An upstream that speaks TRL's trailing-slash dialect (`trl vllm-serve`, TRL 0.16 to 1.10). Its requests are handed on byte
 * for byte; there is nothing else that it can do: it has no model list, no text, no pause.
 */
import type { WeightVersion } from "../../contract/ids.ts";
import { GatewayError } from "../../errors.ts";
import type { Ports } from "../../ports.ts";
import type { Engine, EngineControl, EngineInfo, EngineNotice } from "../engine.ts";
import { type Client, createClient } from "../vllm/client.ts";
import { createForward } from "../vllm/forward.ts";

/** Which server. */
export interface TrlEngineSpec {
  readonly url: string;
}

/** What it needs. */
export interface TrlEngineDeps {
  readonly ports: Pick<Ports, "fetch">;
  readonly upstreamApiKey?: string;
}

const numberAt = (value: unknown, field: string): number | undefined => {
  const found = (value as Record<string, unknown> | null | undefined)?.[field];
  return typeof found === "number" && Number.isSafeInteger(found) && found > 0 ? found : undefined;
};

async function readInfo(client: Client, signal: AbortSignal): Promise<EngineInfo> {
  await client.call("/health/", { signal });
  // 0.17 and later; 0.16 has the other.
  const world = numberAt((await client.callIfThere("/get_world_size/", { signal }))?.value, "world_size");
  const parallel =
    world === undefined
      ? numberAt((await client.callIfThere("/get_tensor_parallel_size/", { signal }))?.value, "tensor_parallel_size")
      : undefined;
  const worldSize = world ?? parallel;
  if (worldSize === undefined) {
    const text = `The server at ${client.url} has neither /get_world_size/ nor /get_tensor_parallel_size/: it is no \`trl vllm-serve\`.`;
    throw new GatewayError("upstream_failed", text);
  }
  return {
    models: [],
    worldSize,
    weightVersion: 0 as WeightVersion,
    weightDigest: null,
    details: { dialect: world === undefined ? "trl 0.16" : "trl 0.17 to 1.10" },
  };
}

function createControl(client: Client): EngineControl {
  const unsupported = (what: string) => (): Promise<never> =>
    Promise.reject(new GatewayError("unsupported", `\`trl vllm-serve\` at ${client.url} cannot ${what}.`));
  return {
    pause: unsupported("pause"),
    resume: unsupported("resume"),
    isPaused: () => Promise.resolve(false),
    async resetPrefixCache(_, { signal }) {
      const answer = (await client.call("/reset_prefix_cache/", { method: "POST", signal })) as { message?: unknown };
      return !String(answer?.message).endsWith("False");
    },
    sleep: unsupported("sleep"),
    wakeUp: unsupported("wake up"),
    isSleeping: () => Promise.resolve(false),
  };
}

/** Creates the engine; the first byte goes out with `start`. */
export function createTrlEngine(spec: TrlEngineSpec, deps: TrlEngineDeps): Engine {
  const url = spec.url.replace(/\/+$/, "");
  const listeners = new Set<(notice: EngineNotice) => void>();
  /** Calls under way: this server answers nothing else meanwhile, not even its health. */
  let busy = 0;
  let told = true;
  const tell = (reason: string): void => {
    if (told) return;
    told = true;
    for (const listener of [...listeners]) listener({ type: "down", reason, recovering: false });
  };
  const apiKey = deps.upstreamApiKey;
  const client = createClient({ url, fetch: deps.ports.fetch, apiKey, onRefused: tell, onDeath: tell });
  const forward = createForward(client, apiKey);
  return {
    kind: "trl",
    url,
    async start({ signal }) {
      const info = await readInfo(client, signal);
      told = false;
      return info;
    },
    async stop() {
      listeners.clear();
    },
    async probe({ signal }) {
      if (busy > 0) return;
      await client.call("/health/", { signal });
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async forward(request, options) {
      busy += 1;
      try {
        return await forward(request, options);
      } finally {
        busy -= 1;
      }
    },
    control: createControl(client),
  };
}
