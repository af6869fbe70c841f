/** From configuration to the engines that a gateway starts with. */
import type { Config } from "../config.ts";
import type { EngineKind, EngineSpec } from "../engine/engine.ts";
import { GatewayError } from "../errors.ts";
import { resolveLaunchFile } from "../offload/open-launch-file.ts";
import type { Files, Ports } from "../ports.ts";
import { toDirective } from "./residency/residencies.ts";

/** The model that ships with the project, and the name it is served under. */
const shippedModel = (): URL => new URL("../../models/tide-nano/base", import.meta.url);
const SHIPPED_NAME = "tide-nano";

/** The last part of a path; a GGUF file's without its ending. */
const lastSegment = (path: string): string =>
  (path.split(/[\\/]/).findLast((part) => part !== "") ?? path).replace(/(.)\.gguf$/i, "$1");

/** `file:///a%20b` → `/a b`; a drive letter loses the slash before it. */
const toPath = (url: URL): string => decodeURIComponent(url.pathname).replace(/^\/([A-Za-z]:)/, "$1");

/** Where the weights live from the start on: a budget, or what a launch file says; by default all are in memory. */
function firstResidency(
  { maxInCpu, offloadPlan }: Config,
  files: Files,
  model: string,
): Pick<Extract<EngineSpec, { kind: "embedded" }>, "residency"> {
  if (offloadPlan === undefined) return maxInCpu === undefined ? {} : { residency: { maxInCpuBytes: maxInCpu } };
  if (maxInCpu !== undefined) {
    throw new GatewayError(
      "invalid_value",
      "--offload-plan and --max-in-cpu both say where weights live; give one of them. The file's budget is zero_optimization.offload_param.max_in_cpu.",
      { param: "offloadPlan" },
    );
  }
  return {
    residency: async () => {
      const { plan, policy } = await resolveLaunchFile(files, offloadPlan, { model });
      return toDirective(policy, plan.groups);
    },
  };
}

function embeddedSpec(config: Config, ports: Ports): EngineSpec {
  if (ports.files === undefined || ports.spawn === undefined) {
    throw new GatewayError(
      "unsupported",
      `An embedded model (--model) cannot run on ${ports.runtime}: it needs files and processes of its own. Give --upstream URL instead.`,
      { param: "model" },
    );
  }
  const { files } = ports;
  const model = files.resolve(config.model ?? toPath(shippedModel()));
  return {
    kind: "embedded",
    model,
    servedModelName: config.servedModelName ?? (config.model === undefined ? SHIPPED_NAME : lastSegment(config.model)),
    maxConcurrency: config.maxConcurrency,
    maxModelLen: config.maxModelLen,
    device: config.device,
    quantize: config.quantize,
    memoryBudget: config.memoryBudget,
    maxQueuedTokens: config.maxQueuedTokens,
    replicas: config.replicas,
    skipTokenizer: config.skipTokenizerInit,
    maxLogprobs: config.maxLogprobs,
    logprobsMode: config.logprobsMode,
    ...firstResidency(config, files, model),
    spoolDirectory: config.spoolDir,
  };
}

/** What an upstream at `url` is driven as. */
export const upstreamSpec = (kind: "auto" | "vllm" | "trl", url: string): EngineSpec => ({ kind, url });

/** The kind in an id: one of which nothing is known yet is named like a vLLM server. */
export const kindOf = ({ kind }: EngineSpec): EngineKind => (kind === "auto" ? "vllm" : kind);

/**
 * Shares by URL or id, from `--server-weight`. Throws `invalid_value` for a server that the configuration does not have.
 */
export function createWeights(
  weights: Config["serverWeight"],
  specs: readonly EngineSpec[],
): (id: string, url: string | null) => number {
  const urls = specs.flatMap((spec) => (spec.kind === "embedded" ? [] : [spec.url.replace(/\/+$/, "")]));
  const embedded = specs.filter(({ kind }) => kind === "embedded").map((_, index) => `embedded-${index}`);
  const known = [...embedded, ...urls];
  const unknown = weights.find(({ server }) => !known.includes(server));
  if (unknown !== undefined) {
    throw new GatewayError(
      "invalid_value",
      `--server-weight ${unknown.server}=${unknown.weight} names no server of this configuration. Known: ${known.join(", ")}.`,
      { param: "serverWeight" },
    );
  }
  const byName = new Map(weights.map(({ server, weight }) => [server, weight]));
  return (id, url) => byName.get(url ?? id) ?? byName.get(id) ?? 1;
}

/**
 * Where a server is, spelt in one way: this machine has many names, and one server that is attached under two of them
 * would count twice in a trainer's group.
 *
 * @example
 * ```ts
 * import { placeOf } from "./specs.ts";
 * if (placeOf("http://LOCALHOST:8001/") !== placeOf("http://127.0.0.1:8001")) throw new Error("the same server");
 * ```
 */
export function placeOf(url: string): string {
  if (!URL.canParse(url)) return url;
  const { protocol, hostname, port, pathname } = new URL(url);
  const host = /^(localhost|127\.0\.0\.1|\[::1\])$/.test(hostname) ? "loopback" : hostname;
  return `${protocol}//${host}:${port}${pathname.replace(/\/+$/, "")}`;
}

/** No model and no upstream: the shipped model. With upstreams, embedded replicas only where a model is named. */
export function toSpecs(config: Config, ports: Ports): EngineSpec[] {
  const embedded = config.upstream.length === 0 || config.model !== undefined;
  const places = config.upstream.map(placeOf);
  const double = config.upstream.find((_, index) => places.indexOf(places[index] ?? "") !== index);
  if (double !== undefined) {
    throw new GatewayError("invalid_value", `--upstream ${double} is given twice; every server once.`, {
      param: "upstream",
    });
  }
  return [
    ...(embedded ? Array.from({ length: config.replicas }, () => embeddedSpec(config, ports)) : []),
    // Names become servers when they are looked up: `discovery.ts`.
    ...config.upstream.filter((url) => !url.startsWith("dns://")).map((url) => upstreamSpec(config.upstreamKind, url)),
  ];
}
