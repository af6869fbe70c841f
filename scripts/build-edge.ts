/**
 * Bundles `src/platform/workerd.ts` into one module for workerd: `dist/workerd.js`. The other runtimes run the source
 * as it is; workerd takes JavaScript only.
 */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { binaryOf, ROOT } from "./runtimes.mjs";

/** The bundled file. */
export const EDGE_FILE = fileURLToPath(new URL("dist/workerd.js", ROOT));

/** Builds it; throws when that fails. */
export function buildEdge(): string {
  const entry = fileURLToPath(new URL("src/platform/workerd.ts", ROOT));
  const args = ["build", entry, "--target=browser", "--format=esm", "--conditions=workerd", `--outfile=${EDGE_FILE}`];
  const { status, stderr } = spawnSync(binaryOf("bun"), args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`the bundle for workerd failed: ${stderr}`);
  return EDGE_FILE;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(buildEdge());
