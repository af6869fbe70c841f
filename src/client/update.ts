/** `updateModelParams` over HTTP: start a weight sync, follow it, and end when every replica confirmed. */
import type { WeightSync } from "../contract/control/weight-syncs.ts";
import { ConnectionError, ServerError, WeightSyncError } from "./errors.ts";
import { type Answer, type CallInit, type Connection, readProblem, send, sendJson } from "./http.ts";
import { KEYED, READING } from "./retry.ts";
import { sleep } from "./sleep.ts";
import type { NamedTensor } from "./tensors.ts";
import { toSafetensors } from "./to-safetensors.ts";

/** Safetensors bytes. A stream is sent once; the others can be sent again when the connection is lost. */
type WeightBytes = Blob | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>;

/**
 * New weights: a model directory or .safetensors file by its path on the *gateway's* machine, or the `model` of
 * `openCheckpoint`, or the safetensors bytes themselves, or tensors in memory.
 */
export type WeightsInput =
  | string
  | { readonly directory: string; readonly resize?: unknown }
  | WeightBytes
  | Iterable<NamedTensor>
  | AsyncIterable<NamedTensor>;

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

/** Between two looks at a running sync: small syncs end within milliseconds, long ones need no hurry. */
const FIRST_POLL_MILLISECONDS = 10;
const LONGEST_POLL_MILLISECONDS = 250;
/** The gateway ends a sync at its deadline; the client gives it this much longer to say so. */
const GRACE_SECONDS = 30;
const PATH = "/api/weight-syncs";

const fields = (options: SyncOptions): Record<string, string | number | boolean> =>
  Object.fromEntries(
    Object.entries({
      version: options.version,
      label: options.label,
      mode: options.mode,
      partial: options.partial,
      deadline_s: options.deadline,
    }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );

const isBytes = (input: WeightsInput): input is WeightBytes =>
  input instanceof Blob || input instanceof Uint8Array || input instanceof ReadableStream;

type Sendable = { readonly path: string } | { readonly bytes: WeightBytes };

async function toSendable(input: WeightsInput): Promise<Sendable> {
  if (typeof input === "string") return { path: input };
  if (isBytes(input)) return { bytes: input };
  if (Symbol.iterator in input || Symbol.asyncIterator in input) return { bytes: await toSafetensors(input) };
  const { directory, resize } = input;
  if (typeof directory !== "string") {
    throw new TypeError("checkpoint must be a path, safetensors bytes, a model of openCheckpoint, or tensors.");
  }
  if (resize === undefined || resize === null) return { path: directory };
  throw new TypeError(
    `The model of ${directory} was changed and not saved; saveCheckpoint it and give the new directory.`,
  );
}

/** Sends what starts a sync: a path as JSON, bytes with the rest in the query. */
function start(connection: Connection, input: Sendable, options: SyncOptions, seconds: number): Promise<Answer> {
  const headers = { "idempotency-key": `client-${crypto.randomUUID()}` };
  const around = { method: "POST", seconds, signal: options.signal, retry: [KEYED] } satisfies Partial<CallInit>;
  if ("path" in input) {
    const json = { source: { kind: "disk", path: input.path }, ...fields(options) };
    return send(connection, PATH, { ...around, json, headers });
  }
  const query = new URLSearchParams(Object.entries(fields(options)).map(([name, value]) => [name, String(value)]));
  const body = input.bytes;
  return send(connection, `${PATH}?${query}`, {
    ...around,
    body,
    headers: { ...headers, "content-type": "application/octet-stream" },
  });
}

const text = (value: unknown): string | null => (typeof value === "string" ? value : null);

async function startSync(
  connection: Connection,
  input: Sendable,
  options: SyncOptions,
  seconds: number,
): Promise<WeightSync> {
  const answer = await start(connection, input, options, seconds);
  if (answer.status >= 400) {
    const { message, code, body } = readProblem(answer.text);
    const facts = { code, phase: text(body?.phase), replica: text(body?.replica) };
    throw new WeightSyncError(`${connection.baseUrl}${PATH}`, answer.status, message, facts);
  }
  return JSON.parse(answer.text) as WeightSync;
}

/** See `VLLMClient.updateModelParams`. */
export async function syncWeights(
  connection: Connection,
  input: WeightsInput,
  options: SyncOptions,
): Promise<SyncResult> {
  const seconds = (options.deadline ?? 600) + GRACE_SECONDS;
  const end = performance.now() + seconds * 1000;
  const left = (): number => Math.max(0.001, (end - performance.now()) / 1000);
  let sync = await startSync(connection, await toSendable(input), options, seconds);
  const path = `${PATH}/${sync.id}`;
  try {
    for (
      let pause = FIRST_POLL_MILLISECONDS;
      sync.state === "running";
      pause = Math.min(2 * pause, LONGEST_POLL_MILLISECONDS)
    ) {
      options.onProgress?.(sync);
      if (performance.now() + pause > end) {
        throw new ConnectionError(
          `${connection.baseUrl}${path}`,
          `Weight sync ${sync.id} did not end within ${seconds} s.`,
        );
      }
      await sleep(pause, options.signal);
      const look = { method: "GET", seconds: left(), signal: options.signal, retry: [READING] } satisfies CallInit;
      sync = (await sendJson(connection, path, look)).json as WeightSync;
    }
  } catch (error) {
    if (!(error instanceof ServerError)) await abandon(connection, path);
    throw error;
  }
  options.onProgress?.(sync);
  if (sync.state === "completed" && sync.digest !== null) return { version: sync.version, digest: sync.digest, sync };
  const message = sync.error?.message ?? `Weight sync ${sync.id} ended as ${sync.state}.`;
  throw new WeightSyncError(`${connection.baseUrl}${path}`, 424, message, {
    code: sync.error?.code ?? null,
    phase: sync.error?.phase ?? sync.phase,
    replica: sync.error?.replica ?? null,
  });
}

/** The caller gave up: the sync must not switch weights behind its back. A sync that is past aborting refuses, and that is the truth. */
async function abandon(connection: Connection, path: string): Promise<void> {
  try {
    await send({ ...connection, retries: 0 }, path, { method: "DELETE", seconds: 5 });
  } catch {
    // The first error is the one to tell; the gateway's own deadline ends the sync in any case.
  }
}
