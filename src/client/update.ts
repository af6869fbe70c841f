/** `updateModelParams` over HTTP: start a weight sync, follow it, and end when every replica confirmed. */
import type { WeightSync } from "../contract/control/weight-syncs.ts";
import { WeightSyncError } from "./errors.ts";
import { type Connection, readProblem, send, sendJson, withDeadline } from "./http.ts";
import { sleep } from "./sleep.ts";

/** A path on the gateway's machine, or the safetensors bytes themselves. */
export type WeightsInput = string | Blob | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>;

export interface SyncOptions {
  /** Must be greater than the present one; default: the next. */
  readonly version?: number;
  /** Free text, such as the trainer's step. */
  readonly label?: string;
  /** What happens to generations in flight; default "wait". */
  readonly mode?: "abort" | "wait" | "keep";
  /** Only some tensors of the model; default false. */
  readonly partial?: boolean;
  /** Seconds for the whole sync; default 600. */
  readonly deadline?: number;
  readonly onProgress?: (sync: WeightSync) => void;
  /** Stops waiting and asks the gateway to abort the sync. */
  readonly signal?: AbortSignal;
}

export interface SyncResult {
  readonly version: number;
  readonly digest: string;
  readonly sync: WeightSync;
}

/** Between two looks at a running sync. */
const POLL_MILLISECONDS = 200;
/** The gateway ends a sync at its deadline; the client gives it this much longer to say so. */
const GRACE_SECONDS = 30;

const fields = (options: SyncOptions): Record<string, string> =>
  Object.fromEntries(
    Object.entries({
      version: options.version,
      label: options.label,
      mode: options.mode,
      partial: options.partial,
      deadline_s: options.deadline,
    }).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  );

async function startSync(
  connection: Connection,
  input: WeightsInput,
  options: SyncOptions,
  signal: AbortSignal,
): Promise<WeightSync> {
  const path = "/api/weight-syncs";
  const response =
    typeof input === "string"
      ? await send(connection, path, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({
            source: { kind: "disk", path: input },
            version: options.version,
            label: options.label,
            mode: options.mode,
            partial: options.partial,
            deadline_s: options.deadline,
          }),
          signal,
        })
      : await send(connection, `${path}?${new URLSearchParams(fields(options))}`, {
          method: "POST",
          headers: { "content-type": "application/octet-stream" },
          body: input,
          signal,
        });
  const text = await response.text();
  if (response.status >= 400) {
    const { message, code, body } = readProblem(text);
    throw new WeightSyncError(`${connection.baseUrl}${path}`, response.status, message, {
      code,
      phase: typeof body?.phase === "string" ? body.phase : null,
      replica: typeof body?.replica === "string" ? body.replica : null,
    });
  }
  return JSON.parse(text) as WeightSync;
}

/** See `VLLMClient.updateModelParams`. */
export async function syncWeights(
  connection: Connection,
  input: WeightsInput,
  options: SyncOptions,
): Promise<SyncResult> {
  const signal = withDeadline(options.signal, ((options.deadline ?? 600) + GRACE_SECONDS) * 1000);
  let sync = await startSync(connection, input, options, signal);
  const url = `/api/weight-syncs/${sync.id}`;
  try {
    while (sync.state === "running") {
      options.onProgress?.(sync);
      await sleep(POLL_MILLISECONDS, signal);
      sync = (await sendJson(connection, url, { method: "GET", signal })).json as WeightSync;
    }
  } catch (error) {
    if (signal.aborted) await abandon(connection, url);
    throw error;
  }
  options.onProgress?.(sync);
  if (sync.state === "completed" && sync.digest !== null) return { version: sync.version, digest: sync.digest, sync };
  const message = sync.error?.message ?? `Weight sync ${sync.id} ended as ${sync.state}.`;
  throw new WeightSyncError(`${connection.baseUrl}${url}`, 424, message, {
    code: sync.error?.code ?? null,
    phase: sync.error?.phase ?? sync.phase,
    replica: sync.error?.replica ?? null,
  });
}

/** The caller gave up: the sync must not switch weights behind its back. A sync that is past aborting refuses, and that is the truth. */
async function abandon(connection: Connection, url: string): Promise<void> {
  try {
    const headers = new Headers();
    if (connection.apiKey !== undefined) headers.set("authorization", `Bearer ${connection.apiKey}`);
    await connection.fetch(`${connection.baseUrl}${url}`, {
      method: "DELETE",
      headers,
      signal: AbortSignal.timeout(5000),
    });
  } catch {
    // The first error is the one to tell; the gateway's own deadline ends the sync in any case.
  }
}
