// Two real vLLM servers (CPU build) and a proxy that can make one of them fail. Used by run.mjs of this folder.
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync } from "node:fs";
import { createServer, request } from "node:http";
import { createServer as createSocket } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** A port that was free a moment ago. */
export const freePort = () =>
  new Promise((resolve, reject) => {
    const socket = createSocket();
    socket.once("error", reject);
    socket.listen(0, "127.0.0.1", () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });

/** Installs Python packages of this repository into a new folder, for PYTHONPATH: the environment itself stays as it is. */
export function installPackages(python, ...sources) {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-plugins-"));
  for (const [at, source] of sources.entries()) {
    // Building writes beside the source.
    const copy = join(folder, `source-${at}`);
    cpSync(source, copy, { recursive: true });
    const words = [
      "-m",
      "pip",
      "install",
      "-q",
      "--no-deps",
      "--no-build-isolation",
      "--target",
      join(folder, "site"),
      copy,
    ];
    const { status, stderr } = spawnSync(python, words, { encoding: "utf8" });
    if (status !== 0) throw new Error(`pip install ${source}: ${stderr}`);
  }
  return join(folder, "site");
}

/** Starts one; the caller waits for /health and stops the process. */
export function startVllm({ start, bin, model, port, context, site, backend }) {
  return start(
    join(bin, "vllm"),
    [
      ...["serve", model, "--host", "127.0.0.1", "--port", String(port), "--served-model-name", "tide-nano"],
      ...["--enforce-eager", "--dtype", "float32", "--max-model-len", String(context)],
      ...["--kv-cache-memory-bytes", "268435456", "--weight-transfer-config", JSON.stringify({ backend })],
    ],
    {
      PATH: `${bin}${delimiter}${process.env.PATH}`,
      PYTHONPATH: site,
      VLLM_TARGET_DEVICE: "cpu",
      VLLM_SERVER_DEV_MODE: "1",
      VLLM_NO_USAGE_STATS: "1",
      VLLM_LOGGING_LEVEL: "WARNING",
      HF_HUB_OFFLINE: "1",
      VLLM_HOST_IP: "127.0.0.1",
      VLLM_CPU_OMP_THREADS_BIND: "nobind",
      OMP_NUM_THREADS: "1",
    },
  );
}

/** Hands everything on to `target`; `spoil(path, json)` may change the JSON body of a POST. */
export async function startProxy(target) {
  const to = new URL(target);
  const proxy = { spoil: null, url: "", seen: [] };
  const server = createServer((incoming, outgoing) => {
    const chunks = [];
    incoming.on("data", (chunk) => chunks.push(chunk));
    incoming.on("end", () => {
      let body = Buffer.concat(chunks);
      proxy.seen.push(incoming.url);
      if (proxy.spoil !== null && body.length > 0) {
        const changed = proxy.spoil(incoming.url, JSON.parse(body.toString()));
        if (changed !== undefined) body = Buffer.from(JSON.stringify(changed));
      }
      const headers = { ...incoming.headers, host: to.host, "content-length": String(body.length) };
      const through = request(
        { host: to.hostname, port: to.port, method: incoming.method, path: incoming.url, headers, agent: false },
        (answer) => {
          outgoing.writeHead(answer.statusCode, answer.headers);
          answer.pipe(outgoing);
        },
      );
      through.on("error", () => outgoing.destroy());
      outgoing.on("close", () => through.destroy());
      through.end(body);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  proxy.url = `http://127.0.0.1:${server.address().port}`;
  proxy.stop = () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  return proxy;
}
