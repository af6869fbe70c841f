// The interop suite: real clients and a real vLLM against a running gateway. `npm run interop` (after `npm run interop:setup`).
//   node tests/interop/run.mjs [checkpoint] [openai] [trl] [fuzz] [dashboard] [webgpu] [rendezvous] [trainer] [bridge] [vllm] [vllm-sync] [structured] [smol] [mixed] [store]      default: all
// Last line: "N passed, N failed".
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { binaryOf } from "../../scripts/runtimes.mjs";
import { bridge } from "./bridge.mjs";
import { dashboard } from "./dashboard.mjs";
import { smol } from "./smol.mjs";
import { store } from "./store.mjs";
import { vllmSync } from "./vllm-sync/run.mjs";
import { webgpu } from "./webgpu.mjs";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const root = resolve(repository, process.env.TIDEGATE_INTEROP ?? ".tidegate/interop");
const python = join(root, "venv/bin/python");
const parts = process.argv.slice(2).filter((word) => !word.startsWith("-"));
const wanted = (part) => parts.length === 0 || parts.includes(part);
/** Random requests of the fuzz part. */
const FUZZ_REQUESTS = Number(process.env.TIDEGATE_FUZZ_REQUESTS ?? 5000);

// These need no Python.
const alone = parts.length > 0 && parts.every((part) => ["structured", "store"].includes(part));
if (!alone && !existsSync(python)) {
  console.error(`Nothing at ${root}. Run tests/interop/setup.sh first, or point TIDEGATE_INTEROP at its folder.`);
  process.exit(2);
}

let passed = 0;
let failed = 0;
const started = [];
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, async () => {
    await Promise.all(started.map(stop));
    process.exit(1);
  });
}

function run(command, args, options = {}) {
  return new Promise((done) => {
    const child = spawn(command, args, { cwd: repository, stdio: ["ignore", "pipe", "inherit"], ...options });
    started.push(child);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (bytes) => {
        output += bytes;
        process.stdout.write(bytes);
      });
    }
    child.on("close", (code) => done({ code, output }));
  });
}

async function waitFor(url, seconds, child) {
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    if (child.exitCode !== null) throw new Error(`process for ${url} ended with code ${child.exitCode}`);
    try {
      if ((await fetch(url)).status === 200) return;
    } catch {
      // Not listening yet.
    }
    await sleep(200);
  }
  throw new Error(`${url} did not answer 200 within ${seconds} s`);
}

function start(command, args, environment = {}) {
  const child = spawn(command, args, {
    cwd: repository,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, ...environment },
  });
  started.push(child);
  return child;
}

async function startGateway(port, args, environment) {
  const child = start(binaryOf("bun"), ["src/cli/main.ts", "serve", "--port", String(port), ...args], environment);
  await waitFor(`http://127.0.0.1:${port}/readyz`, 120, child);
  return { child, url: `http://127.0.0.1:${port}` };
}

async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  await Promise.race([
    new Promise((done) => child.once("close", done)),
    sleep(15_000).then(() => child.kill("SIGKILL")),
  ]);
}

function count(label, ok) {
  if (ok) passed += 1;
  else failed += 1;
  console.log(`${ok ? "ok" : "not ok"} ${label}`);
}

/** pytest's own summary is the count. */
async function pytest(file, environment, extraPath) {
  const env = { ...process.env, VLLM_TARGET_DEVICE: "cpu", HF_HUB_OFFLINE: "1", ...environment };
  if (extraPath !== undefined) env.PYTHONPATH = extraPath;
  const { code, output } = await run(
    python,
    ["-m", "pytest", "-q", "-p", "no:cacheprovider", `tests/interop/python/${file}`],
    { env },
  );
  const good = Number(/(\d+) passed/.exec(output)?.[1] ?? 0);
  const bad = Number(/(\d+) failed/.exec(output)?.[1] ?? 0) + Number(/(\d+) error/.exec(output)?.[1] ?? 0);
  passed += good;
  failed += bad;
  if (good + bad === 0 || (code !== 0 && bad === 0)) count(`${file} ran`, false);
}

try {
  if (wanted("checkpoint")) {
    await pytest("test_chat_format.py", { TIDEGATE_COMMAND: `${binaryOf("bun")} src/cli/main.ts` });
  }
  if (wanted("structured")) {
    const { code, output } = await run(binaryOf("bun"), ["tests/interop/structured.ts"]);
    count("structured: schemas and patterns of public suites", code === 0 && output.includes("structured ok"));
  }
  const trained = join(repository, "models/tide-nano/trained");
  if (["openai", "trl", "fuzz"].some(wanted)) {
    const gateway = await startGateway(18080, [
      ...["--replicas", "2", "--enable-auto-tool-choice", "--tool-call-parser", "hermes"],
    ]);
    const environment = { TIDEGATE_URL: gateway.url, TIDEGATE_MODEL: "tide-nano", TIDEGATE_TRAINED: trained };
    if (wanted("openai")) {
      await pytest("test_openai.py", environment);
      const { output } = await run(binaryOf("node"), [
        "tests/interop/openai.node.mjs",
        gateway.url,
        "tide-nano",
        join(root, "node"),
      ]);
      passed += output.match(/^ok /gm)?.length ?? 0;
      failed += output.match(/^not ok /gm)?.length ?? 0;
    }
    if (wanted("trl")) {
      await pytest("test_trl_native.py", environment);
      for (const version of ["0.17.0", "1.10.0"])
        await pytest(
          "test_trl_legacy.py",
          environment,
          [join(root, `trl-${version}`), "tests/interop/python/shims"].join(delimiter),
        );
    }
    if (wanted("fuzz")) {
      const { code, output } = await run(python, ["tests/interop/python/fuzz.py", gateway.url, String(FUZZ_REQUESTS)]);
      count(
        `fuzz: ${FUZZ_REQUESTS} random requests from the OpenAPI document`,
        code === 0 && output.includes("fuzz ok"),
      );
    }
    await stop(gateway.child);
  }
  if (wanted("rendezvous")) {
    const env = { ...process.env, VLLM_TARGET_DEVICE: "cpu" };
    const { code, output } = await run(python, ["tests/interop/python/rendezvous.py"], { env });
    passed += output.match(/^ok /gm)?.length ?? 0;
    failed += output.match(/^not ok /gm)?.length ?? 0;
    if (!/^\d+ passed, \d+ failed$/m.test(output)) count(`rendezvous.py ended with code ${code}`, false);
  }
  if (wanted("trainer")) {
    // A trainer's whole path, with the servers' side of NCCL in the fakes and the trainer's in the test.
    for (const ranks of [[1], [2, 1], [4, 1, 2, 1, 8]]) {
      const fakes = ranks.map((_, at) => `http://127.0.0.1:${18300 + at}`);
      const servers = ranks.map((size, at) =>
        start(binaryOf("bun"), [
          "tests/fakes/vllm-server.ts",
          ...["--port", String(18300 + at), "--world-size", String(size), "--token-delay", "2"],
        ]),
      );
      for (const [at, url] of fakes.entries()) await waitFor(`${url}/health`, 30, servers[at]);
      const front = await startGateway(
        18399,
        fakes.flatMap((url) => ["--upstream", url]),
      );
      await pytest("test_trainer_fleet.py", {
        TIDEGATE_URL: front.url,
        TIDEGATE_FAKES: fakes.join(","),
        TIDEGATE_FAKE_RANKS: ranks.join(","),
        VLLM_HOST_IP: "127.0.0.1",
      });
      await stop(front.child);
      for (const server of servers) await stop(server);
    }
  }
  if (wanted("dashboard")) await dashboard({ start, startGateway, waitFor, stop, count, root, repository });
  if (wanted("webgpu")) await webgpu({ start, startGateway, stop, count, repository });
  if (wanted("bridge")) await bridge({ run, start, waitFor, stop, count, pytest, root, repository, started });
  if (wanted("smol")) await smol({ run, count, root, repository, python, startGateway, stop });
  if (wanted("mixed")) {
    const env = { ...process.env, TIDEGATE_MIXED: process.env.TIDEGATE_MIXED ?? "1000" };
    const { code } = await run(binaryOf("bun"), ["test", "--timeout", "1200000", "tests/system/mixed.test.ts"], {
      env,
    });
    count(`mixed: ${env.TIDEGATE_MIXED} requests in random arrival`, code === 0);
  }
  if (wanted("vllm")) {
    const upstreamUrl = "http://127.0.0.1:18100";
    const model = join(repository, "models/tide-nano/base");
    const upstream = start(
      join(root, "venv/bin/vllm"),
      [
        "serve",
        model,
        "--host",
        "127.0.0.1",
        "--port",
        "18100",
        "--served-model-name",
        "tide-nano",
        "--enforce-eager",
        "--dtype",
        "float32",
        "--max-model-len",
        String(readContext(model)),
        "--kv-cache-memory-bytes",
        "268435456",
      ],
      {
        PATH: `${join(root, "venv/bin")}:${process.env.PATH}`,
        VLLM_TARGET_DEVICE: "cpu",
        VLLM_SERVER_DEV_MODE: "1",
        VLLM_NO_USAGE_STATS: "1",
        HF_HUB_OFFLINE: "1",
        VLLM_HOST_IP: "127.0.0.1",
        VLLM_CPU_OMP_THREADS_BIND: "nobind",
        OMP_NUM_THREADS: "1",
      },
    );
    await waitFor(`${upstreamUrl}/health`, 240, upstream);
    const front = await startGateway(18081, ["--upstream", upstreamUrl]);
    await pytest("test_vllm_smoke.py", {
      TIDEGATE_URL: front.url,
      UPSTREAM_URL: upstreamUrl,
      TIDEGATE_MODEL: "tide-nano",
    });
    await pytest("test_openai_upstream.py", { TIDEGATE_URL: front.url, TIDEGATE_MODEL: "tide-nano" });
    await stop(front.child);
    await stop(upstream);
  }
  if (wanted("vllm-sync")) {
    const base = join(repository, "models/tide-nano/base");
    await pytest("../../../plugins/vllm/tests", {}, join(repository, "plugins/vllm"));
    await vllmSync({
      ...{ start, startGateway, waitFor, stop, count, python, repository, base, trained },
      bin: join(root, "venv/bin"),
      context: readContext(base),
      async references(length, prompts) {
        const words = ["tests/interop/python/greedy.py", String(length), JSON.stringify(prompts), base, trained];
        const { output } = await run(python, words, { env: { ...process.env, HF_HUB_OFFLINE: "1" } });
        const [first, second] = JSON.parse(output.trim().split("\n").at(-1));
        return { base: first, trained: second };
      },
    });
  }
  if (wanted("store")) await store({ run, count, bun: binaryOf("bun"), root, repository });
} catch (error) {
  count(`interop suite: ${error.message}`, false);
} finally {
  for (const child of started) await stop(child);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

function readContext(model) {
  return JSON.parse(readFileSync(join(model, "config.json"), "utf8")).max_position_embeddings;
}
