/** The example objects of the control routes' documentation, in one place so that they agree with one another. */

const DIGEST = "sha256:3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b";

export const SERVER_EXAMPLE = {
  id: "embedded-0",
  kind: "embedded",
  url: null,
  state: "ready",
  weight_version: 3,
  weight_digest: DIGEST,
  world_size: 1,
  in_flight: 2,
  weight: 1,
  models: ["tide-nano"],
  last_error: null,
  residency: {
    bytes: { device: 0, cpu: 984_576, disk: 3_214_336 },
    budget_bytes: 1_048_576,
    process_bytes: 92_274_688,
    page_ins: 1240,
    tokens: 310,
    page_ins_per_token: 4,
    gathered: 0,
  },
  details: { device: "cpu" },
} as const;

export const UPSTREAM_EXAMPLE = {
  ...SERVER_EXAMPLE,
  id: "vllm-0",
  kind: "vllm",
  url: "http://127.0.0.1:8001",
  state: "starting",
  weight_version: null,
  weight_digest: null,
  in_flight: 0,
  weight: 1,
  residency: null,
  details: {},
} as const;

export const FLEET_EXAMPLE = {
  state: "ready",
  weight_version: 3,
  weight_digest: DIGEST,
  world_size: 1,
  servers: [SERVER_EXAMPLE],
  active_sync: null,
} as const;

export const SYNC_ID_EXAMPLE = "ws_7d1f2c";

export const SYNC_REQUEST_EXAMPLE = {
  version: 4,
  label: "step-400",
  source: { kind: "disk", path: "models/tide-nano/trained" },
  mode: "wait",
  deadline_s: 120,
} as const;

export const SYNC_EXAMPLE = {
  id: SYNC_ID_EXAMPLE,
  state: "completed",
  phase: "done",
  version: 4,
  label: "step-400",
  digest: DIGEST,
  source: { kind: "disk", path: "models/tide-nano/trained" },
  mode: "wait",
  partial: false,
  created_at: "2026-11-23T08:00:00.000Z",
  finished_at: "2026-11-23T08:00:02.000Z",
  bytes_done: 3407872,
  bytes_total: 3407872,
  servers: [{ id: "embedded-0", phase: "switched", bytes_done: 3407872, bytes_total: 3407872, digest: DIGEST }],
} as const;

export const RUNNING_SYNC_EXAMPLE = {
  ...SYNC_EXAMPLE,
  state: "running",
  phase: "stage",
  digest: null,
  finished_at: null,
  bytes_done: 1048576,
  servers: [{ id: "embedded-0", phase: "staging", bytes_done: 1048576, bytes_total: 3407872 }],
} as const;

export const VERSION_RECORD_EXAMPLE = {
  version: 4,
  label: "step-400",
  digest: DIGEST,
  created_at: "2026-11-23T08:00:02.000Z",
  created_by: "trainer",
  source: "disk",
  sync: SYNC_ID_EXAMPLE,
  servers: ["embedded-0"],
} as const;

export const AUDIT_EXAMPLE = {
  at: "2026-11-23T08:00:00.000Z",
  actor: "trainer",
  action: "POST /api/weight-syncs",
  request_id: "0f8c8a52-7d0e-4c5a-9f5e-0d6a0f6a2f10",
  outcome: "202",
  sync: SYNC_ID_EXAMPLE,
} as const;

export const DRY_RUN_EXAMPLE = {
  possible: true,
  servers: [{ id: "embedded-0", possible: true, reason: null }],
  reasons: [],
  bytes_total: 3407872,
  digest: DIGEST,
} as const;

/** One event of a feed as it comes over the wire. */
export const EVENT_EXAMPLE = `retry: 2000

id: 1
event: sync
data: ${JSON.stringify({ type: "sync", sync: RUNNING_SYNC_EXAMPLE })}

`;

export const CHAT_FORMAT_REQUEST_EXAMPLE = {
  model: "/models/llama-base",
  format: "chatml",
  resize_to_multiple_of: 64,
  output: "/models/llama-chatml",
} as const;

export const CHAT_FORMAT_EXAMPLE = {
  format: "chatml",
  output: "/models/llama-chatml",
  special_tokens: { bos_token: "<|im_start|>", eos_token: "<|im_end|>", pad_token: "<|im_end|>" },
  token_ids: { bos_token_id: 32000, eos_token_id: 32001, pad_token_id: 32001 },
  tokens: 32002,
  embedding_rows: { before: 32000, after: 32064 },
  chat_template:
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
  files: ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"],
};
