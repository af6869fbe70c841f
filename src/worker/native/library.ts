/**
 * Where the ONNX Runtime library lies on this machine: in a directory that the environment names, else in the
 * onnxruntime-node package. Its provider libraries are looked for beside it. Finds files; keeps nothing loaded.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { arch, env, platform } from "node:process";
import koffi from "koffi";
import { GatewayError } from "../../errors.ts";

/** File names by `process.platform`, as onnxruntime-node 1.30 ships them. */
const LIBRARY_NAMES: Readonly<Record<string, readonly string[]>> = {
  linux: ["libonnxruntime.so.1"],
  darwin: ["libonnxruntime.1.dylib", "libonnxruntime.1.30.0.dylib"],
  win32: ["onnxruntime.dll"],
};

function findIn(directory: string): string {
  const names = LIBRARY_NAMES[platform] ?? [];
  const found = names.map((name) => join(directory, name)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new GatewayError(
    "unsupported",
    `${ONNXRUNTIME_DIRECTORY} names ${directory}, which holds no ${names.join(" or ")}.`,
    { param: ONNXRUNTIME_DIRECTORY },
  );
}

/** Names a directory with another build of the library, such as one with CUDA. */
export const ONNXRUNTIME_DIRECTORY = "TIDEGATE_ONNXRUNTIME_DIR";

/** The file that must lie beside the library for CUDA, where CUDA is to be had at all. */
const CUDA_PROVIDER: Readonly<Record<string, string>> = {
  linux: "libonnxruntime_providers_cuda.so",
  win32: "onnxruntime_providers_cuda.dll",
};

/**
 * The absolute path of the shared library.
 *
 * @throws GatewayError `unsupported` when the package has none for this operating system and processor.
 */
export function findOnnxRuntimeLibrary(): string {
  const named = env[ONNXRUNTIME_DIRECTORY];
  if (named !== undefined && named !== "") return findIn(named);
  const root = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
  const directory = join(root, "bin", "napi-v6", platform, arch);
  for (const name of LIBRARY_NAMES[platform] ?? []) {
    const path = join(directory, name);
    if (existsSync(path)) return path;
  }
  throw new GatewayError(
    "unsupported",
    `The embedded engine has no ONNX Runtime library for ${platform} ${arch} (looked in ${directory}). ` +
      "It runs on Linux x64 and arm64, macOS arm64, Windows x64 and arm64.",
  );
}

/**
 * Looks for the files that a provider needs; starts nothing. (Without libvulkan ONNX Runtime would write to standard error, and
 * say no more than this.)
 *
 * @param path of the ONNX Runtime library
 * @throws GatewayError `unsupported` with what is missing
 */
export function checkProviderFiles(provider: "cpu" | "webgpu" | "cuda", path: string): void {
  if (provider === "webgpu" && platform === "linux") {
    try {
      koffi.load("libvulkan.so.1").unload();
    } catch {
      throw new GatewayError("unsupported", "libvulkan.so.1, through which WebGPU reaches the GPU, is not installed.");
    }
  }
  if (provider !== "cuda") return;
  const library = CUDA_PROVIDER[platform];
  if (library === undefined) throw new GatewayError("unsupported", `CUDA is not to be had on ${platform}.`);
  if (!existsSync(join(dirname(path), library))) {
    throw new GatewayError("unsupported", `${library} is not in ${dirname(path)}.`);
  }
}
