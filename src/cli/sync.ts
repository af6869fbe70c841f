/** `tidegate sync`: starts a weight sync, shows its progress, ends with the digest per replica. */
import type { FleetEvent } from "../contract/control/fleet.ts";
import type { WeightSync } from "../contract/control/weight-syncs.ts";
import { EXIT } from "../platform/run.ts";
import type { Files } from "../ports.ts";
import type { Options } from "./arguments.ts";
import { CLIENT_OPTIONS, createClient, type GatewayClient } from "./client.ts";
import { createCommand } from "./command.ts";
import { readEvents } from "./events.ts";
import { type Command, type Io, OperationError, UsageError } from "./io.ts";
import { createProgress, type Progress } from "./progress.ts";
import { toUpload } from "./upload.ts";

const OPTIONS: Options = {
  ...CLIENT_OPTIONS,
  version: { value: "N", help: "Number of the new version; default: the next." },
  label: { value: "TEXT", help: "Free text for the history, such as the trainer's step." },
  mode: { value: "abort|wait|keep", help: "What happens to generations in flight. Default: wait." },
  deadline: { value: "TIME", help: "Limit of the whole sync: 120s, 10m, 1h. Default: 10m." },
  partial: { help: "The files hold only some tensors; the others stay as they are." },
  upload: { help: "Send the bytes even when the gateway runs on this machine (it may be in a container)." },
};

/** "120s", "2m", "1h" or plain seconds → seconds. */
export function parseSeconds(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(s|m|h)?$/.exec(text);
  const seconds = Number(match?.[1]) * { s: 1, m: 60, h: 3600 }[(match?.[2] ?? "s") as "s" | "m" | "h"];
  if (!(seconds > 0)) throw new UsageError(`--deadline must be a time such as 120s or 10m, got "${text}"`);
  return seconds;
}

const isSync = (value: unknown): value is Extract<FleetEvent, { type: "sync" }> =>
  (value as { type?: unknown } | null)?.type === "sync";

/** The wishes of the command line in the words of the API; only what was said. */
function toWishes(values: Readonly<Record<string, unknown>>): Record<string, string | number | boolean> {
  const { version, label, mode, deadline, partial } = values;
  if (version !== undefined && !/^\d+$/.test(String(version))) {
    throw new UsageError(`--version must be a whole number, got "${version}"`);
  }
  return {
    ...(version === undefined ? {} : { version: Number(version) }),
    ...(label === undefined ? {} : { label: String(label) }),
    ...(mode === undefined ? {} : { mode: String(mode) }),
    ...(deadline === undefined ? {} : { deadline_s: parseSeconds(String(deadline)) }),
    ...(partial === true ? { partial: true } : {}),
  };
}

/** Follows the events to the final state. A feed that breaks is asked for again; its first event is the present. */
async function follow(client: GatewayClient, started: WeightSync, progress: Progress): Promise<WeightSync> {
  let sync = started;
  while (sync.state === "running") {
    const response = await client.send("GET", `/api/weight-syncs/${sync.id}/events`);
    let seen = false;
    for await (const event of readEvents(response)) {
      if (!isSync(event)) continue;
      seen = true;
      sync = event.sync;
      progress.update(sync.phase, sync.bytes_done, sync.bytes_total);
    }
    if (!seen) throw new OperationError(`the event feed of sync ${sync.id} ended without a word`);
  }
  return sync;
}

/** The last lines: the version, and who holds which digest. */
export function showResult(sync: WeightSync): string {
  const width = Math.max(0, ...sync.servers.map(({ id }) => id.length));
  const rows = sync.servers.map(({ id, phase, digest }) => `  ${id.padEnd(width)}  ${phase}  ${digest ?? "-"}`);
  return `${[`weight version ${sync.version}  ${sync.digest ?? ""}`.trimEnd(), ...rows].join("\n")}\n`;
}

function toFailure(sync: WeightSync): OperationError {
  const { error } = sync;
  const where = error === undefined ? "" : ` in phase ${error.phase}${error.replica ? ` at ${error.replica}` : ""}`;
  const said = error === undefined ? "" : `: ${error.message} (${error.code})`;
  return new OperationError(`sync ${sync.id} ${sync.state}${where}${said}. The version before it goes on serving.`);
}

/** Starts the sync by path or by upload and returns its first state. */
async function start(
  client: GatewayClient,
  files: Files,
  path: string,
  values: Readonly<Record<string, unknown>>,
  io: Io,
  progress: Progress,
  signal: AbortSignal,
): Promise<WeightSync> {
  const wishes = toWishes(values);
  const idempotency = { "idempotency-key": io.ports.random.uuid() };
  const absolute = files.resolve(path);
  if (client.local && values.upload !== true) {
    if ((await files.stat(absolute)) === undefined) throw new UsageError(`${path}: no such file or directory`);
    const response = await client.send("POST", "/api/weight-syncs", {
      headers: { ...idempotency, "content-type": "application/json" },
      body: JSON.stringify({ ...wishes, source: { kind: "disk", path: absolute } }),
      signal,
    });
    return (await response.json()) as WeightSync;
  }
  const upload = await toUpload(files, absolute, path, (done, total) => progress.update("send", done, total));
  const query = new URLSearchParams(Object.entries(wishes).map(([name, value]) => [name, String(value)]));
  const response = await client.send("POST", `/api/weight-syncs?${query}`, {
    headers: { ...idempotency, "content-type": "application/octet-stream" },
    body: upload,
    duplex: "half",
    signal,
  } as RequestInit);
  return (await response.json()) as WeightSync;
}

/** The command. */
export const sync: Command = createCommand({
  summary: "Put new weights on every replica, or on none.",
  usage: "sync DIR|FILE.safetensors [options]",
  about:
    "Makes a model directory or a safetensors file the next weight version of the whole fleet.\n" +
    "A gateway on this machine reads the path itself; to one elsewhere the file is sent.",
  options: OPTIONS,
  positionals: { least: 1, most: 1, called: "DIR or FILE" },
  async run({ values, positionals }, io) {
    const client = createClient(values, io);
    const progress = createProgress(io.err, io.terminal);
    const sending = new AbortController();
    let running: WeightSync | undefined;
    const unsubscribe = io.onInterrupt(() => {
      io.err("\ntidegate: aborting; the version before goes on serving\n");
      // While it runs the events tell how it ended; before, there is nothing to wait for.
      sending.abort(new OperationError("aborted before the sync began"));
      if (running === undefined) return;
      client.send("DELETE", `/api/weight-syncs/${running.id}`).catch((error) => io.err(`${error.message}\n`));
    });
    try {
      running = await start(client, io.ports.files!, positionals[0]!, values, io, progress, sending.signal);
      const ended = await follow(client, running, progress);
      progress.end();
      if (ended.state !== "completed") throw toFailure(ended);
      io.out(showResult(ended));
      return EXIT.done;
    } finally {
      unsubscribe();
    }
  },
});
