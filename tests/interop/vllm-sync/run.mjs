// Weight syncs of two real vLLM servers behind a gateway, with 8 streams running all the while: over a shared disk, through
// the plugin by URL, and from TRL's own client over a group of three ranks; and a server whose update fails. Called by ../run.mjs (part `vllm-sync`).
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { greedy, LENGTH, PROMPTS, startLoad } from "./load.mjs";
import { freePort, installPackages, startProxy, startVllm } from "./servers.mjs";
import { startTrainer } from "./trainer.mjs";

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

async function json(url, init) {
  const answer = await fetch(url, init);
  return { status: answer.status, body: await answer.json() };
}

const send = (method, body, headers = {}) => ({
  method,
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(body),
});

/** One pair of servers with `backend`, the second behind a proxy, and a gateway in front. */
async function openFleet(tools, backend, site) {
  const ports = [await freePort(), await freePort()];
  const servers = ports.map((port) =>
    startVllm({ start: tools.start, bin: tools.bin, model: tools.base, port, context: tools.context, site, backend }),
  );
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);
  for (const [at, url] of urls.entries()) await tools.waitFor(`${url}/health`, 400, servers[at]);
  const proxy = await startProxy(urls[1]);
  const gateway = await tools.startGateway(await freePort(), ["--upstream", urls[0], "--upstream", proxy.url]);
  const fleet = async () => (await json(`${gateway.url}/api/fleet`)).body;
  for (let tries = 0; (await fleet()).servers.some(({ state }) => state !== "ready") && tries < 100; tries += 1)
    await sleep(100);
  return {
    urls,
    proxy,
    gateway,
    fleet,
    servers,
    async stop() {
      await tools.stop(gateway.child);
      await proxy.stop();
      for (const server of servers) await tools.stop(server);
    },
  };
}

/** Syncs to `trained`, then to `base`, with streams on; then a failed update of the second server. */
async function syncs(tools, name, opened, { references, spoil, rolledBack, proven }) {
  const { count } = tools;
  const { gateway, urls, proxy } = opened;
  const label = (text) => `vllm-sync ${name}: ${text}`;
  const sync = (path) =>
    json(`${gateway.url}/api/weight-syncs`, send("POST", { source: { kind: "disk", path } }, { prefer: "wait=120" }));
  const answersAre = async (version) => {
    for (const url of urls) {
      for (const [at, prompt] of PROMPTS.entries()) {
        if (!same(await greedy(url, prompt), references[version][at])) return false;
      }
    }
    return true;
  };
  /** Published version → which reference. */
  const published = new Map([["0", "base"]]);
  count(label("both begin with the base's answers"), await answersAre("base"));
  const load = startLoad(gateway.url, 8);
  await sleep(1500);
  for (const which of ["trained", "base", "trained"]) {
    const { status, body } = await sync(tools[which]);
    published.set(String(body.version), which);
    const ok = status === 200 && body.state === "completed" && body.servers.every(({ phase }) => phase === "switched");
    count(label(`sync to ${which} completes`), ok);
    if (!ok) console.log(JSON.stringify(body));
    const digests = body.servers.map(({ digest }) => digest ?? null);
    const expected = proven ? body.digest : null;
    count(
      label(`digests are ${proven ? "proved by the servers" : "not claimed"}`),
      digests.every((digest) => digest === expected),
    );
    count(label(`greedy answers of both are those of ${which}, token for token`), await answersAre(which));
    await sleep(500);
  }
  const answers = await load.stop();
  const bad = answers.filter(
    (answer) =>
      answer.bad !== undefined || !same(answer.ids, references[published.get(answer.version)]?.[answer.prompt]),
  );
  for (const answer of bad.slice(0, 3)) console.log(JSON.stringify(answer));
  const seen = [...new Set(answers.map(({ version }) => version))].sort();
  count(
    label(`${answers.length} answers of 8 streams, each of one version (${seen.join(", ")})`),
    bad.length === 0 && answers.length > 20,
  );
  count(
    label("no server died"),
    opened.servers.every((server) => server.exitCode === null),
  );

  proxy.spoil = spoil;
  const failed = await sync(tools.base);
  proxy.spoil = null;
  console.log(
    `${failed.status} ${failed.body.state ?? failed.body.code}: ${failed.body.error?.message ?? failed.body.detail}`,
  );
  const after = await opened.fleet();
  if (rolledBack) {
    count(
      label("a failed fetch fails the sync and names the replica"),
      failed.status === 424 && failed.body.replica === "vllm-1",
    );
    count(
      label("and leaves both as they were"),
      after.servers.every(({ state }) => state === "ready") && (await answersAre("trained")),
    );
    return;
  }
  const fenced = after.servers.find(({ id }) => id === "vllm-1");
  count(label("a failed update is fenced"), fenced.state === "quarantined" && failed.body.error?.replica === "vllm-1");
  const before = proxy.seen.filter((path) => path.startsWith("/v1/")).length;
  const kept = startLoad(gateway.url, 8);
  await sleep(1500);
  const others = await kept.stop();
  count(
    label("it gets no request"),
    others.length > 0 &&
      others.every(({ by }) => by === "vllm-0") &&
      proxy.seen.filter((path) => path.startsWith("/v1/")).length === before,
  );
  count(label("it is alive"), (await fetch(`${urls[1]}/health`)).status === 200 && opened.servers[1].exitCode === null);
  const refitted = await json(`${gateway.url}/api/servers/vllm-1/refit`, send("POST", {}));
  count(label("refit brings it back"), refitted.status === 200 && refitted.body.state === "ready");
  count(label("with the published answers"), await answersAre("base"));
}

/** TRL's client drives both as one server. */
async function trained(tools, opened, references, site) {
  const { count } = tools;
  const label = (text) => `vllm-sync trl: ${text}`;
  const trainer = startTrainer({ ...tools, url: opened.gateway.url, port: await freePort(), site });
  try {
    count(label("world size 3"), (await trainer.until("world size", "failed")) === "world size 3");
    count(label("joins both servers"), (await trainer.until("joined", "failed")) === "joined");
    const load = startLoad(opened.gateway.url, 8);
    const published = new Map([["0", "base"]]);
    await sleep(1500);
    for (const which of ["trained", "base", "trained"]) {
      count(label(`sends ${which}`), (await trainer.send(tools[which])).startsWith("synced"));
      const { weight_version: version, servers } = await opened.fleet();
      published.set(String(version), which);
      count(
        label("both have the published version"),
        servers.every((server) => server.weight_version === version && server.state === "ready"),
      );
      let equal = true;
      for (const url of opened.urls) {
        for (const [at, prompt] of PROMPTS.entries()) equal &&= same(await greedy(url, prompt), references[which][at]);
      }
      count(label(`greedy answers of both are those of ${which}, token for token`), equal);
      await sleep(500);
    }
    const answers = await load.stop();
    const bad = answers.filter(
      (answer) =>
        answer.bad !== undefined || !same(answer.ids, references[published.get(answer.version)]?.[answer.prompt]),
    );
    for (const answer of bad.slice(0, 3)) console.log(JSON.stringify(answer));
    const seen = [...new Set(answers.map(({ version }) => version))].sort();
    count(
      label(`${answers.length} answers of 8 streams, each of one version (${seen.join(", ")})`),
      bad.length === 0 && answers.length > 20,
    );
    count(
      label("no server died"),
      opened.servers.every((server) => server.exitCode === null),
    );
  } finally {
    await trainer.stop();
  }
}

/** Runs the part. */
export async function vllmSync(tools) {
  const references = await tools.references(LENGTH, PROMPTS);
  const site = installPackages(
    tools.python,
    join(tools.repository, "plugins/vllm"),
    join(tools.repository, "tests/interop/python/gloo"),
  );
  // One pair of servers at a time; TIDEGATE_VLLM_SYNC=disk,plugin,trl chooses among them.
  const wanted = (process.env.TIDEGATE_VLLM_SYNC ?? "disk,plugin,trl").split(",");
  if (wanted.includes("trl")) {
    const byTrainer = await openFleet(tools, "interop_gloo", site);
    try {
      await trained(tools, byTrainer, references, site);
    } finally {
      await byTrainer.stop();
    }
  }
  const bad = "/nowhere/at/all";
  if (wanted.includes("disk")) {
    const overDisk = await openFleet(tools, "nccl", site);
    try {
      await syncs(tools, "disk", overDisk, {
        references,
        proven: false,
        rolledBack: false,
        // The path proved good, then the disk went away.
        spoil: (_path, body) =>
          body.method === "reload_weights" && body.kwargs.is_checkpoint_format !== false
            ? { ...body, kwargs: { weights_path: bad } }
            : undefined,
      });
    } finally {
      await overDisk.stop();
    }
  }
  if (wanted.includes("plugin")) {
    const byUrl = await openFleet(tools, "tidegate", site);
    try {
      await syncs(tools, "plugin", byUrl, {
        references,
        proven: true,
        rolledBack: true,
        spoil: (path, body) =>
          path === "/update_weights" && body.update_info.action === "fetch"
            ? { update_info: { ...body.update_info, token: "another" } }
            : undefined,
      });
    } finally {
      await byUrl.stop();
    }
  }
}
