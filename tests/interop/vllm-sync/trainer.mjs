// TRL's own client as the trainer of the fleet: it joins, then sends a checkpoint whenever it is told to.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** Starts it; `send(directory)` resolves with the line that it answers. */
export function startTrainer({ python, repository, url, port, site }) {
  const child = spawn(python, ["-u", "tests/interop/python/trl_trainer.py", url, String(port)], {
    cwd: repository,
    stdio: ["pipe", "pipe", "inherit"],
    env: {
      ...process.env,
      PYTHONPATH: site,
      HF_HUB_OFFLINE: "1",
      VLLM_TARGET_DEVICE: "cpu",
      VLLM_HOST_IP: "127.0.0.1",
    },
  });
  const lines = createInterface({ input: child.stdout });
  const waiting = [];
  const heard = [];
  lines.on("line", (line) => {
    console.log(`trainer: ${line}`);
    const next = waiting.shift();
    if (next === undefined) heard.push(line);
    else next(line);
  });
  child.on("close", () => {
    for (const next of waiting.splice(0)) next("failed: the trainer ended");
  });
  const hear = () =>
    heard.length > 0 ? Promise.resolve(heard.shift()) : new Promise((resolve) => waiting.push(resolve));
  /** The next line that begins with one of these. */
  const until = async (...words) => {
    for (;;) {
      const line = await hear();
      if (words.some((word) => line.startsWith(word))) return line;
    }
  };
  return {
    until,
    send(directory) {
      child.stdin.write(`${directory}\n`);
      return until("synced", "failed");
    },
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null) return resolve();
        child.once("close", resolve);
        child.stdin.end();
        setTimeout(() => child.kill("SIGKILL"), 10_000).unref();
      }),
  };
}
