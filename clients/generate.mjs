/**
 * Generates both clients from `openapi/openapi.json`:  node clients/generate.mjs [typescript] [python]
 *
 * TypeScript: `clients/typescript/src/schema.d.ts`, by openapi-typescript from the development packages.
 * Python: `clients/python/tidegate_client/`, by openapi-python-client in a virtual environment of its own
 * (`clients/python/.venv`, made from `requirements-dev.txt` when it is missing; needs python3 ≥ 3.11).
 * Afterwards `clients/generated-from.json` says which document each was made from; a test compares.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const at = (path) => join(root, path);
const document = "openapi/openapi.json";
const record = at("clients/generated-from.json");

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: "inherit", ...options });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}`);
}

function generateTypeScript() {
  const cli = at("node_modules/openapi-typescript/bin/cli.js");
  // A field with a default may be left out of a request.
  const options = ["--default-non-nullable", "false", "--output", "clients/typescript/src/schema.d.ts"];
  run(process.execPath, [cli, document, ...options]);
}

function generatePython() {
  const folder = at("clients/python");
  const bin = join(folder, ".venv", process.platform === "win32" ? "Scripts" : "bin");
  if (!existsSync(join(bin, "openapi-python-client"))) {
    run(process.env.PYTHON ?? "python3", ["-m", "venv", join(folder, ".venv")]);
    run(join(bin, "python"), ["-m", "pip", "install", "--quiet", "-r", join(folder, "requirements-dev.txt")]);
  }
  rmSync(join(folder, "tidegate_client"), { recursive: true, force: true });
  const options = ["--meta", "none", "--config", join(folder, "generator.yaml"), "--output-path", join(folder, "tidegate_client")];
  // The generator formats with the ruff that lies beside it; it sorts through sets, so the hash seed is fixed.
  const env = { ...process.env, PYTHONHASHSEED: "0", PATH: `${bin}${delimiter}${process.env.PATH}` };
  run(join(bin, "openapi-python-client"), ["generate", "--path", at(document), "--fail-on-warning", ...options], { env });
  rmSync(join(folder, "tidegate_client/.ruff_cache"), { recursive: true, force: true });
}

const generators = { typescript: generateTypeScript, python: generatePython };
const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !Object.hasOwn(generators, name));
if (unknown !== undefined) {
  console.error(`unknown client "${unknown}"; there are: ${Object.keys(generators).join(", ")}`);
  process.exit(2);
}

const sha256 = createHash("sha256").update(readFileSync(at(document))).digest("hex");
const made = existsSync(record) ? JSON.parse(readFileSync(record, "utf8")) : {};
for (const [name, generate] of Object.entries(generators)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  generate();
  made[name] = sha256;
}
writeFileSync(record, `${JSON.stringify(made, null, 2)}\n`);
