/** The client as one module, bundled as a browser or an edge runtime would get it. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { binaryOf } from "../../scripts/runtimes.mjs";

/** JavaScript text of `src/client/mod.ts` and all that it reaches. Throws when it cannot be bundled without a runtime's modules. */
export function bundleClient(): string {
  const entry = fileURLToPath(new URL("../../src/client/mod.ts", import.meta.url));
  const args = ["build", entry, "--target=browser", "--format=esm"];
  const { status, stdout, stderr } = spawnSync(binaryOf("bun"), args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`the bundle of the client failed: ${stderr}`);
  return stdout;
}
