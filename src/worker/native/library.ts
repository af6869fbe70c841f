/**
 * Where the ONNX Runtime library of the onnxruntime-node package lies on this machine. Finds the file; loads nothing.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { arch, platform } from "node:process";
import { GatewayError } from "../../errors.ts";

/** File names by `process.platform`, as onnxruntime-node 1.30 ships them. */
const LIBRARY_NAMES: Readonly<Record<string, readonly string[]>> = {
  linux: ["libonnxruntime.so.1"],
  darwin: ["libonnxruntime.1.dylib", "libonnxruntime.1.30.0.dylib"],
  win32: ["onnxruntime.dll"],
};

/**
 * The absolute path of the shared library.
 *
 * @throws GatewayError `unsupported` when the package has none for this operating system and processor.
 */
export function findOnnxRuntimeLibrary(): string {
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
