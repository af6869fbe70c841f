/** Installs the packages when they are missing or not the ones that package-lock.json names. Otherwise does nothing. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { HOST, ROOT } from "./runtimes.mjs";

const at = (path) => fileURLToPath(new URL(path, ROOT));
const readJson = (path) => JSON.parse(readFileSync(at(path), "utf8"));

/** Written after an install: which lock it was for. */
const STAMP = "node_modules/.tidegate-lock";

const lockHash = () =>
  createHash("sha256")
    .update(readFileSync(at("package-lock.json")))
    .digest("hex");

/** Why an install is needed, or undefined. Works for trees that npm, Bun or Deno made. */
export function staleness() {
  const { dependencies = {}, devDependencies = {} } = readJson("package.json");
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
    const path = `node_modules/${name}/package.json`;
    if (!existsSync(at(path))) return `${name} is not installed`;
    const found = readJson(path).version;
    if (found !== version) return `${name} ${found} is installed, ${version} is wanted`;
  }
  if (existsSync(at(STAMP)) && readFileSync(at(STAMP), "utf8").trim() !== lockHash())
    return "package-lock.json changed";
  return undefined;
}

/** npm's own script, when npm runs us; else the program in the PATH. */
function npm(...args) {
  const script = process.env.npm_execpath;
  if (script?.endsWith("npm-cli.js")) return [process.execPath, script, ...args];
  return [process.platform === "win32" ? "npm.cmd" : "npm", ...args];
}

const quiet = ["--no-audit", "--no-fund"];

/** Deno resolves again what the lock already says, so it runs npm instead: one lock for everybody. */
const NPM_FOR_DENO = "npm:npm@11.19.1";
const npmOnDeno = () => [
  ...[process.execPath, "run", "--no-prompt", "--no-config", "--no-lock", "--node-modules-dir=none"],
  ...["--allow-read", "--allow-write", "--allow-net", "--allow-env", "--allow-sys", "--allow-run"],
  ...[NPM_FOR_DENO, "ci", ...quiet, "--ignore-scripts"],
];

/** Ways to install, in the order they are tried. An install script that wants to download something may fail; none is needed. */
const WAYS = {
  node: () => [npm("ci", ...quiet), npm("ci", ...quiet, "--ignore-scripts")],
  bun: () => [[process.execPath, "install", "--no-save", "--ignore-scripts"]],
  deno: () => [npmOnDeno()],
};

/** Installs when needed. Ends the process with 3 when it cannot. */
export async function install() {
  const reason = staleness();
  if (reason === undefined) {
    if (!existsSync(at(STAMP))) writeFileSync(at(STAMP), `${lockHash()}\n`);
    return;
  }
  console.error(`installing packages (${reason})`);
  for (const [command, ...args] of WAYS[HOST]()) {
    // Standard output stays free for what was asked for.
    const { status, error } = spawnSync(command, args, { cwd: fileURLToPath(ROOT), stdio: ["ignore", 2, 2] });
    if (error !== undefined) console.error(`${command}: ${error.message}`);
    if (status === 0) {
      writeFileSync(at(STAMP), `${lockHash()}\n`);
      return;
    }
  }
  console.error("the packages could not be installed; the lines above say why");
  process.exit(3);
}
