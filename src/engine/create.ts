/** From a specification to an engine: the only switch over the kinds of engine. */
import { GatewayError } from "../errors.ts";
import type { Ports } from "../ports.ts";
import { createEmbeddedEngine, type EmbeddedEngineDeps } from "./embedded/embedded.ts";
import type { Engine, EngineSpec } from "./engine.ts";
import { createVllmEngine } from "./vllm/vllm.ts";
import type { OfferWeights } from "./vllm/weights-plugin.ts";

export interface EngineDeps extends EmbeddedEngineDeps {
  readonly ports: Pick<Ports, "clock" | "random" | "spawn" | "fetch" | "files">;
  /** Bearer key that upstreams ask for. */
  readonly upstreamApiKey?: string;
  /** For servers that fetch weights from here. */
  readonly offerWeights?: OfferWeights;
}

/** Creates the engine of a replica; nothing runs before its `start`. Throws GatewayError `unsupported`. */
export function createEngine(spec: EngineSpec, deps: EngineDeps): Engine {
  if (spec.kind === "embedded") return createEmbeddedEngine(spec, deps);
  if (spec.kind === "vllm") return createVllmEngine(spec, deps);
  throw new GatewayError("unsupported", `Engines of kind ${spec.kind} are not part of this build.`);
}
