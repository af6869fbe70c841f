/**
 * Writes `openapi/openapi.json` from the routes. `--check` writes nothing and exits 1 when the file is behind
 * them. Run by Bun, Deno or Node; the bytes are the same. (`tidegate openapi --yaml` prints the YAML form.)
 */
import { readFile, writeFile } from "node:fs/promises";
import process from "node:process";
import { routes } from "../routes/mod.ts";
import { buildDocument } from "./document.ts";

const target = new URL("./openapi.json", import.meta.url);
const document = buildDocument(routes);
const text = `${JSON.stringify(document, null, 2)}\n`;

if (process.argv.includes("--check")) {
  const committed = await readFile(target, "utf8").catch(() => "");
  if (committed !== text) {
    console.error("openapi/openapi.json is behind the routes. Run: bun run openapi/generate.ts");
    process.exitCode = 1;
  }
} else {
  await writeFile(target, text);
  console.log(`openapi/openapi.json: ${Object.keys(document.paths).length} paths, ${text.length} bytes`);
}
