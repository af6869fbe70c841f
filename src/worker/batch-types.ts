/**
 * Between the request layer of the worker (text, stop strings, frames) and the batcher (slots, steps, sampling).
 * Everything here is token ids and numbers.
 */
import type { PoolingType } from "../contract/generation.ts";
import type { WeightDigest } from "../contract/ids.ts";
import type { ResidencyDirective, ResidencyReport, TensorSpec, WeightSet } from "../engine/engine.ts";
import type { Files } from "../ports.ts";
import type { MemoryLimits } from "./memory-budget.ts";

/** Sampling parameters with every default applied and every value checked. */
export interface ResolvedSampling {
  readonly maxTokens: number;
  readonly minTokens: number;
  readonly temperature: number;
  readonly topP: number;
  /** 0 = off. */
  readonly topK: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly presencePenalty: number;
  readonly frequencyPenalty: number;
  /** Sample `i` of a request draws from (seed, i); the request layer has drawn one where the caller gave none. */
  readonly seed: number;
  /** -1 = none, else candidates per output token (0 = the sampled one only). */
  readonly logprobs: number;
  /** Of the model's own distribution, before processors, temperature and filters; default: after them. */
  readonly rawLogprobs?: boolean;
  /** -1 = none. */
  readonly promptLogprobs: number;
  readonly logitBias: ReadonlyMap<number, number>;
  /** null = all. */
  readonly allowedTokenIds: readonly number[] | null;
  /** Token sequences whose last token is masked when the rest was just produced. */
  readonly badWords: readonly (readonly number[])[];
  /** End the sequence with reason "stop"; empty of eos when `ignore_eos`. */
  readonly eosTokenIds: ReadonlySet<number>;
  readonly stopTokenIds: ReadonlySet<number>;
}

/** What one sequence may still say. */
export interface ConstraintState {
  /** The text so far is whole: it may end here. */
  readonly complete: boolean;
  /** Masks what may not come next in a row of logits; `ends` (eos and stop tokens) only where the text is whole. */
  mask(logits: Float32Array, ends: Iterable<number>): void;
  /** Goes on by a token that the mask allowed; not called for one that ends the sequence. */
  accept(tokenId: number): void;
}

/** What the output of a request has to be: one state for each sample. */
export interface Constraint {
  open(): ConstraintState;
}

/** One prompt with n samples; they share its prefill. */
export interface BatchRequest {
  /** Unique among the live ones; chosen by the caller. */
  readonly key: number;
  readonly promptIds: readonly number[];
  /** Shares cached prefixes with requests of the same salt only; absent: with those that have none. */
  readonly cacheSalt?: string;
  readonly samples: number;
  readonly sampling: ResolvedSampling;
  /** Pool the hidden states of the prompt; no token is drawn. Needs one sample and `maxTokens` 0. */
  readonly pooling?: PoolingType | undefined;
  /** Absent = any output. */
  readonly constraint?: Constraint;
}

/** Log probabilities at one position, after temperature, penalties and masks (vLLM's `processed_logprobs`)
 *  for output tokens, and of the plain model for prompt tokens. */
export interface RawLogprobs {
  readonly tokenId: number;
  readonly logprob: number;
  /** 1 = most probable. */
  readonly rank: number;
  /** Best first. */
  readonly topIds: Int32Array;
  readonly topLogprobs: Float32Array;
}

export type BatchOutput =
  | {
      readonly type: "prompt";
      readonly key: number;
      /** Prompt tokens that were not computed, because the prefix cache had them. */
      readonly cachedTokens: number;
      readonly logprobs: readonly (RawLogprobs | null)[] | null;
    }
  | {
      readonly type: "token";
      readonly key: number;
      readonly sample: number;
      readonly tokenId: number;
      readonly logprobs: RawLogprobs | null;
    }
  /** Between `prompt` and `finish` of a request with `pooling`. */
  | { readonly type: "embedding"; readonly key: number; readonly values: Float32Array }
  | {
      readonly type: "finish";
      readonly key: number;
      readonly sample: number;
      readonly reason: "stop" | "length" | "abort";
      /** The stop token that ended it (not eos); it was also given as a `token`. */
      readonly stopTokenId: number | null;
    };

/** Continuous batching over one model. Not re-entrant: one owner calls `step` in a loop and gives the event loop air between. */
export interface Batcher {
  /** Queues. Throws GatewayError `too_many_requests` over the queue limit. */
  submit(request: BatchRequest): void;
  /** Forgets a request (or one sample of it) at once, without further output; frees its slots. */
  cancel(key: number, sample?: number): void;
  /** Ends everything, queued or running, with reason "abort"; the outputs come from the next `step`. */
  abortAll(): void;
  /** One prefill chunk or one decode step over all running sequences. Empty when idle. */
  step(): readonly BatchOutput[];
  readonly running: number;
  readonly waiting: number;
  /** Tokens of the sequences that wait. */
  readonly waitingTokens?: number;
  /** Tokens that all sequences together may have in the cache. */
  readonly cacheTokens?: number;
  /** Sequences that had to leave the cache for others, and were recomputed, so far. */
  readonly preemptions?: number;
  /** Nothing to do: the loop may sleep until the next `submit`. */
  readonly idle: boolean;
  /** Drops reusable prefixes; running sequences keep their own cache. */
  resetPrefixCache(): void;
  /**
   * Gives the memory of the KV cache back, reusable prefixes included. Running sequences wait and are recomputed from
   * their tokens so far; the next step takes memory again.
   */
  releaseCache(): void;
  /**
   * Steps use this model from now on. Running sequences are recomputed with the new weights from their tokens so far
   * (preemption by recompute), as vLLM does after `keep`. Returns the old model, to be released by the caller.
   */
  replaceModel(model: LoadedModel): LoadedModel;
  /**
   * Steps use this model from now on, which holds the very weights of the old one in another form: what runs goes on
   * with its cache. Returns the old model.
   */
  swapModel(model: LoadedModel): LoadedModel;
}

/** A report of one model. */
export type ModelReport = Omit<ResidencyReport, "tokens">;

/** A model whose weights move between memory and disk. All calls happen between two steps. */
export interface ModelResidency {
  report(): ModelReport;
  /** Throws GatewayError `limit_exceeded`, `invalid_value`; nothing has changed then. */
  apply(directive: ResidencyDirective): void;
  gather(groups: readonly string[] | "all"): void;
  release(): void;
  /** Gives all memory back; no step may run before `wake`. A model is loaded asleep. */
  sleep(): void;
  wake(): void;
}

export interface LoadedModel {
  readonly vocabSize: number;
  /** Numbers of a hidden state: the length of an embedding. */
  readonly hiddenSize: number;
  readonly maxModelLen: number;
  readonly tensors: readonly TensorSpec[];
  /** Of all tensors as read from the files (before widening). */
  readonly digest: WeightDigest;
  /** Bytes held by weights in this process. */
  readonly weightBytes: number;
  readonly provider: string;
  /** What the KV cache may take; absent: half of the machine's memory. */
  readonly kvBytes?: number;
  /** What it runs on: the provider's name, the device in words, and why it is not another. */
  readonly device?: {
    readonly provider: string;
    readonly name: string;
    readonly notes: readonly string[];
    /** Operators that the CPU runs all the same; "" = none, or it is the CPU. */
    readonly elsewhere: string;
  };
  /** How the matrices are held: "fp32", or how many as what; absent in models that have none. */
  readonly weightFormat?: string;
  /** Bytes of each residency group, as float32, in the order of use. */
  readonly groupBytes?: ReadonlyMap<string, number>;
  /** Tokens run so far. */
  readonly computedTokens?: () => number;
  /** Absent: the weights are in memory for as long as the model is. */
  readonly residency?: ModelResidency;
  /** Gives all memory back. Idempotent. */
  release(): void;
}

export interface LoadModelOptions {
  readonly files: Files;
  /** Hugging Face directory: config.json and, unless `sets` is complete, its safetensors. */
  readonly directory: string;
  /** Applied over the directory's weights in order; a non-partial set replaces everything. */
  readonly sets: readonly WeightSet[];
  readonly device: "auto" | "cpu" | "webgpu" | "cuda";
  readonly maxModelLen: number | undefined;
  /** Default `auto`: a GGUF file's blocks as they are, floats as float32. */
  readonly quantize?: "auto" | "none" | "int8" | "int4";
  /** What products with quantised weights do to their other side; default `int8`, as fast as it gets. */
  readonly activations?: "int8" | "float32";
  /** Checked before a byte is read; absent: not at all. */
  readonly memory?: MemoryLimits;
  /** Where the weights are to be; default: all in memory. */
  readonly residency?: ResidencyDirective;
  /** Where weights on disk are kept; default: the system's directory for temporary files. */
  readonly spoolDirectory?: string | undefined;
  readonly onProgress: (bytesDone: number, bytesTotal: number) => void;
}
