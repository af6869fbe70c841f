/**
 * Which execution provider of ONNX Runtime the model runs on. One that was asked for by name is used or refused with the
 * reason and the mend; `auto` takes the CPU, and says why not another. Compiles nothing.
 */
import { cpus } from "node:os";
import { GatewayError } from "../errors.ts";
import { ONNXRUNTIME_DIRECTORY } from "./native/library.ts";
import { openOnnxRuntime, type Provider } from "./native/onnxruntime.ts";

export interface ChosenDevice {
  readonly provider: Provider;
  /** In words: what it runs on. */
  readonly name: string;
  /** Of `auto`: why it was not another. */
  readonly notes: readonly string[];
}

const OTHERS = ["cuda", "webgpu"] as const;

const COPIES = "auto stays on the CPU, because the KV cache would be copied to the GPU and back at every step.";

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
 * @param probe why a provider cannot be had; null when it can. For `auto` only the files are looked for: starting a GPU's driver
 *   would cost memory for nothing
 * @throws GatewayError `unsupported` with reason and mend
 */
export function chooseDevice(
  asked: "auto" | "cpu" | "webgpu" | "cuda",
  probe: (provider: Exclude<Provider, "cpu">) => string | null = (provider) =>
    asked === "auto" ? openOnnxRuntime().missing(provider) : openOnnxRuntime().probe(provider),
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
  // The KV cache stays in the machine's memory: a GPU would copy all of it there and back at every step, which costs more than
  // it saves. Whoever wants it all the same says so.
  const notes = OTHERS.map((provider) => {
    const reason = probe(provider);
    return reason === null
      ? `${provider} may be had with --device ${provider}; ${COPIES}`
      : `no ${provider}: ${reason}`;
  });
  return chosen("cpu", notes);
}
