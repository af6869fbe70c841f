/** What is measured, and what an engine answers. The anchors' programs speak the same in JSON lines (anchors/). */

/** One thing to do; all prompts are token ids, chosen so that none is a prefix of an earlier one. */
export type Operation =
  /** `batch` sequences of `context` tokens each make `steps` tokens; what comes before the first token is not counted. */
  | { readonly op: "decode"; readonly batch: number; readonly context: number; readonly steps: number }
  /** One prompt, up to its first token. */
  | { readonly op: "prefill"; readonly tokens: number }
  /** `requests` requests, one every `gap` milliseconds, of `context` tokens each, for `tokens` tokens each. */
  | {
      readonly op: "arrivals";
      readonly requests: number;
      readonly gap: number;
      readonly context: number;
      readonly tokens: number;
    };

/** What one operation took. */
export interface Measured {
  /** CPU seconds (user and system) of all processes and threads of the engine. */
  readonly cpu: number;
  /** Of these, those of the process that speaks HTTP; ours only. */
  readonly gateway?: number;
  /** Seconds. */
  readonly wall: number;
  /** Tokens made (of a prefill: read) in that time. */
  readonly tokens: number;
  /** Arrivals: mean seconds from a request's arrival to its first token. */
  readonly first?: number;
}

/** Something that runs a model: ours, or an anchor. */
export interface Engine {
  readonly name: string;
  /** With versions; for the report. */
  readonly label: string;
  /** undefined = it has nothing like this. Throws when it failed. */
  run(operation: Operation): Promise<Measured | undefined>;
  stop(): Promise<void>;
}

/** `decode 8`, `prefill 512`, `arrivals 8`. */
export function toKey(operation: Operation): string {
  if (operation.op === "decode") return `decode ${operation.batch}`;
  return operation.op === "prefill" ? `prefill ${operation.tokens}` : `arrivals ${operation.requests}`;
}

/**
 * Ids of a prompt: scattered over the vocabulary, the same for the same salt, and different from the first id on for
 * another, so that no prefix cache knows it.
 */
export function toPromptIds(length: number, salt: number, vocabulary: number): number[] {
  return Array.from({ length }, (_, index) => 5 + ((index * 7919 + salt * 104_729 + 17) % (vocabulary - 10)));
}
