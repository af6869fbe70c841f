/**
 * What `VLLMClient` does with a communicator: join once, send checkpoints or tensors, leave. The only file of the client
 * that needs a runtime with processes; the client loads it on use.
 */
import type { WeightDigest } from "../contract/ids.ts";
import { currentPorts } from "../platform/current-ports.ts";
import type { Ports, Sha256 } from "../ports.ts";
import { type DigestEntry, weightDigest } from "../tensor/digest.ts";
import { openWeights } from "../tensor/weights.ts";
import { openCommunicator } from "./communicator.ts";
import type { Peer } from "./communicator-http.ts";
import { tell } from "./communicator-step.ts";
import type { BroadcastOptions, Communicator, CommunicatorOptions } from "./communicator-types.ts";
import { type NamedTensor, type SourceTensor, toFileTensors, toSourceTensors } from "./tensors.ts";

/** What went out. */
export interface BroadcastResult {
  readonly tensors: number;
  readonly bytes: number;
  /** Of the tensors sent, as `/api/weight-versions` has it for a whole model. */
  readonly digest: WeightDigest;
  /** As given; null = the server's own count. */
  readonly version: number | null;
}

/** A Hugging Face directory or .safetensors file on *this* machine, or tensors as they are made. */
export type CheckpointInput = string | Iterable<NamedTensor> | AsyncIterable<NamedTensor>;

/** Hashes what passes by. */
async function* hashed(
  tensors: AsyncIterable<SourceTensor>,
  sha256: () => Sha256,
  entries: DigestEntry[],
): AsyncGenerator<SourceTensor> {
  for await (const tensor of tensors) {
    async function* bytes(): AsyncGenerator<Uint8Array> {
      const hash = sha256();
      for await (const piece of tensor.bytes()) {
        hash.update(piece);
        yield piece;
      }
      const { name, dtype, shape } = tensor;
      entries.push({ name, dtype, shape, sha256: hash.hex() });
    }
    yield { ...tensor, bytes };
  }
}

/** At most one open communicator at a time. */
export class WeightGroup {
  readonly #peer: Peer;
  readonly #ports: Ports | undefined;
  readonly #tell: (error: unknown) => never;
  #communicator: Communicator | undefined;

  /** `ports`: default those of the runtime. */
  constructor(peer: Peer, ports?: Ports) {
    this.#peer = peer;
    this.#tell = tell(peer, "transfer");
    this.#ports = ports;
  }

  /** The open communicator; undefined when there is none or it failed. */
  get open(): Communicator | undefined {
    return this.#communicator?.failed === null ? this.#communicator : undefined;
  }

  /** Joins; a communicator that is open is left first. */
  async init(options: CommunicatorOptions = {}): Promise<Communicator> {
    await this.close();
    this.#communicator = await openCommunicator(this.#peer, options, this.#ports ?? (await currentPorts()));
    return this.#communicator;
  }

  /**
   * Sends a whole checkpoint, or some tensors of it, as one update.
   *
   * @throws WeightSyncError with phase; the group is closed then and `init` may be called again.
   */
  async update(input: CheckpointInput, options: BroadcastOptions = {}): Promise<BroadcastResult> {
    const communicator = this.#communicator;
    if (communicator === undefined) {
      return this.#tell(new Error("No communicator: call initCommunicator first."));
    }
    const ports = this.#ports ?? (await currentPorts());
    const { sha256, files } = ports;
    if (sha256 === undefined || files === undefined) throw new TypeError("This runtime has no files.");
    const entries: DigestEntry[] = [];
    const weights = typeof input === "string" ? await openWeights(files, input).catch(this.#tell) : undefined;
    try {
      const tensors = weights === undefined ? toSourceTensors(input as Iterable<NamedTensor>) : toFileTensors(weights);
      const sent = await communicator.broadcast(hashed(tensors, sha256, entries), options);
      return { ...sent, digest: weightDigest(entries, sha256), version: options.version ?? null };
    } finally {
      await weights?.close();
    }
  }

  /** Leaves; nothing to leave is fine. Never rejects. */
  async close(): Promise<void> {
    await this.#communicator?.close();
    this.#communicator = undefined;
  }
}
