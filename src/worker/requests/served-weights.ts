/**
 * The weights that serve and those staged beside them. Loads, switches and releases models; when a switch may happen is
 * the caller's to decide.
 */
import type { WeightVersion } from "../../contract/ids.ts";
import type { WeightSet } from "../../engine/engine.ts";
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

export class ServedWeights {
  readonly #load: (sets: readonly WeightSet[], onProgress: LoadModelOptions["onProgress"]) => Promise<LoadedModel>;
  readonly #staged = new Map<string, Staged>();
  #loading = 0;
  #model: LoadedModel;
  #sets: readonly WeightSet[];
  #version: WeightVersion;
  /** The switch done last: a repeated commit of it is fine. */
  #committed: string | null = null;

  constructor(
    first: { readonly model: LoadedModel; readonly sets: readonly WeightSet[]; readonly version: WeightVersion },
    load: (sets: readonly WeightSet[], onProgress: LoadModelOptions["onProgress"]) => Promise<LoadedModel>,
  ) {
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
      const model = await this.#load(sets, onProgress);
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
