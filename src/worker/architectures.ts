/**
 * The decoders that one graph builder makes, as what sets each apart from Llama. Numbers come from `config.json`; here
 * are the switches that the model's code holds, and the defaults of its configuration class where a field is absent
 * (transformers 5.19, `configuration_{llama,mistral,qwen2,qwen3}.py`).
 */

/** A bias that is always there, never, or where that field of config.json says so. */
export type BiasRule = boolean | "attention_bias" | "mlp_bias";

export interface Architecture {
  /** Of the query, key and value projections. */
  readonly qkvBias: BiasRule;
  /** Of the attention's output projection. */
  readonly outputBias: BiasRule;
  readonly mlpBias: BiasRule;
  /** Every query and key head goes through an RMS norm of its own weights before the rotary embedding. */
  readonly queryKeyNorm: boolean;
  /** Layers see a window of `sliding_window` tokens: none, all (unless it is null), or those `use_sliding_window` names. */
  readonly window: "none" | "all" | "chosen";
  readonly defaults: {
    /** null: as many as query heads. */
    readonly kvHeads: number | null;
    /** null: hidden_size / num_attention_heads. */
    readonly headDim: number | null;
    readonly positions: number;
  };
}

const LLAMA: Architecture = {
  qkvBias: "attention_bias",
  outputBias: "attention_bias",
  mlpBias: "mlp_bias",
  queryKeyNorm: false,
  window: "none",
  defaults: { kvHeads: null, headDim: null, positions: 2048 },
};

/** By the name that stands in `architectures` of config.json. */
export const ARCHITECTURES = {
  LlamaForCausalLM: LLAMA,
  MistralForCausalLM: {
    ...LLAMA,
    qkvBias: false,
    outputBias: false,
    mlpBias: false,
    window: "all",
    defaults: { kvHeads: 8, headDim: null, positions: 131_072 },
  },
  Qwen2ForCausalLM: {
    ...LLAMA,
    qkvBias: true,
    outputBias: false,
    mlpBias: false,
    window: "chosen",
    defaults: { kvHeads: 32, headDim: null, positions: 32_768 },
  },
  Qwen3ForCausalLM: {
    ...LLAMA,
    mlpBias: false,
    queryKeyNorm: true,
    window: "chosen",
    defaults: { kvHeads: 32, headDim: 128, positions: 32_768 },
  },
} as const satisfies Readonly<Record<string, Architecture>>;

/** A supported name. */
export type ArchitectureName = keyof typeof ARCHITECTURES;

/** Whether there is such an architecture. */
export const isArchitectureName = (name: unknown): name is ArchitectureName =>
  typeof name === "string" && Object.hasOwn(ARCHITECTURES, name);
