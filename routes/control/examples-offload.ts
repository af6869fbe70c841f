/** The example objects of offload plans, residency and generation leases, so that they agree with one another. */

export const OFFLOAD_PLAN_REQUEST_EXAMPLE = {
  deepspeed_config: {
    zero_optimization: { stage: 3, reduce_bucket_size: "auto", offload_param: { device: "cpu", pin_memory: true } },
    train_micro_batch_size_per_gpu: 1,
  },
  model: "/models/llama",
} as const;

const CORRECTED = {
  zero_optimization: {
    stage: 3,
    reduce_bucket_size: 4096,
    offload_param: { device: "cpu", pin_memory: true },
    stage3_param_persistence_threshold: 640,
    stage3_prefetch_bucket_size: 3686,
  },
  train_micro_batch_size_per_gpu: 1,
};

export const OFFLOAD_PLAN_EXAMPLE = {
  compat: null,
  config: CORRECTED,
  notes: [
    'zero_optimization.reduce_bucket_size: 4096 instead of "auto" (hidden size², hidden size 64). TRL 0.15 writes it to a top-level key "zero_optimization.reduce_bucket_size" that DeepSpeed never reads.',
  ],
  unknown_keys: [],
  original: {
    config: {
      ...OFFLOAD_PLAN_REQUEST_EXAMPLE.deepspeed_config,
      "zero_optimization.reduce_bucket_size": 4096,
      "zero_optimization.stage3_param_persistence_threshold": 640,
      "zero_optimization.stage3_prefetch_bucket_size": 3686.4,
    },
  },
  corrected: { config: CORRECTED },
  model: "/models/llama",
  hidden_size: 64,
  groups: [
    { name: "embed", tier: "cpu", bytes: 65536, elements: 32768 },
    { name: "layers.0", tier: "cpu", bytes: 98432, elements: 49216 },
    { name: "head", tier: "device", bytes: 128, elements: 64 },
  ],
  bytes: { device: 128, cpu: 163968, disk: 0 },
  residency: { device: "cpu", max_in_cpu: null, buffer_count: 0, pin_memory: true },
};

export const CREATE_LEASE_EXAMPLE = { model: "tide-nano", ttl_s: 60 } as const;

export const LEASE_EXAMPLE = {
  id: "gl_2b6c91",
  model: "tide-nano",
  state: "active",
  reason: null,
  gather: true,
  ttl_s: 60,
  parent: null,
  created_at: "2026-11-23T08:00:00.000Z",
  expires_at: "2026-11-23T08:01:00.000Z",
  ended_at: null,
  created_by: "trainer",
  servers: ["embedded-0"],
} as const;

export const ENDED_LEASE_EXAMPLE = {
  ...LEASE_EXAMPLE,
  state: "released",
  ended_at: "2026-11-23T08:00:07.000Z",
} as const;

/** One event of a held-open lease as it comes over the wire. */
export const LEASE_EVENT_EXAMPLE = `retry: 2000

id: 1
event: lease
data: ${JSON.stringify({ type: "lease", lease: LEASE_EXAMPLE })}

`;

export const MODEL_RESIDENCY_EXAMPLE = {
  model: "tide-nano",
  servers: [
    {
      id: "embedded-0",
      residency: {
        groups: [
          { name: "embed", tier: "cpu", bytes: 262144, pinned: false },
          { name: "layers.0", tier: "disk", bytes: 984064, pinned: false },
          { name: "head", tier: "cpu", bytes: 512, pinned: false },
        ],
        bytes: { device: 0, cpu: 262656, disk: 984064 },
        budget_bytes: 1310720,
        page_ins: 12,
        tokens: 12,
        gathered: 0,
      },
    },
  ],
};
