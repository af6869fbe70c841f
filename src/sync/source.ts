/**
 * Where weights come from, as a list of byte streams: files of a directory, URLs, or the body of a request.
 * Opens and reads; what the bytes mean is checked in `ingest.ts`.
 */
import type { SyncSource } from "../contract/control/weight-syncs.ts";
import { GatewayError, showValue } from "../errors.ts";
import { orAborted } from "../lib/deadline.ts";
import type { Clock, Fetch, FileReader, Files } from "../ports.ts";
import type { SafetensorsHeader } from "../tensor/safetensors.ts";
import { locateWeights, readHeader } from "../tensor/weights.ts";

/** One safetensors file, opened. Whoever opened it reads `bytes` to its end or calls `close`; both is fine. */
export interface OpenPart {
  /** Bytes of the whole file; null when the sender did not say. */
  readonly size: number | null;
  readonly bytes: AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

export interface SourcePart {
  /** For messages: a path, a URL without its query, "the request body". */
  readonly name: string;
  /** Lower-case hexadecimal hash that the whole file must have. */
  readonly sha256?: string;
  open(signal: AbortSignal): Promise<OpenPart>;
}

export interface WeightSource {
  readonly parts: readonly SourcePart[];
  /** For disk: from a shard index, tensor name → part name. */
  readonly index: ReadonlyMap<string, string> | null;
  /** Headers of all parts, at most `limit` bytes each, where they can be read without the data; null for streams. */
  headers(limit: number, signal: AbortSignal): Promise<readonly SafetensorsHeader[] | null>;
}

/** Read size of disk sources: one piece of work between two breaths of the event loop. */
const READ_BYTES = 2 ** 20;

const unreadable = (message: string, cause?: unknown): GatewayError =>
  new GatewayError("source_unreadable", message, { phase: "receive", ...(cause === undefined ? {} : { cause }) });

const reasonOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));

async function openReader(files: Files, path: string): Promise<FileReader> {
  return files.openRead(path).catch((cause: unknown) => {
    throw unreadable(`${showValue(path)} cannot be opened: ${reasonOf(cause)}.`, cause);
  });
}

function diskPart(files: Files, path: string): SourcePart {
  return {
    name: path,
    async open(signal) {
      const before = await files.stat(path);
      const reader = await openReader(files, path);
      async function* read(): AsyncIterable<Uint8Array> {
        for (let done = 0; done < reader.size; done += READ_BYTES) {
          signal.throwIfAborted();
          try {
            yield await reader.read(done, Math.min(READ_BYTES, reader.size - done));
          } catch (cause) {
            throw unreadable(`${showValue(path)} cannot be read: ${reasonOf(cause)}.`, cause);
          }
        }
        const after = await files.stat(path);
        if (after?.modified !== before?.modified || after?.size !== before?.size) {
          throw unreadable(`${showValue(path)} changed while it was read; write a new directory for each step.`);
        }
      }
      return { size: reader.size, bytes: read(), close: () => reader.close() };
    },
  };
}

async function diskSource(files: Files, path: string): Promise<WeightSource> {
  const located = await locateWeights(files, files.resolve(path));
  return {
    parts: located.files.map((file) => diskPart(files, file)),
    index: located.index,
    async headers(limit, signal) {
      const out: SafetensorsHeader[] = [];
      for (const file of located.files) {
        signal.throwIfAborted();
        const reader = await openReader(files, file);
        try {
          out.push(await readHeader(reader, limit));
        } finally {
          await reader.close();
        }
      }
      return out;
    },
  };
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;

const cancel = async (reader: Reader): Promise<void> => {
  await reader.cancel().catch(() => undefined);
};

/**
 * Pieces of a web stream; ends with the signal's reason when it aborts.
 * When it is left early, `leave` decides what becomes of the rest (default: the stream is cancelled).
 */
export function streamPieces(
  stream: ReadableStream<Uint8Array>,
  name: string,
  signal: AbortSignal,
  leave: (reader: Reader) => Promise<void> = cancel,
): OpenPart["bytes"] {
  return {
    async *[Symbol.asyncIterator]() {
      const reader = stream.getReader();
      let ended = false;
      try {
        for (;;) {
          let piece: { readonly done: boolean; readonly value?: Uint8Array | undefined };
          try {
            piece = await orAborted(reader.read(), signal);
          } catch (cause) {
            if (signal.aborted) throw signal.reason;
            ended = true;
            throw unreadable(`${name} broke off: ${reasonOf(cause)}.`, cause);
          }
          if (piece.value === undefined) {
            ended = true;
            return;
          }
          yield piece.value;
        }
      } finally {
        if (ended) reader.releaseLock();
        else await leave(reader);
      }
    },
  };
}

/**
 * What is left of a refused upload is read and dropped within these bounds: a client that still writes when the
 * connection closes sees a broken pipe instead of our 4xx.
 */
const LINGER_BYTES = 16 * 2 ** 20;
const LINGER_MILLISECONDS = 2000;

async function linger(reader: Reader, clock: Pick<Clock, "timer">): Promise<void> {
  const limit = new AbortController();
  const timer = clock.timer(LINGER_MILLISECONDS, () => limit.abort());
  try {
    for (let dropped = 0; dropped < LINGER_BYTES; ) {
      const { value } = await orAborted(reader.read(), limit.signal);
      if (value === undefined) return;
      dropped += value.byteLength;
    }
  } catch {
    // The sender left or was too slow: nothing more to be kind about.
  } finally {
    timer.cancel();
    void cancel(reader);
  }
}

/** Reads and drops an upload that nobody will use, within the same bounds. Never rejects. */
export async function dropUpload(stream: ReadableStream<Uint8Array>, clock: Pick<Clock, "timer">): Promise<void> {
  if (!stream.locked) await linger(stream.getReader(), clock);
}

/** The query of a URL may be a credential (signed URLs), so may its user part: neither is ever shown. */
function shownUrl(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

function httpPart(fetch: Fetch, url: string, sha256: string | undefined): SourcePart {
  const name = shownUrl(url);
  return {
    name,
    ...(sha256 === undefined ? {} : { sha256 }),
    async open(signal) {
      let response: Response;
      try {
        response = await fetch(url, { method: "GET", headers: { "accept-encoding": "identity" }, signal });
      } catch (cause) {
        if (signal.aborted) throw signal.reason;
        throw unreadable(`${name} cannot be fetched: ${reasonOf(cause)}.`, cause);
      }
      const drop = async (): Promise<void> => {
        await response.body?.cancel().catch(() => undefined);
      };
      if (response.status !== 200 || response.body === null) {
        await drop();
        const redirect = response.status >= 300 && response.status < 400 ? " Redirects are not followed." : "";
        throw unreadable(`${name} answered ${response.status}; 200 with a body is accepted.${redirect}`);
      }
      const coding = response.headers.get("content-encoding");
      if (coding !== null && coding !== "identity") {
        await drop();
        throw unreadable(`${name} came with content-encoding ${showValue(coding)}; only identity is accepted.`);
      }
      const length = response.headers.get("content-length");
      const size = length !== null && /^\d{1,15}$/.test(length) ? Number(length) : null;
      return { size, bytes: streamPieces(response.body, name, signal), close: drop };
    },
  };
}

const NO_HEADERS = async (): Promise<null> => null;

/** What is at hand for opening sources; a missing port makes its kind `unsupported`. */
export interface SourceTools {
  readonly files: Files;
  readonly fetch: Fetch;
  readonly clock: Pick<Clock, "timer">;
  /** The body, for source kind `upload`. */
  readonly upload?: ReadableStream<Uint8Array>;
}

/**
 * Opens a source. Disk: paths and shard index are resolved now; URLs and bodies are touched only when read.
 * Throws GatewayError `source_unreadable`, `invalid_value`, `unsupported` or a `weights_*` code of a bad shard index.
 */
export async function openSource(source: SyncSource, tools: SourceTools): Promise<WeightSource> {
  switch (source.kind) {
    case "disk":
      return diskSource(tools.files, source.path);
    case "http": {
      const hashes = source.sha256;
      if (hashes !== undefined && hashes.length !== source.urls.length) {
        throw new GatewayError(
          "invalid_value",
          `source.sha256 must have one entry per URL, got ${hashes.length} for ${source.urls.length}.`,
          { param: "source.sha256" },
        );
      }
      const parts = source.urls.map((url, index) => httpPart(tools.fetch, url, hashes?.[index]));
      return { parts, index: null, headers: NO_HEADERS };
    }
    case "upload": {
      const { upload } = tools;
      if (upload === undefined) {
        throw new GatewayError(
          "invalid_value",
          "source.kind upload needs the safetensors file as the request body (content-type: application/octet-stream).",
          { param: "source.kind" },
        );
      }
      const part: SourcePart = {
        name: "the request body",
        open: async (signal) => ({
          size: null,
          bytes: streamPieces(upload, "The request body", signal, (reader) => linger(reader, tools.clock)),
          close: async () => undefined,
        }),
      };
      return { parts: [part], index: null, headers: NO_HEADERS };
    }
    case "nccl":
      throw new GatewayError(
        "unsupported",
        "source.kind nccl is not supported by these replicas; use disk, http or upload.",
        {
          param: "source.kind",
        },
      );
  }
}
