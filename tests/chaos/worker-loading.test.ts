/**
 * A worker that dies each time it loads: killed, ended by the native code, or over files that are cut. The gateway stays up,
 * says so, waits longer each time, gives up at last, and takes the worker back when the cause is gone.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import type { Fleet } from "../../src/contract/control/fleet.ts";
import type { Server } from "../../src/contract/control/servers.ts";
import { findOnnxRuntimeLibrary } from "../../src/worker/native/library.ts";
import { cli, json, modelPath, postJson, type Served, serve } from "../system/serve.ts";

/** Starts that may fail in a row (src/engine/embedded/restart.ts). */
const START_FAILURES = 5;

const linux = process.platform === "linux";
let folder = "";
before(() => {
  folder = mkdtempSync(join(tmpdir(), "tidegate-loading-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const serverOf = async ({ url }: Served): Promise<Server> =>
  (await json<Fleet>(`${url}/api/fleet`)).body.servers[0] as Server;

/** Polls until `condition` holds of the only replica; the gateway answers all the while. */
async function until(served: Served, what: string, condition: (server: Server) => boolean): Promise<Server> {
  let server = await serverOf(served);
  for (let tries = 0; tries < 1000; tries += 1) {
    if (condition(server)) return server;
    assert.equal((await fetch(`${served.url}/livez`)).status, 200);
    await new Promise((resolve) => setTimeout(resolve, 20));
    server = await serverOf(served);
  }
  throw new Error(`did not happen: ${what}; ${JSON.stringify(server)}\n${served.output()}`);
}

const ask = (served: Served) =>
  postJson<{ choices?: unknown[]; error?: { message: string } }>(`${served.url}/v1/completions`, {
    ...{ prompt: "What is 1 + 2?", max_tokens: 2, temperature: 0 },
  });

/** Processes whose parent is this one. */
function childrenOf(parent: number): number[] {
  const found: number[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const [state, ppid] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (Number(ppid) === parent && state !== "Z") found.push(Number(name));
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}

const failures = (served: Served): number => served.output().match(/worker did not start/g)?.length ?? 0;
const delay = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe("a worker that dies while it loads", () => {
  test("killed three times in a row: shown, and back at the fourth", { skip: !linux && "needs /proc" }, async () => {
    const served = await serve();
    try {
      let victim = Number((await serverOf(served)).details.pid);
      process.kill(victim, "SIGKILL");
      for (let kills = 0; kills < 3; kills += 1) {
        let next: number | undefined;
        for (let tries = 0; next === undefined && tries < 2000; tries += 1) {
          next = childrenOf(served.pid).find((pid) => pid !== victim);
          if (next === undefined) await delay(5);
        }
        assert.ok(next !== undefined, `start ${kills + 1} of a new worker`);
        process.kill(next, "SIGKILL");
        victim = next;
        const seen = kills + 1;
        const down = await until(served, `failure ${seen}`, () => failures(served) >= seen);
        assert.notEqual(down.state, "ready");
        assert.match(String(down.last_error), /SIGKILL.*killed from outside.*--memory-budget/);
      }
      const back = await until(served, "back", ({ state }) => state === "ready");
      assert.ok(Number(back.details.restarts) >= 4, JSON.stringify(back.details));
      assert.equal((await ask(served)).status, 200);
    } finally {
      await served.stop();
    }
  });

  test("cut files: named while they are cut, and back when they are whole", async () => {
    const model = join(folder, "model");
    cpSync(modelPath("base"), model, { recursive: true });
    const served = await serve(["--model", model]);
    try {
      for (const [name, said] of [
        ["model.safetensors", /safetensors|bytes/],
        ["tokenizer.json", /tokenizer\.json|JSON/],
      ] as const) {
        const path = join(model, name);
        const whole = readFileSync(path);
        const before = failures(served);
        truncateSync(path, whole.length - 100);
        process.kill(Number((await serverOf(served)).details.pid), "SIGKILL");
        await until(served, `${name} named`, (down) => failures(served) > before && said.test(String(down.last_error)));
        writeFileSync(`${path}.whole`, whole);
        renameSync(`${path}.whole`, path);
        await until(served, "back", ({ state }) => state === "ready");
        assert.equal((await ask(served)).status, 200);
      }
    } finally {
      await served.stop();
    }
  });

  test("ended by the native code: exit 3 at the start; later the gateway gives up and says why", async (context) => {
    const library = linux ? findOnnxRuntimeLibrary() : "";
    const real = join(folder, "real");
    const broken = join(folder, "broken");
    const current = join(folder, "current");
    const source = join(folder, "abort.c");
    writeFileSync(source, "#include <stdlib.h>\nvoid *OrtGetApiBase(void) { abort(); }\n");
    try {
      if (!linux) throw new Error("no Linux");
      cpSync(dirname(library), real, { recursive: true });
      cpSync(dirname(library), broken, { recursive: true, filter: (path) => !path.includes(".so") });
      execFileSync("cc", ["-shared", "-fPIC", "-o", join(broken, "libonnxruntime.so.1"), source], { stdio: "pipe" });
    } catch (error) {
      context.skip(`needs Linux and a C compiler (cc): ${(error as Error).message}`);
      return;
    }
    const environment = { TIDEGATE_ONNXRUNTIME_DIR: current };
    const point = (target: string): void => {
      symlinkSync(target, `${current}.new`);
      renameSync(`${current}.new`, current);
    };
    point(broken);
    const refused = await cli(["serve", "--port", "0"], environment);
    assert.equal(refused.code, 3, refused.output);
    assert.match(refused.output, /cannot start: .*worker process \d+ ended \(signal SIGABRT\)/);

    point(real);
    const served = await serve([], environment);
    try {
      assert.equal((await ask(served)).status, 200);
      point(broken);
      process.kill(Number((await serverOf(served)).details.pid), "SIGKILL");
      const down = await until(served, "given up", ({ state }) => state === "unreachable" || state === "quarantined");
      assert.match(String(down.last_error), /SIGABRT/);
      assert.equal(failures(served), START_FAILURES);
      const { status, body } = await ask(served);
      assert.equal(status, 503);
      assert.match(String(body.error?.message), /SIGABRT|replica/);
      assert.equal((await fetch(`${served.url}/readyz`)).status, 503);
      await delay(1500);
      assert.equal(failures(served), START_FAILURES, "nobody tries any more");
      assert.deepEqual(childrenOf(served.pid), []);
      assert.equal((await fetch(`${served.url}/livez`)).status, 200);
    } finally {
      await served.stop();
    }
  });
});
