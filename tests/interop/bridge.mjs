// Legacy TRL trainers, unmodified, through the bridge to two native servers (1 and 2 ranks). NCCL and CUDA are the C stand-in on
// all sides; the rendezvous is torch's and vLLM's own.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { binaryOf } from "../../scripts/runtimes.mjs";

const RELEASES = ["0.16.0", "0.17.0", "1.9.0", "1.10.0"];
const PORT = 18082;

/** A program that says on its first line where it listens. */
async function startListening(args, { repository, started }) {
  const child = spawn(binaryOf("bun"), ["tests/native/nccl-vllm.ts", ...args], {
    cwd: repository,
    stdio: ["ignore", "pipe", "inherit"],
  });
  started.push(child);
  const url = await new Promise((resolve, reject) => {
    child.stdout.on("data", (bytes) => resolve(/listening on (\S+)/.exec(String(bytes))?.[1]));
    child.once("close", () => reject(new Error("nccl-vllm.ts ended")));
  });
  return { child, url };
}

/** Runs `test_trl_bridge.py` with each release. `suite` has the helpers of run.mjs. */
export async function bridge(suite) {
  const { run, start, waitFor, stop, count, pytest, root } = suite;
  const folder = mkdtempSync(join(tmpdir(), "tidegate-bridge-"));
  try {
    const library = join(folder, "libfake-nccl.so");
    const flags = [
      "-Wl,-z,nodelete",
      "-shared",
      "-fPIC",
      "-O1",
      "-o",
      library,
      "tests/native/fake-nccl.c",
      "-lpthread",
    ];
    if ((await run("cc", flags)).code !== 0) return count("bridge: needs a C compiler (cc)", false);
    const ranks = ["1", "2"].map((number) => startListening(["--library", library, "--ranks", number], suite));
    const servers = await Promise.all(ranks);
    const environment = { TIDEGATE_NCCL_LIBRARY: library, TIDEGATE_CUDART_LIBRARY: library };
    const upstreams = servers.flatMap(({ url }) => ["--upstream", url]);
    const serve = ["src/cli/main.ts", "serve", "--port", String(PORT), "--log-level", "warn", ...upstreams];
    const front = start(binaryOf("bun"), serve, environment);
    const url = `http://127.0.0.1:${PORT}`;
    await waitFor(`${url}/readyz`, 60, front);
    const places = { TIDEGATE_URL: url, TIDEGATE_SERVERS: servers.map((server) => server.url).join(" ") };
    for (const version of RELEASES) {
      const path = [join(root, `trl-${version}`), "tests/interop/python/shims"].join(delimiter);
      await pytest("test_trl_bridge.py", { ...environment, ...places }, path);
    }
    for (const child of [front, ...servers.map((server) => server.child)]) await stop(child);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
