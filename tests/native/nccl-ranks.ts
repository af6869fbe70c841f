/** Ranks that receive weights, in this process, with the C stand-in for NCCL: what the workers of a server do. */
import { createHash } from "node:crypto";
import type { Dtype } from "../../src/tensor/dtype.ts";
import { type Group, openGroup } from "../../src/worker/communicator/group.ts";
import type { WireTensor } from "../../src/worker/communicator-protocol.ts";
import type { NcclLibrary } from "../../src/worker/native/nccl-library.ts";
import { clock, random } from "./clock.ts";

/** torch's names, as they come over HTTP. */
const DTYPE: Readonly<Record<string, Dtype>> = {
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  float8_e4m3fn: "F8_E4M3",
  float8_e5m2: "F8_E5M2",
  int64: "I64",
  uint8: "U8",
  bool: "BOOL",
};

/** From vLLM's or TRL's spelling; throws for an unknown one, as torch does. */
export function toDtype(name: string): Dtype {
  const dtype = DTYPE[name.replace(/^torch\./, "")];
  if (dtype === undefined) throw new Error(`module 'torch' has no attribute '${name}'`);
  return dtype;
}

/** How to join. */
export interface JoinRanks {
  readonly host: string;
  readonly port: number;
  /** Rank of the first. */
  readonly first: number;
  readonly worldSize: number;
  readonly timeout: number;
  readonly onListening?: () => void;
}

/** The ranks of one server, and the weights that they hold. */
export class NcclRanks {
  readonly count: number;
  /** By rank, then by name: the SHA-256 of the bytes. */
  readonly weights: Map<string, string>[];
  /** Ends every wait. */
  readonly life = new AbortController();
  readonly #library: NcclLibrary;
  #groups: Group[] = [];

  constructor(library: NcclLibrary, count: number) {
    this.#library = library;
    this.count = count;
    this.weights = Array.from({ length: count }, () => new Map());
  }

  get joined(): boolean {
    return this.#groups.length > 0;
  }

  async join({ host, port, first, worldSize, timeout, onListening }: JoinRanks): Promise<void> {
    const open = (index: number): Promise<Group> =>
      openGroup(
        {
          group: "ranks",
          host,
          port,
          reach: null,
          rank: first + index,
          worldSize,
          barrier: "arrival",
          timeout,
          libraries: { nccl: null, cudart: null },
        },
        { clock, random, library: this.#library },
        this.life.signal,
        () => onListening?.(),
      );
    this.#groups = await Promise.all(Array.from({ length: this.count }, (_, index) => open(index)));
  }

  /** All ranks receive all tensors; `packed` as in vLLM. Gives the first rank's bytes. */
  async receive(tensors: readonly WireTensor[], root: number, packed: boolean, timeout = 10_000): Promise<Uint8Array> {
    const one = async (group: Group, index: number): Promise<Uint8Array> => {
      const pieces: Uint8Array[] = [];
      const take = async (piece: Uint8Array): Promise<void> => void pieces.push(piece.slice());
      const step = { timeout, signal: this.life.signal };
      await group.receive(tensors, packed ? 2 ** 30 : null, root, take, step, () => {});
      const bytes = Buffer.concat(pieces);
      let at = 0;
      for (const { name, dtype, shape } of tensors) {
        const size = shape.reduce((product, axis) => product * axis, 1) * BYTES[dtype]!;
        this.weights[index]!.set(
          name,
          createHash("sha256")
            .update(bytes.subarray(at, at + size))
            .digest("hex"),
        );
        at += size;
      }
      return bytes;
    };
    const [first] = await Promise.all(this.#groups.map(one));
    return first ?? new Uint8Array();
  }

  /** The first rank sends one tensor. */
  async send(tensor: WireTensor, bytes: Uint8Array, timeout = 10_000): Promise<void> {
    async function* take(): AsyncGenerator<Uint8Array> {
      yield bytes;
    }
    const step = { timeout, signal: this.life.signal };
    await this.#groups[0]!.send([tensor], null, take, step, () => {});
  }

  async barrier(timeout = 10_000): Promise<void> {
    await Promise.all(this.#groups.map((group) => group.barrier({ timeout, signal: this.life.signal })));
  }

  async leave(): Promise<void> {
    const groups = this.#groups;
    this.#groups = [];
    await Promise.allSettled(groups.map((group) => group.close()));
  }
}

const BYTES: Partial<Record<Dtype, number>> = {
  F32: 4,
  F16: 2,
  BF16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I64: 8,
  U8: 1,
  BOOL: 1,
};
