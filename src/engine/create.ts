/** From a specification to an engine: the only switch over the kinds of engine. */
import type { Ports } from "../ports.ts";
import { createAutoEngine } from "./auto.ts";
import { createEmbeddedEngine, type EmbeddedEngineDeps } from "./embedded/embedded.ts";
import type { Engine, EngineSpec } from "./engine.ts";
import { createTrlEngine } from "./trl/trl.ts";
import { connectionError } from "./vllm/faults.ts";
import { createVllmEngine } from "./vllm/vllm.ts";
import type { OpenNcclRoot } from "./vllm/weights-nccl.ts";
import type { OfferWeights } from "./vllm/weights-plugin.ts";

export interface EngineDeps extends EmbeddedEngineDeps {
  readonly ports: Pick<Ports, "clock" | "random" | "spawn" | "fetch" | "exchange" | "files">;
  /** Bearer key that upstreams ask for. */
  readonly upstreamApiKey?: string;
  /** For servers that fetch weights from here. */
  readonly offerWeights?: OfferWeights;
  /** For servers that take weights over NCCL. */
  readonly openNccl?: OpenNcclRoot;
}

/** Creates the engine of a replica; nothing runs before its `start`. */
export function createEngine(spec: EngineSpec, deps: EngineDeps): Engine {
  if (spec.kind === "embedded") return createEmbeddedEngine(spec, deps);
  if (spec.kind === "trl") return createTrlEngine(spec, deps);
  if (spec.kind === "vllm") return createVllmEngine({ url: spec.url }, deps);
  const url = spec.url.replace(/\/+$/, "");
  return createAutoEngine({
    url,
    create: (kind) => createEngine({ kind, url }, deps),
    async statusOf(path, { signal }) {
      try {
        const response = await deps.ports.fetch(url + path, { method: "GET", signal, redirect: "manual" });
        await response.body?.cancel();
        return response.status;
      } catch (error) {
        throw connectionError(url, error);
      }
    },
  });
}
