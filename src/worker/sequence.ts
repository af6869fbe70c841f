/** The state of one sample while it waits and runs: its tokens, its place in the cache, why it ends. */
import { GatewayError } from "../errors.ts";
import type { BatchOutput, BatchRequest, ConstraintState, RawLogprobs } from "./batch-types.ts";
import type { Pool } from "./pooling.ts";
import type { TokenHistory } from "./processors.ts";

/** A request whose samples share one prompt. */
export interface SequenceGroup {
  readonly request: BatchRequest;
  /** Distinct prompt tokens; empty unless a repetition penalty reads them. */
  readonly promptSet: ReadonlySet<number>;
  /** Samples that have not ended. */
  live: number;
  /** The `prompt` output has been given. */
  reported: boolean;
  /** Prompt tokens that came from the prefix cache. */
  cachedTokens: number;
  /** Collected so far by the sample that runs the prompt; entry i is of prompt token i. */
  promptLogprobs: (RawLogprobs | null)[];
  /** Logits after the last prompt token, kept while other samples wait to draw from them. */
  promptLogits: Float32Array | null;
  /** What the prompt's hidden states make, where they are asked for. */
  pool: Pool | null;
}

export function createGroup(request: BatchRequest): SequenceGroup {
  return {
    request,
    promptSet: request.sampling.repetitionPenalty === 1 ? new Set() : new Set(request.promptIds),
    live: request.samples,
    reported: false,
    cachedTokens: 0,
    promptLogprobs: [],
    promptLogits: null,
    pool: null,
  };
}

export type FinishOutput = Extract<BatchOutput, { type: "finish" }>;

/** A constraint that explodes ends its own sequence, and no other. */
function withinBounds(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (error instanceof GatewayError) return false;
    throw error;
  }
}

export class Sequence implements TokenHistory {
  readonly group: SequenceGroup;
  readonly sample: number;
  /** Order of arrival over all sequences. */
  readonly arrival: number;
  /** Prompt and output. */
  readonly tokens: number[];
  readonly outputIds: number[] = [];
  readonly outputCounts = new Map<number, number>();
  /** Leading tokens whose keys and values are in the slot's cache. */
  cached = 0;
  /** null = any output. Survives preemption: it is of the output, not of the cache. */
  readonly constraint: ConstraintState | null;

  constructor(group: SequenceGroup, sample: number, arrival: number) {
    this.group = group;
    this.sample = sample;
    this.arrival = arrival;
    this.tokens = [...group.request.promptIds];
    this.constraint = group.request.constraint?.open() ?? null;
  }

  get promptIds(): readonly number[] {
    return this.group.request.promptIds;
  }

  get promptSet(): ReadonlySet<number> {
    return this.group.promptSet;
  }

  push(tokenId: number): void {
    this.tokens.push(tokenId);
    this.outputIds.push(tokenId);
    this.outputCounts.set(tokenId, (this.outputCounts.get(tokenId) ?? 0) + 1);
  }

  toFinish(reason: FinishOutput["reason"], stopTokenId: number | null = null): FinishOutput {
    return { type: "finish", key: this.group.request.key, sample: this.sample, reason, stopTokenId };
  }

  /** Masks what the constraint does not allow; false when it has grown beyond its bounds. */
  mask(logits: Float32Array): boolean {
    const { sampling } = this.group.request;
    return withinBounds(() => this.constraint?.mask(logits, [...sampling.eosTokenIds, ...sampling.stopTokenIds]));
  }

  /** Moves the constraint on; false when it has grown beyond its bounds. */
  #follow(tokenId: number): boolean {
    return withinBounds(() => this.constraint?.accept(tokenId));
  }

  /** Every token is masked. A constrained text is whole then, or no token of the vocabulary can make it so. */
  finishMasked(asked: boolean): FinishOutput {
    if (this.constraint !== null) return this.toFinish(this.constraint.complete ? "stop" : "abort");
    return this.toFinish(asked ? "stop" : "abort");
  }

  /** Whether the token just pushed is the last one, and why; else the constraint follows it. */
  finishAfterToken(maxModelLen: number): FinishOutput | null {
    const { sampling } = this.group.request;
    const last = this.tokens.at(-1)!;
    if (this.outputIds.length >= sampling.minTokens) {
      if (sampling.eosTokenIds.has(last)) return this.toFinish("stop");
      if (sampling.stopTokenIds.has(last)) return this.toFinish("stop", last);
    }
    const full = this.outputIds.length >= sampling.maxTokens || this.tokens.length >= maxModelLen;
    if (full) return this.toFinish("length");
    // A constraint that has grown beyond its bounds.
    return this.constraint === null || this.#follow(last) ? null : this.toFinish("abort");
  }
}
