/**
 * What a runtime must provide, as types only. `platform/*` builds these; everything else receives them.
 * A port that a runtime cannot offer is absent (`files`, `spawn` at the edge), and configuration refuses what needs it.
 */

/** A pending timer; `cancel` is idempotent. */
export interface Timer {
  cancel(): void;
}

/** Time. All waits go through here, so that tests can own it. */
export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. */
  now(): number;
  /** Monotonic milliseconds; only differences mean anything. */
  monotonic(): number;
  /** Runs `callback` once after `milliseconds`. A pending timer does not keep the process alive. */
  timer(milliseconds: number, callback: () => void): Timer;
}

/** Randomness for ids and jitter. Never used for sampling: that is seeded per request in the worker. */
export interface Random {
  /** A RFC 9562 version 4 UUID. */
  uuid(): string;
  /** A number in [0, 1). */
  float(): number;
}

/**
 * An outgoing HTTP call. Unlike a runtime's own `fetch` it has no hidden time limits: only `init.signal` ends it,
 * it follows no redirect and it does not decompress on our behalf unless the runtime cannot be told otherwise.
 */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** A request as it goes over a socket of the gateway's own: everything known, nothing streamed. */
export interface ExchangeRequest {
  readonly method: string;
  /** Path and query, as they go into the request line. */
  readonly target: string;
  /** Lower-case names; `host` and `content-length` are added. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | null;
  /** Do not use a connection that has carried a request before: the last one was being closed. Default false. */
  readonly fresh?: boolean;
  /**
   * Asked when the request would be the first on its connection, after that was made and before a byte is sent; when it
   * rejects, nothing is sent and its reason is the result. Default: nobody is asked.
   */
  readonly admit?: () => Promise<void>;
}

/** What the reader of a streamed body is told. */
export interface BodyEvents {
  /** A piece has been passed on. */
  piece(): void;
  /** The body is over: whole (undefined), or broken off by this. Returns bytes that still go out, or null to cut the connection. */
  end(error: unknown): Uint8Array | null;
  /** The client left; nothing more is told. */
  left(): void;
}

/** A body that is still coming. Exactly one of `open` and `cancel` is called. */
export interface StreamedBody {
  /** Its first piece, or null for an empty body; rejects when it broke off before. */
  readonly begun: Promise<Uint8Array | null>;
  /** Passes it on, each piece as it comes and no faster than the client reads. For one `Response`. */
  open(events: BodyEvents): ReadableStream<Uint8Array>;
  /** Ends it from here: the connection is closed and `end` is told the reason. */
  cancel(reason: unknown): void;
}

/** An answer: short bodies are whole, others stream. Headers of one hop are left out. */
export interface ExchangeAnswer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly body: Uint8Array | StreamedBody;
}

/** HTTP/1.1 without TLS on sockets of one's own, where that is cheaper than the runtime's `fetch`. */
export interface Exchange {
  /**
   * `origin`: `http://host:port`. Rejects with the signal's reason; with an error whose `code` is `ECONNREFUSED`; with
   * `ECONNRESET` when the connection ended before the first byte of an answer; with another error for anything else.
   */
  send(origin: string, request: ExchangeRequest, signal: AbortSignal): Promise<ExchangeAnswer>;
  /** The cheapest body for a `Response` out of bytes that are there. */
  toBody(bytes: Uint8Array): BodyInit;
}

export interface FileStat {
  readonly kind: "file" | "directory" | "other";
  readonly size: number;
  /** Milliseconds since the epoch of the last change. */
  readonly modified: number;
}

/** A file opened for positioned reads. */
export interface FileReader {
  readonly size: number;
  /** Reads exactly `length` bytes at `offset`, or throws when the file ends before. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** A file being written; nothing is visible under its final name until the caller renames it. */
export interface FileWriter {
  write(bytes: Uint8Array): Promise<void>;
  /** Flushes to the disk and closes. */
  close(): Promise<void>;
}

/** The file system. Paths are the host's own; relative ones are resolved against the working directory. */
export interface Files {
  resolve(...parts: string[]): string;
  /** undefined when nothing is there; throws on any other failure. */
  stat(path: string): Promise<FileStat | undefined>;
  /** Names (not paths) of a directory's entries, sorted. */
  list(path: string): Promise<string[]>;
  /** Throws when the file is larger than `limit` bytes (default 64 MiB): callers never read the unbounded. */
  readText(path: string, limit?: number): Promise<string>;
  openRead(path: string): Promise<FileReader>;
  /** Creates or truncates. */
  openWrite(path: string): Promise<FileWriter>;
  makeDirectory(path: string): Promise<void>;
  /** Atomic within one file system. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file or a whole directory; absent is fine. */
  remove(path: string): Promise<void>;
}

/** `Files` where whole directories are written so that they outlive a crash. */
export interface DirectoryFiles extends Files {
  /** The path without symbolic links; throws when nothing is there. */
  realPath(path: string): Promise<string>;
  /** Copies a file (sharing its blocks where the file system can) and flushes the copy. Throws when `to` exists. */
  copy(from: string, to: string): Promise<void>;
  /** Makes creations and renames inside a directory durable; a file system that cannot is left alone. */
  flushDirectory(path: string): Promise<void>;
}

export interface SpawnOptions {
  /** Added to the parent's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** How a child process ended. Exactly one field is set. */
export interface ChildExit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A child process whose stdin and stdout carry frames and whose stderr carries log lines. */
export interface Child {
  readonly pid: number;
  /** Resolves when the pipe took the bytes (back-pressure); rejects when the child is gone. */
  write(bytes: Uint8Array): Promise<void>;
  readonly stdout: AsyncIterable<Uint8Array>;
  readonly stderr: AsyncIterable<Uint8Array>;
  readonly exited: Promise<ChildExit>;
  kill(signal: "SIGTERM" | "SIGKILL"): void;
}

/** Starts a TypeScript module of ours in a new process of the *same* runtime. `module` is a `file:` URL. */
export type Spawn = (module: URL, args: readonly string[], options?: SpawnOptions) => Child;

/** An incremental SHA-256. */
export interface Sha256 {
  update(bytes: Uint8Array): void;
  /** Lower-case hexadecimal, 64 characters; the hash takes nothing more afterwards. */
  hex(): string;
}

/** What a row of a database holds. */
export type SqlValue = string | number | bigint | null | Uint8Array;

/** An open SQLite database. Calls block for as long as the disk takes; what is written through it is small. */
export interface SqlDatabase {
  /** Statements without values; several are fine. */
  exec(sql: string): void;
  /** Rows of one statement, `?` filled in order. */
  all(sql: string, ...values: (string | number | null)[]): Readonly<Record<string, SqlValue>>[];
  run(sql: string, ...values: (string | number | null)[]): void;
  close(): void;
}

/** Opens a SQLite file, or makes it. Throws what SQLite says. */
export type OpenDatabase = (path: string) => Promise<SqlDatabase>;

/** Bytes to another program over TCP, with TLS or without. */
export interface Connection {
  /** Kept until the other side takes them; what is sent is small. */
  write(bytes: Uint8Array): void;
  /** At once; nothing is told any more. */
  close(): void;
}

/** What comes over a connection. */
export interface ConnectionEvents {
  data(bytes: Uint8Array): void;
  /** It is over, from there; with why, where that is known. */
  end(error?: unknown): void;
}

/** Opens a connection. Rejects with the signal's reason, or with an error that has a `code` where the system gives one. */
export type OpenConnection = (
  to: { readonly host: string; readonly port: number; readonly tls: boolean },
  events: ConnectionEvents,
  signal: AbortSignal,
) => Promise<Connection>;

/** One line of output of the process (log sink); the text has no line break. */
export type WriteLine = (line: string) => void;

export interface Ports {
  /** "bun 1.4.5", "deno 2.9.6", "node 24.21.0", "workerd": for humans and `/version`. */
  readonly runtime: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly fetch: Fetch;
  readonly exchange?: Exchange;
  /** Addresses (IPv4 and IPv6) of a host name; rejects when it has none. Absent where the runtime cannot. */
  readonly resolve?: (name: string) => Promise<readonly string[]>;
  readonly writeLine: WriteLine;
  /** Starts an incremental SHA-256 (web crypto only hashes what is whole in memory). */
  readonly sha256?: () => Sha256;
  /** CPU and memory of this process; absent where the runtime does not tell. */
  readonly usage?: () => { readonly rssBytes: number; readonly cpuSeconds: number };
  /** Collects all garbage of this process now; blocks. Absent where the collector cannot be asked. */
  readonly collect?: () => void;
  readonly files?: DirectoryFiles;
  readonly spawn?: Spawn;
  /** A directory this process may fill and should empty (`TMPDIR`); set exactly when `files` is. */
  readonly temporaryDirectory?: string;
  readonly openDatabase?: OpenDatabase;
  readonly openConnection?: OpenConnection;
}
