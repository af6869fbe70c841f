// Several gateways over a real Redis or Valkey: many rounds of what the suite does twice. Takes redis-server or
// valkey-server of the PATH or TIDEGATE_REDIS_SERVER, else the Debian package, unpacked beside the other parts.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** redis-server of Debian and what it links to. */
const PACKAGES = ["redis-server", "redis-tools", "libjemalloc2", "liblua5.1-0", "liblzf1", "libatomic1"];
/** Rounds of each fault; each with its own moment, from one seed. */
const ROUNDS = process.env.TIDEGATE_ROUNDS ?? "12";
/** Kills of a single gateway, for SQLite and for Redis. */
const KILLS = process.env.TIDEGATE_KILLS ?? "20";

const says = (path) => spawnSync(path, ["--version"], { encoding: "utf8", timeout: 10_000 });

/** A command that starts a server, or undefined with a word why not. */
function find(root) {
  const asked = process.env.TIDEGATE_REDIS_SERVER;
  for (const path of asked ? [asked] : ["redis-server", "valkey-server"]) if (says(path).status === 0) return path;
  const folder = join(root, "redis");
  const script = join(folder, "redis-server");
  if (!existsSync(script)) {
    mkdirSync(folder, { recursive: true });
    const got = spawnSync("apt-get", ["download", ...PACKAGES], { cwd: folder, encoding: "utf8", timeout: 120_000 });
    if (got.status !== 0) return undefined;
    for (const file of readdirSync(folder).filter((name) => name.endsWith(".deb"))) {
      spawnSync("dpkg-deb", ["-x", file, "root"], { cwd: folder });
    }
    const libraries = readdirSync(join(folder, "root/usr/lib")).map((name) => join(folder, "root/usr/lib", name));
    writeFileSync(
      script,
      `#!/bin/sh\nLD_LIBRARY_PATH=${libraries.join(":")} exec ${join(folder, "root/usr/bin/redis-server")} "$@"\n`,
    );
    chmodSync(script, 0o755);
  }
  return says(script).status === 0 ? script : undefined;
}

/** Counts its tests; skipped with a word where no server is to be had. */
export async function store({ run, count, bun, root, repository }) {
  const server = find(root);
  if (server === undefined) {
    console.log(
      "skip store: no redis-server or valkey-server, and apt-get cannot download one (TIDEGATE_REDIS_SERVER)",
    );
    return;
  }
  console.log(`store: ${says(server).stdout.trim()}`);
  const env = {
    ...process.env,
    TIDEGATE_REDIS_SERVER: server,
    TIDEGATE_REQUIRE_REDIS: "1",
    TIDEGATE_ROUNDS: ROUNDS,
    TIDEGATE_KILLS: KILLS,
    TIDEGATE_OUTAGE: process.env.TIDEGATE_OUTAGE ?? "10",
  };
  const files = [
    "tests/chaos/several-gateways.test.ts",
    "tests/chaos/gateway-kill.test.ts",
    "tests/unit/redis-store.test.ts",
  ];
  for (const file of files) {
    const words = ["test", "--timeout", "3600000", file];
    const { code, output } = await run(bun, words, { cwd: repository, env, stdio: ["ignore", "pipe", "pipe"] });
    count(`${file}: ${/(\d+) pass/.exec(output)?.[1] ?? 0} tests`, code === 0);
  }
}
