/**
 * Any source → a verified, immutable set of files in the spool. One pass: each piece is checked, hashed and written,
 * then forgotten; never more than one header and one piece are held. Errors name the tensor; nothing is left behind by
 * whoever owns the directory (`spool.ts`).
 */
import type { TensorSpec, WeightSet } from "../engine/engine.ts";
import { GatewayError, showValue } from "../errors.ts";
import { sleep } from "../lib/deadline.ts";
import type { Clock, Files, FileWriter, Sha256 } from "../ports.ts";
import { type DigestEntry, weightDigest } from "../tensor/digest.ts";
import {
  HEADER_LIMIT,
  LENGTH_BYTES,
  parseHeaderLength,
  parseSafetensorsHeader,
  type SafetensorsHeader,
  type TensorEntry,
} from "../tensor/safetensors.ts";
import { createBlockWriter } from "./block-writer.ts";
import { createFiniteScan } from "./finite.ts";
import { createManifestCheck, type ManifestCheck } from "./manifest.ts";
import type { OpenPart, SourcePart, WeightSource } from "./source.ts";

/** Bytes hashed and scanned in one go: two milliseconds. */
const PIECE_BYTES = 2 ** 20;

/** Bytes between two breaths of the event loop that are made on purpose; every write is one by itself. */
const BREATH_BYTES = 8 * 2 ** 20;

/** Tensors that a model is believed to have where nobody tells: more than any published one that is not split in files. */
const UNKNOWN_TENSORS = 16_384;

/**
 * Headers are parsed in one go. The format's own bound (100 MB) would hold up every request for seconds, and a header that
 * fits the model is far smaller: about 120 bytes per tensor, and some metadata.
 */
const headerLimit = (manifest: readonly TensorSpec[] | null): number =>
  Math.min(HEADER_LIMIT, 8 * 2 ** 20 + 1024 * (manifest?.length ?? UNKNOWN_TENSORS));

export interface IngestOptions {
  readonly files: Files;
  readonly sha256: () => Sha256;
  readonly clock: Pick<Clock, "timer">;
  /** An existing, empty directory; the set's files are made in it. */
  readonly directory: string;
  /** null: no replica can tell. */
  readonly manifest: readonly TensorSpec[] | null;
  readonly partial: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (bytesDone: number, bytesTotal: number) => void;
  /** Called once: what can be known without reading the data is fine. */
  readonly onChecked?: () => void;
}

export interface Ingested {
  readonly set: WeightSet;
  /** Hash of every tensor of the set, by name. */
  readonly hashes: ReadonlyMap<string, DigestEntry>;
  readonly bytes: number;
}

/** Exact reads from a stream of pieces of any size. */
interface Cursor {
  /** Exactly `length` bytes, fewer only at the end of the stream. Copies; for headers. */
  take(length: number): Promise<Uint8Array>;
  /** The next piece of at most `limit` bytes; undefined at the end. */
  next(limit: number): Promise<Uint8Array | undefined>;
  close(): Promise<void>;
}

function createCursor(bytes: AsyncIterable<Uint8Array>): Cursor {
  const iterator = bytes[Symbol.asyncIterator]();
  let rest = new Uint8Array(0);
  let ended = false;
  const next = async (limit: number): Promise<Uint8Array | undefined> => {
    while (rest.byteLength === 0) {
      if (ended) return undefined;
      const piece = await iterator.next();
      if (piece.done === true) ended = true;
      else rest = piece.value as Uint8Array<ArrayBuffer>;
    }
    const piece = rest.subarray(0, limit);
    rest = rest.subarray(piece.byteLength);
    return piece;
  };
  return {
    next,
    async take(length) {
      const pieces: Uint8Array[] = [];
      let have = 0;
      while (have < length) {
        const piece = await next(length - have);
        if (piece === undefined) break;
        pieces.push(piece);
        have += piece.byteLength;
      }
      const out = new Uint8Array(have);
      let at = 0;
      for (const piece of pieces) {
        out.set(piece, at);
        at += piece.byteLength;
      }
      return out;
    },
    async close() {
      await iterator.return?.();
    },
  };
}

/** "element 5 ([1, 1] of [2, 4])" is more use to a trainer than a flat number. */
function coordinates(index: number, shape: readonly number[]): string {
  const out: number[] = [];
  let rest = index;
  for (const size of [...shape].reverse()) {
    out.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return `[${out.join(", ")}]`;
}

function nonFinite(tensor: TensorEntry, index: number): GatewayError {
  return new GatewayError(
    "weights_non_finite",
    `Tensor ${showValue(tensor.name)} holds NaN or infinity at ${coordinates(index, tensor.shape)} of [${tensor.shape}].`,
    { tensor: tensor.name, phase: "receive" },
  );
}

/** Counts bytes, reports progress and gives the event loop air. */
interface Meter {
  add(bytes: number): Promise<void>;
  /** A part's size became known. */
  expect(bytes: number): void;
  readonly done: number;
}

function createMeter({ clock, signal, onProgress }: IngestOptions): Meter {
  let done = 0;
  let total = 0;
  let sinceBreath = 0;
  return {
    get done() {
      return done;
    },
    expect(bytes) {
      total += bytes;
      onProgress(done, total);
    },
    async add(bytes) {
      done += bytes;
      sinceBreath += bytes;
      onProgress(done, total);
      signal.throwIfAborted();
      if (sinceBreath < BREATH_BYTES) return;
      sinceBreath = 0;
      await sleep(clock, 0, signal);
    },
  };
}

async function readPartHeader(
  cursor: Cursor,
  size: number | null,
  limit: number,
): Promise<{ raw: Uint8Array; header: SafetensorsHeader }> {
  const first = await cursor.take(LENGTH_BYTES);
  const length = parseHeaderLength(first, size, limit);
  const rest = await cursor.take(length);
  const raw = new Uint8Array(first.byteLength + rest.byteLength);
  raw.set(first);
  raw.set(rest, first.byteLength);
  return { raw, header: parseSafetensorsHeader(raw, size) };
}

/** One tensor's bytes: hashed, scanned, written. */
async function copyTensor(
  tensor: TensorEntry,
  cursor: Cursor,
  sink: (piece: Uint8Array) => Promise<void>,
  sha256: () => Sha256,
): Promise<DigestEntry> {
  const hash = sha256();
  const scan = createFiniteScan(tensor.dtype);
  let left = tensor.byteLength;
  while (left > 0) {
    const piece = await cursor.next(Math.min(left, PIECE_BYTES));
    if (piece === undefined) {
      throw new GatewayError(
        "weights_truncated",
        `The data ends inside tensor ${showValue(tensor.name)}: ${left} of its ${tensor.byteLength} bytes are missing.`,
        { tensor: tensor.name, phase: "receive" },
      );
    }
    left -= piece.byteLength;
    hash.update(piece);
    const bad = scan?.push(piece);
    if (bad !== undefined) throw nonFinite(tensor, bad);
    await sink(piece);
  }
  return { name: tensor.name, dtype: tensor.dtype, shape: tensor.shape, sha256: hash.hex() };
}

interface PartResult {
  readonly path: string;
  readonly hashes: readonly DigestEntry[];
}

async function ingestPart(
  part: SourcePart,
  path: string,
  onHeader: (header: SafetensorsHeader) => void,
  meter: Meter,
  { files, sha256, signal, manifest }: IngestOptions,
): Promise<PartResult> {
  const open: OpenPart = await part.open(signal);
  const cursor = createCursor(open.bytes);
  let writer: FileWriter | undefined;
  try {
    const { raw, header } = await readPartHeader(cursor, open.size, headerLimit(manifest));
    onHeader(header);
    meter.expect(header.fileSize);
    const whole = part.sha256 === undefined ? undefined : sha256();
    writer = await files.openWrite(path);
    const target = createBlockWriter(writer);
    const sink = async (piece: Uint8Array): Promise<void> => {
      whole?.update(piece);
      await target.write(piece);
      await meter.add(piece.byteLength);
    };
    await sink(raw);
    const hashes: DigestEntry[] = [];
    for (const tensor of header.tensors) hashes.push(await copyTensor(tensor, cursor, sink, sha256));
    await target.flush();
    if ((await cursor.next(1)) !== undefined) {
      const last = header.tensors.at(-1)?.name;
      throw new GatewayError("weights_malformed", `Bytes follow the last tensor of ${part.name}; nothing may.`, {
        phase: "receive",
        ...(last === undefined ? {} : { tensor: last }),
      });
    }
    const sum = whole?.hex();
    if (sum !== undefined && sum !== part.sha256) {
      throw new GatewayError("weights_digest_mismatch", `${part.name} has the SHA-256 ${sum}, not ${part.sha256}.`, {
        phase: "receive",
        param: "source.sha256",
      });
    }
    return { path, hashes };
  } finally {
    await writer?.close();
    await cursor.close().catch(() => undefined);
    await open.close();
  }
}

/** Checks all headers, where the source gives them without its data. */
async function checkAhead(source: WeightSource, options: IngestOptions): Promise<boolean> {
  const headers = await source.headers(headerLimit(options.manifest), options.signal);
  if (headers === null) return false;
  const check = createManifestCheck(options.manifest, options.partial);
  headers.forEach((header, at) => {
    addToCheck(check, header, source, at);
  });
  check.end();
  return true;
}

function addToCheck(check: ManifestCheck, header: SafetensorsHeader, source: WeightSource, at: number): void {
  const name = source.parts[at]!.name;
  check.add(header.tensors, name);
  if (source.index === null) return;
  const held = new Set(header.tensors.map((tensor) => tensor.name));
  for (const tensor of held) {
    if (source.index.get(tensor) === name) continue;
    throw new GatewayError(
      "weights_malformed",
      `${name} holds tensor ${showValue(tensor)}, but the index does not say so.`,
      {
        tensor,
        phase: "receive",
      },
    );
  }
  for (const [tensor, where] of source.index) {
    if (where !== name || held.has(tensor)) continue;
    throw new GatewayError(
      "weights_missing_tensor",
      `The index says that ${name} holds tensor ${showValue(tensor)}; it does not.`,
      {
        tensor,
        phase: "receive",
      },
    );
  }
}

/** Checks headers only: for a dry run. Reads no data; of a stream not even the header, unless it is a URL. Answers with the size. */
export async function checkSource(
  source: WeightSource,
  options: Pick<IngestOptions, "manifest" | "partial" | "signal">,
): Promise<number> {
  const { manifest } = options;
  const check = createManifestCheck(manifest, options.partial);
  const known = await source.headers(headerLimit(options.manifest), options.signal);
  let bytes = 0;
  for (const [at, part] of source.parts.entries()) {
    let header = known?.[at];
    if (header === undefined) {
      const open = await part.open(options.signal);
      const cursor = createCursor(open.bytes);
      try {
        header = (await readPartHeader(cursor, open.size, headerLimit(manifest))).header;
      } finally {
        await cursor.close().catch(() => undefined);
        await open.close();
      }
    }
    addToCheck(check, header, source, at);
    bytes += header.fileSize;
  }
  check.end();
  return bytes;
}

/**
 * Receives a whole source. Tensors are checked against the manifest as soon as a header is there, before its data is read.
 *
 * @returns the set; `partial` is false when every tensor of the model came, whatever the caller announced.
 * @throws GatewayError: any `weights_*` code with `details.tensor`, `source_unreadable`, `sync_failed` (our disk), or the
 * signal's reason.
 */
export async function ingest(source: WeightSource, options: IngestOptions): Promise<Ingested> {
  const { files, directory, manifest, partial, sha256, onChecked } = options;
  const ahead = await checkAhead(source, options);
  if (ahead) onChecked?.();
  const check = createManifestCheck(manifest, partial);
  const meter = createMeter(options);
  const hashes = new Map<string, DigestEntry>();
  const paths: string[] = [];
  let complete = false;
  for (const [at, part] of source.parts.entries()) {
    const onHeader = (header: SafetensorsHeader): void => {
      addToCheck(check, header, source, at);
      // With the last header everything is known that headers tell.
      if (at === source.parts.length - 1) complete = check.end().complete;
      if (at === 0 && !ahead) onChecked?.();
    };
    const path = files.resolve(directory, `weights-${String(at).padStart(5, "0")}.safetensors`);
    const result = await ingestPart(part, path, onHeader, meter, options);
    paths.push(result.path);
    for (const entry of result.hashes) hashes.set(entry.name, entry);
  }
  return {
    set: { files: paths, digest: weightDigest(hashes.values(), sha256), partial: !complete },
    hashes,
    bytes: meter.done,
  };
}
