/**
 * What DeepSpeed's own parser knows: its keys, their types and defaults, as data. Judges nothing; `check-config.ts` does.
 * Source: deepspeed 0.15.4 `runtime/zero/config.py`, `runtime/zero/offload_config.py`, `runtime/constants.py`,
 * `runtime/config.py`, `monitor/config.py` and the other sections' `config.py`; the keys marked "newer" are of 0.18.
 */

/** How one value must look. `auto` is accepted everywhere: the launchers fill it in. */
export type FieldType =
  | { readonly kind: "boolean" }
  /** A whole number of at least 0; 5e8 is one. */
  | { readonly kind: "count" }
  | { readonly kind: "number"; readonly least?: number; readonly most?: number }
  | { readonly kind: "text" }
  | { readonly kind: "choice"; readonly of: readonly (string | number)[] }
  | { readonly kind: "object" }
  /** Known, of a form that is not looked into here. */
  | { readonly kind: "any" };

export interface Field {
  readonly type: FieldType;
  /** What DeepSpeed takes when the key is absent or "auto"; undefined = none, or it depends on others. */
  readonly byDefault?: string | number | boolean | null;
  /** null is accepted. */
  readonly nullable?: boolean;
}

/** Keys of one section. */
export type Section = Readonly<Record<string, Field>>;

const flag = (byDefault: boolean): Field => ({ type: { kind: "boolean" }, byDefault });
const count = (byDefault: number): Field => ({ type: { kind: "count" }, byDefault });
const object: Field = { type: { kind: "object" }, nullable: true };
const any: Field = { type: { kind: "any" } };
const path: Field = { type: { kind: "text" }, byDefault: null, nullable: true };
const device: Field = { type: { kind: "choice", of: ["none", "cpu", "nvme"] }, byDefault: "none" };
const deprecated: Field = { type: { kind: "boolean" }, nullable: true };

/** `zero_optimization.offload_param`; valid with stage 3 only. Sizes in elements. */
export const OFFLOAD_PARAM = {
  device,
  nvme_path: path,
  buffer_count: count(5),
  buffer_size: count(1e8),
  max_in_cpu: count(1e9),
  pin_memory: flag(false),
} as const satisfies Section;

/** `zero_optimization.offload_optimizer`; stages 1 to 3. */
export const OFFLOAD_OPTIMIZER: Section = {
  device,
  nvme_path: path,
  buffer_count: count(4),
  pin_memory: flag(false),
  pipeline_read: flag(false),
  pipeline_write: flag(false),
  pipeline: flag(false),
  fast_init: flag(false),
  ratio: { type: { kind: "number", least: 0, most: 1 }, byDefault: 1 },
  // Newer.
  super_offload: flag(false),
  cpuadam_cores_perc: { type: { kind: "number", least: 0, most: 1 }, byDefault: 0.8 },
  convert_grad_on_cpu: flag(true),
};

/** `zero_optimization`. Sizes in elements. */
export const ZERO: Section = {
  stage: { type: { kind: "choice", of: [0, 1, 2, 3] }, byDefault: 0 },
  contiguous_gradients: flag(true),
  reduce_scatter: flag(true),
  reduce_bucket_size: count(5e8),
  use_multi_rank_bucket_allreduce: flag(true),
  allgather_partitions: flag(true),
  allgather_bucket_size: count(5e8),
  overlap_comm: { type: { kind: "boolean" }, nullable: true },
  load_from_fp32_weights: flag(true),
  elastic_checkpoint: flag(false),
  offload_param: object,
  offload_optimizer: object,
  sub_group_size: count(1e9),
  cpu_offload_param: deprecated,
  cpu_offload_use_pin_memory: deprecated,
  cpu_offload: deprecated,
  stage3_prefetch_bucket_size: count(5e7),
  prefetch_bucket_size: count(5e7),
  stage3_param_persistence_threshold: count(1e5),
  param_persistence_threshold: count(1e5),
  // The default is sys.maxsize, which a double cannot say.
  stage3_model_persistence_threshold: { type: { kind: "count" } },
  model_persistence_threshold: { type: { kind: "count" } },
  stage3_max_live_parameters: count(1e9),
  max_live_parameters: count(1e9),
  stage3_max_reuse_distance: count(1e9),
  max_reuse_distance: count(1e9),
  stage3_gather_16bit_weights_on_model_save: flag(false),
  gather_16bit_weights_on_model_save: flag(false),
  stage3_gather_fp16_weights_on_model_save: deprecated,
  stage3_use_all_reduce_for_fetch_params: flag(false),
  use_all_reduce_for_fetch_params: flag(false),
  ignore_unused_parameters: flag(true),
  legacy_stage1: flag(false),
  round_robin_gradients: flag(false),
  zero_hpz_partition_size: count(1),
  zero_quantized_weights: flag(false),
  zero_quantized_nontrainable_weights: flag(false),
  zero_quantized_gradients: flag(false),
  // -1 = off.
  mics_shard_size: { type: { kind: "number", least: -1 }, byDefault: -1 },
  mics_hierarchical_params_gather: flag(false),
  memory_efficient_linear: flag(true),
  pipeline_loading_checkpoint: flag(false),
  override_module_apply: flag(true),
  // Newer.
  zeropp_loco_param: object,
  log_trace_cache_warnings: flag(false),
  enable_sanity_checks: flag(false),
  module_granularity_threshold: count(0),
  stage3_module_granularity_threshold: count(0),
  leaf_module: any,
};

const precision: Section = {
  enabled: { type: { kind: "boolean" }, byDefault: false },
  auto_cast: flag(false),
  loss_scale: { type: { kind: "number", least: 0 }, byDefault: 0 },
  initial_scale_power: count(16),
  loss_scale_window: count(1000),
  hysteresis: count(2),
  consecutive_hysteresis: flag(false),
  min_loss_scale: { type: { kind: "number", least: 0 }, byDefault: 1 },
  fp16_master_weights_and_grads: flag(false),
  immediate_grad_update: flag(false),
  // Newer.
  check_grad_overflow: flag(true),
  bf16_master_weights_and_grads: flag(false),
  bf16_optimizer_states: flag(false),
};

const positive: Field = { type: { kind: "count" } };
const names = (list: string): Section => Object.fromEntries(list.split(" ").map((name) => [name, any]));

/** The top level. */
export const TOP: Section = {
  train_batch_size: positive,
  train_micro_batch_size_per_gpu: positive,
  gradient_accumulation_steps: positive,
  // accelerate puts Python's infinity here; JSON has it as text.
  steps_per_print: any,
  gradient_clipping: { type: { kind: "number", least: 0 } },
  prescale_gradients: flag(false),
  gradient_predivide_factor: { type: { kind: "number" }, byDefault: 1 },
  sparse_gradients: flag(false),
  wall_clock_breakdown: flag(false),
  memory_breakdown: flag(false),
  dump_state: flag(false),
  disable_allgather: flag(false),
  zero_allow_untested_optimizer: flag(false),
  zero_force_ds_cpu_optimizer: flag(true),
  zero_optimization: { type: { kind: "object" } },
  optimizer: object,
  scheduler: object,
  fp16: object,
  bf16: object,
  bfloat16: object,
  ...names(
    "amp communication_data_type seq_parallel_communication_data_type grad_accum_dtype data_types checkpoint activation_checkpointing aio " +
      "comms_logger flops_profiler autotuning elasticity tensorboard wandb csv_monitor comet curriculum_learning " +
      "data_efficiency data_efficiency_training eigenvalue progressive_layer_drop compression_training sparse_attention pipeline " +
      "nebula hybrid_engine compile timers dataloader_drop_last use_data_before_expert_parallelism graph_harvesting " +
      "tensor_parallel weight_quantization quantize_training train_data_path zenflow msamp mup torch_autocast",
  ),
};

/** The sections that are looked into, by path. */
export const SECTIONS: Readonly<Record<string, Section>> = {
  "": TOP,
  zero_optimization: ZERO,
  "zero_optimization.offload_param": OFFLOAD_PARAM,
  "zero_optimization.offload_optimizer": OFFLOAD_OPTIMIZER,
  fp16: precision,
  bf16: precision,
  bfloat16: precision,
};
