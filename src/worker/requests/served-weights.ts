/**
 * The weights that serve and those staged beside them. Loads, switches and releases models; when a switch may happen is
 * the caller's to decide.
 */
import type { WeightVersion } from "../../contract/ids.ts";
import type { ResidencyDirective, WeightSet } from "../../engine/engine.ts";
import { GatewayError } from "../../errors.ts";
import type { LoadedModel, LoadModelOptions } from "../batch-types.ts";
import type { Stamp } from "./generations.ts";

export type LoadModel = (options: LoadModelOptions) => Promise<LoadedModel>;

/** Models that may be loaded beside the serving one. Two overlapping syncs are already one too many for the memory. */
const STAGED_LIMIT = 2;

interface Staged {
  readonly model: LoadedModel;
  readonly sets: readonly WeightSet[];
}

/** Loads a model of the served configuration. */
export type LoadWeights = (
  sets: readonly WeightSet[],
  directive: ResidencyDirective,
  onProgress: LoadModelOptions["onProgress"],
) => Promise<LoadedModel>;

export class ServedWeights {
  readonly #load: LoadWeights;
  readonly #staged = new Map<string, Staged>();
  #loading = 0;
  /** Loads whose files are being read: work of this thread. Compiling, which follows, is another's. */
  #reading = 0;
  #model: LoadedModel;
  #sets: readonly WeightSet[];
  #version: WeightVersion;
  /** The switch done last: a repeated commit of it is fine. */
  #committed: string | null = null;
  /** Where the weights of models loaded from now on are to be. */
  directive: ResidencyDirective;

  constructor(
    first: {
      readonly model: LoadedModel;
      readonly sets: readonly WeightSet[];
      readonly version: WeightVersion;
      readonly directive?: ResidencyDirective;
    },
    load: LoadWeights,
  ) {
    this.directive = first.directive ?? {};
    this.#model = first.model;
    this.#sets = first.sets;
    this.#version = first.version;
    this.#load = load;
  }

  get model(): LoadedModel {
    return this.#model;
  }

  get stamp(): Stamp {
    return { version: this.#version, digest: this.#model.digest };
  }

  /** Weights are read in this thread just now. */
  get reading(): boolean {
    return this.#reading > 0;
  }

  /** Weights are staged, or about to be. */
  get busy(): boolean {
    return this.#staged.size + this.#loading > 0;
  }

  /**
   * Loads the serving weights once more, as the directive says, and puts them in the place of the model that serves.
   * `replace` gives the old one back, which is released. A switch meanwhile: the new weights are loaded again.
   *
   * @throws GatewayError `weights_digest_mismatch` when the files hold other weights by now, and what loading throws
   */
  async reload(replace: (model: LoadedModel) => LoadedModel, signal: AbortSignal): Promise<void> {
    for (;;) {
      const before = this.#model;
      const model = await this.#read(this.#sets, () => {});
      if (before !== this.#model || signal.aborted || model.digest !== before.digest) {
        model.release();
        signal.throwIfAborted();
        if (before !== this.#model) continue;
        throw new GatewayError(
          "weights_digest_mismatch",
          `The files hold weights with digest ${model.digest}; version ${this.#version} has ${before.digest}. ` +
            "They changed since they were loaded: sync the weights again.",
        );
      }
      const old = replace(model);
      this.#model = model;
      old.release();
      return;
    }
  }

  async #read(sets: readonly WeightSet[], onProgress: LoadModelOptions["onProgress"]): Promise<LoadedModel> {
    let reading = true;
    const done = (): void => {
      if (reading) this.#reading -= 1;
      reading = false;
    };
    this.#reading += 1;
    try {
      return await this.#load(sets, this.directive, (bytesDone, bytesTotal) => {
        if (bytesDone >= bytesTotal) done();
        onProgress(bytesDone, bytesTotal);
      });
    } finally {
      done();
    }
  }

  /** Loads a set beside the serving weights. A partial one goes over those that serve now. */
  async stage(
    id: string,
    set: WeightSet,
    onProgress: LoadModelOptions["onProgress"],
    signal: AbortSignal,
  ): Promise<LoadedModel> {
    if (this.#staged.size + this.#loading >= STAGED_LIMIT && !this.#staged.has(id)) {
      throw new GatewayError(
        "conflict",
        `${STAGED_LIMIT} weight sets are staged already; commit or discard one first.`,
      );
    }
    const sets = set.partial ? [...this.#sets, set] : [set];
    this.#loading += 1;
    try {
      const model = await this.#read(sets, onProgress);
      if (signal.aborted) {
        model.release();
        signal.throwIfAborted();
      }
      this.#staged.get(id)?.model.release();
      this.#staged.set(id, { model, sets });
      return model;
    } finally {
      this.#loading -= 1;
    }
  }

  /** Throws `conflict` for an id that is not staged. true: already done. */
  isCommitted(id: string): boolean {
    if (this.#staged.has(id)) return false;
    if (this.#committed === id) return true;
    throw new GatewayError(
      "conflict",
      `No weights are staged under ${id}; they were discarded or the worker restarted.`,
    );
  }

  /** Makes a staged set the serving one. `replace` puts it into the batcher and gives the old model back. */
  commit(id: string, version: WeightVersion, replace: (model: LoadedModel) => LoadedModel): void {
    const staged = this.#staged.get(id);
    if (staged === undefined) throw new GatewayError("conflict", `No weights are staged under ${id}.`);
    const old = replace(staged.model);
    this.#staged.delete(id);
    this.#model = staged.model;
    this.#sets = staged.sets;
    this.#version = version;
    this.#committed = id;
    old.release();
  }

  discard(id: string): void {
    this.#staged.get(id)?.model.release();
    this.#staged.delete(id);
  }
}
