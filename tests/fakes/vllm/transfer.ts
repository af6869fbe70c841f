/**
 * The fake's weight transfer: vLLM's session rules and error texts, and the timing of NCCL – a server's init returns
 * when all ranks have come, its update when the trainer has sent every tensor. Who the trainer is, is a `Peer`.
 */
import { createHash } from "node:crypto";
import { HttpError } from "./http-error.ts";

/** A tensor as an update announces it; `dtype` is torch's name. */
export interface Announced {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** The trainer's group as a server sees it. */
export interface PeerLink {
  /** The next broadcast of rank 0, which has these tensors in it; blocks until it comes. Rejects when the group broke. */
  receive(tensors: readonly Announced[]): Promise<Uint8Array>;
  close(): void;
}

/** How a server finds the trainer. */
export interface Peer {
  /** Joins with all its ranks; resolves when the whole world has come. */
  join(address: string, port: number, ranks: readonly number[], worldSize: number): Promise<PeerLink>;
}

type Fields = Readonly<Record<string, unknown>>;

const BYTES: Readonly<Record<string, number>> = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
  float8_e4m3fn: 1,
  float8_e5m2: 1,
};
const DEFAULT_BUFFER = 1_073_741_824;
const INIT_FIELDS = ["master_address", "master_port", "rank_offset", "world_size"];
const PACKING = ["packed", "packed_buffer_size_bytes", "packed_num_buffers"];

export interface TransferOptions {
  /** `/version`; decides which dialect it speaks. */
  readonly version: string;
  readonly worldSize: number;
  readonly peer: Peer;
}

/** One server's transfer engine. */
export class FakeTransfer {
  readonly minor: number;
  readonly #options: TransferOptions;
  #link: PeerLink | null = null;
  #packing: Fields = {};
  #nameless = false;
  #blocked: Promise<unknown> = Promise.resolve();
  /** Calls that the engine has not finished: the next ones queue behind them. */
  busy = 0;
  /** `start` came, `finish` did not; reset by a failed update. */
  active = false;
  /** Parameters are on the meta device: one generation kills the server. */
  empty = false;
  /** Every accepted init, as it came. */
  readonly joins: { readonly rankOffset: number; readonly worldSize: number }[] = [];
  /** Name → digest of each tensor received, in all sessions; and how often in the present one. */
  readonly tensors = new Map<string, string>();
  readonly counts = new Map<string, number>();
  readonly #fresh = new Map<string, string>();
  /** Finished updates. */
  finished = 0;

  constructor(options: TransferOptions) {
    this.#options = options;
    this.minor = Number(/^0\.(\d+)/.exec(options.version)?.[1] ?? 99);
  }

  /** Runs one engine call after the other; a caller that gave up changes nothing. */
  engine<T>(call: () => Promise<T> | T): Promise<T> {
    this.busy += 1;
    const run = this.#blocked.then(call);
    this.#blocked = run.catch(() => undefined);
    return run.finally(() => {
      this.busy -= 1;
    });
  }

  #check(kind: "Init" | "Update", info: Fields, known: readonly string[]): void {
    const unknown = Object.keys(info).find((name) => !known.includes(name));
    if (unknown === undefined) return;
    const where = kind === "Init" ? "init_info" : "update_info";
    throw HttpError.worker(
      `Invalid ${where} for NCCLWeightTransferEngine: NCCLWeightTransfer${kind}Info.__init__() got an unexpected keyword argument '${unknown}'`,
    );
  }

  async init(info: Fields): Promise<void> {
    const known = [
      ...INIT_FIELDS,
      ...(this.minor >= 28 ? PACKING : []),
      ...(this.minor >= 30 ? ["nccl_unique_id_b64"] : []),
    ];
    if (Object.keys(info).length === 0) return;
    this.#check("Init", info, known);
    for (const name of ["rank_offset", "world_size"]) {
      if (typeof info[name] !== "number") {
        throw HttpError.worker(
          `Invalid init_info for NCCLWeightTransferEngine: NCCLWeightTransferInitInfo.__init__() missing 1 required keyword-only argument: '${name}'`,
        );
      }
    }
    const { address, port } = rendezvous(info);
    this.#packing = Object.fromEntries(
      PACKING.flatMap((name) => (info[name] === undefined ? [] : [[name, info[name]]])),
    );
    this.#link?.close();
    this.#link = null;
    const offset = Number(info.rank_offset);
    const worldSize = Number(info.world_size);
    this.joins.push({ rankOffset: offset, worldSize });
    const ranks = Array.from({ length: this.#options.worldSize }, (_, at) => offset + at);
    try {
      this.#link = await this.#options.peer.join(address, port, ranks, worldSize);
    } catch (error) {
      throw HttpError.worker(error instanceof Error ? error.message : String(error));
    }
  }

  start(): void {
    if (this.minor < 21) throw HttpError.detail(404, "Not Found");
    if (this.active) {
      throw HttpError.worker(
        "start_weight_update called while a weight update is already active. Call finish_weight_update first.",
      );
    }
    this.active = true;
    this.empty = true;
    this.#fresh.clear();
    this.counts.clear();
  }

  async update(value: unknown): Promise<void> {
    const info = (Array.isArray(value) ? value[0] : value) as Fields;
    const sessionless = this.minor < 21;
    if (sessionless) {
      this.#fresh.clear();
      this.counts.clear();
      this.empty = true;
    } else if (!this.active) throw HttpError.worker("start_weight_update must be called before update_weights.");
    try {
      await this.#receive(info);
    } catch (error) {
      // vLLM gives the session up; the parameters stay as they are: empty, or half new.
      this.active = false;
      if (error instanceof HttpError) throw error;
      throw HttpError.worker(error instanceof Error ? error.message : String(error));
    }
    if (sessionless) this.#load();
  }

  async #receive(info: Fields): Promise<void> {
    this.#check("Update", info, ["names", "dtype_names", "shapes", ...(this.minor < 28 ? PACKING : [])]);
    const names = (info.names ?? []) as string[];
    const dtypes = (info.dtype_names ?? []) as string[];
    const shapes = (info.shapes ?? []) as number[][];
    if (names.length !== dtypes.length) {
      throw HttpError.worker(
        `\`dtype_names\` should be of the same size as \`names\`: got ${dtypes.length} and ${names.length}`,
      );
    }
    // Nothing announced, nothing to wait for: tests that only want other weights need no trainer.
    if (names.length === 0) {
      this.#nameless = true;
      return;
    }
    if (this.#link === null)
      throw HttpError.worker("NCCL weight transfer not initialized. Call init_transfer_engine() first.");
    const packing = this.minor >= 28 ? this.#packing : info;
    const sizes = names.map(
      (_, at) => (BYTES[dtypes[at] ?? ""] ?? 4) * (shapes[at] ?? []).reduce((all, size) => all * size, 1),
    );
    for (const group of chunks(sizes, packing)) {
      const announced = group.map((at) => ({
        name: names[at] ?? "",
        dtype: dtypes[at] ?? "",
        shape: shapes[at] ?? [],
      }));
      const bytes = await this.#link.receive(announced);
      const expected = group.reduce((sum, at) => sum + (sizes[at] ?? 0), 0);
      if (bytes.byteLength !== expected)
        throw new Error(
          `unhandled system error: a broadcast of ${bytes.byteLength} bytes met a receive of ${expected}`,
        );
      let offset = 0;
      for (const at of group) {
        const end = offset + (sizes[at] ?? 0);
        this.#take(names[at] ?? "", bytes.subarray(offset, end));
        offset = end;
      }
    }
  }

  #take(name: string, bytes: Uint8Array): void {
    this.#fresh.set(name, createHash("sha256").update(bytes).digest("hex"));
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  #load(): void {
    for (const [name, digest] of this.#fresh) this.tensors.set(name, digest);
    this.#fresh.clear();
    this.empty = false;
    this.finished += 1;
  }

  /** True when an update without tensors asks for weights that are just other ones. */
  finish(): boolean {
    if (this.minor < 21) throw HttpError.detail(404, "Not Found");
    if (!this.active) throw HttpError.worker("finish_weight_update called without a matching start_weight_update.");
    this.active = false;
    const nameless = this.#nameless && this.#fresh.size === 0;
    this.#nameless = false;
    this.#load();
    return nameless;
  }

  shutdown(): void {
    if (this.active) throw HttpError.worker("Cannot release a trainer connection during a weight update");
    this.#link?.close();
    this.#link = null;
  }

  /** Loads the checkpoint of its start. */
  reload(): void {
    this.tensors.clear();
    this.empty = false;
  }

  /** A number that two servers share exactly when they hold the same tensors; 0 for what it was started with. */
  weightsNumber(): number {
    if (this.tensors.size === 0) return 0;
    const hash = createHash("sha256");
    for (const [name, digest] of [...this.tensors].sort(([a], [b]) => (a < b ? -1 : 1)))
      hash.update(`${name}\n${digest}\n`);
    return hash.digest().readUInt32BE(0);
  }
}

/** vLLM's packing rule: the tensor that makes the sum exceed the buffer still belongs to the chunk. */
function chunks(sizes: readonly number[], packing: Fields): number[][] {
  const limit = packing.packed === true ? Number(packing.packed_buffer_size_bytes ?? DEFAULT_BUFFER) : -1;
  const out: number[][] = [];
  let group: number[] = [];
  let sum = 0;
  for (const [at, size] of sizes.entries()) {
    group.push(at);
    sum += size;
    if (sum <= limit) continue;
    out.push(group);
    group = [];
    sum = 0;
  }
  return group.length === 0 ? out : [...out, group];
}

/** A fake unique id is `host:port` in its first bytes. */
function rendezvous(info: Fields): { address: string; port: number } {
  const id = info.nccl_unique_id_b64;
  if (typeof id !== "string") {
    if (typeof info.master_address !== "string" || typeof info.master_port !== "number") {
      throw HttpError.worker(
        "NCCLWeightTransferInitInfo: need nccl_unique_id_b64, or both master_address and master_port (got master_address=None, master_port=None)",
      );
    }
    return { address: info.master_address, port: info.master_port };
  }
  const text = Buffer.from(id, "base64").toString("latin1").replaceAll("\0", "");
  const [address = "", port = "0"] = text.split(":");
  return { address, port: Number(port) };
}
