/**
 * Which execution provider of ONNX Runtime the model runs on. One that was asked for by name is used or refused with the
 * reason and the mend; `auto` takes the first that can be had, and says why it was not another. Compiles nothing.
 */
import { cpus } from "node:os";
import { GatewayError } from "../errors.ts";
import { ONNXRUNTIME_DIRECTORY } from "./native/library.ts";
import { openOnnxRuntime, type Provider } from "./native/onnxruntime.ts";

export interface ChosenDevice {
  readonly provider: Provider;
  /** In words: what it runs on. */
  readonly name: string;
  /** Of `auto`: why what comes first was not taken. */
  readonly notes: readonly string[];
}

/** `auto` tries in this order; the CPU is always there. */
const ORDER = ["cuda", "webgpu"] as const;

const MEND = {
  cuda:
    "Put libonnxruntime_providers_cuda.so and libonnxruntime_providers_shared.so of the same version of ONNX Runtime beside " +
    `its library, or name a directory that holds all three in ${ONNXRUNTIME_DIRECTORY}; CUDA and cuDNN must be installed ` +
    "(docs/models.md). Or use --device auto.",
  webgpu: "Install a GPU driver with Vulkan, and libvulkan. Or use --device auto.",
} as const;

function toCpuName(): string {
  const all = cpus();
  return `${all[0]?.model.trim() || "CPU"}, ${all.length} cores`;
}

const NAME: Readonly<Record<Provider, () => string>> = {
  cpu: toCpuName,
  cuda: () => "CUDA device 0",
  webgpu: () => "the default WebGPU adapter",
};

/**
 * @param probe why a provider cannot be had; null when it can
 * @throws GatewayError `unsupported` with reason and mend
 */
export function chooseDevice(
  asked: "auto" | "cpu" | "webgpu" | "cuda",
  probe: (provider: Exclude<Provider, "cpu">) => string | null = (provider) => openOnnxRuntime().probe(provider),
): ChosenDevice {
  const chosen = (provider: Provider, notes: readonly string[] = []): ChosenDevice => ({
    provider,
    name: NAME[provider](),
    notes,
  });
  if (asked === "cpu") return chosen("cpu");
  if (asked !== "auto") {
    const reason = probe(asked);
    if (reason === null) return chosen(asked);
    throw new GatewayError("unsupported", `--device ${asked} cannot be had: ${reason} ${MEND[asked]}`, {
      param: "device",
    });
  }
  const notes: string[] = [];
  for (const provider of ORDER) {
    const reason = probe(provider);
    if (reason === null) return chosen(provider, notes);
    notes.push(`no ${provider}: ${reason}`);
  }
  return chosen("cpu", notes);
}
