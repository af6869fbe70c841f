/** What is sent and answered, byte for byte the same for every proxy. Sizes follow reinforcement-learning traffic. */

const encoder = new TextEncoder();
const bytes = (value: unknown): Uint8Array<ArrayBuffer> => encoder.encode(JSON.stringify(value));
const ids = (count: number): number[] => Array.from({ length: count }, (_, index) => (index * 7919) % 49_152);
const words = (length: number): string =>
  "the reward of the policy rises with each step ".repeat(Math.ceil(length / 46)).slice(0, length);

const chatAnswer = {
  id: "chatcmpl-0123456789abcdef",
  object: "chat.completion",
  created: 1_790_000_000,
  model: "m",
  choices: [
    {
      index: 0,
      message: { role: "assistant", content: words(300) },
      logprobs: null,
      finish_reason: "stop",
      stop_reason: null,
    },
  ],
  usage: { prompt_tokens: 40, total_tokens: 100, completion_tokens: 60, prompt_tokens_details: null },
};

const logprobsAnswer = {
  id: "cmpl-0123456789abcdef",
  object: "text_completion",
  created: 1_790_000_000,
  model: "m",
  choices: [
    {
      index: 0,
      text: words(8192),
      finish_reason: "length",
      logprobs: {
        tokens: ids(4096).map((id) => `token_id:${id}`),
        token_logprobs: ids(4096).map((id) => -id / 50_000 - 0.123456789012345),
        top_logprobs: ids(4096).map((id) => ({ [`token_id:${id}`]: -id / 50_000 - 0.123456789012345 })),
      },
    },
  ],
};

const CHUNKS = 256;
const chunk = (index: number): Uint8Array =>
  encoder.encode(
    `data: ${JSON.stringify({ id: "chatcmpl-0123456789abcdef", object: "chat.completion.chunk", created: 1_790_000_000, model: "m", choices: [{ index: 0, delta: { content: ` w${index}` }, logprobs: null, finish_reason: null, token_ids: null }] })}\n\n`,
  );

export const RESPONSES = {
  a: bytes(chatAnswer),
  b: bytes(chatAnswer),
  c: bytes({
    ...chatAnswer,
    choices: [{ index: 0, text: words(2048), token_ids: ids(1024), finish_reason: "length" }],
  }),
  d: bytes(logprobsAnswer),
  e: [...Array.from({ length: CHUNKS }, (_, index) => chunk(index)), encoder.encode("data: [DONE]\n\n")],
};

export interface Workload {
  readonly key: "a" | "b" | "c" | "d" | "e";
  readonly name: string;
  readonly path: string;
  readonly body: Uint8Array<ArrayBuffer>;
  /** Requests per turn: enough CPU time for the process accounting to be exact. */
  readonly requests: number;
  readonly concurrency: number;
  /** What one figure is divided by within a request. */
  readonly unitsPerRequest: number;
  readonly unit: string;
  /** The project's budget: CPU over the bare proxy's CPU. */
  readonly budget: number;
}

export const WORKLOADS: readonly Workload[] = [
  {
    key: "a",
    name: "200 B chat in, 600 B out",
    path: "/v1/chat/completions",
    body: bytes({ model: "m", messages: [{ role: "user", content: words(120) }], max_tokens: 64 }),
    requests: 2000,
    concurrency: 16,
    unitsPerRequest: 1,
    unit: "request",
    budget: 1.3,
  },
  {
    key: "b",
    name: "32 KB prompt text in",
    path: "/v1/completions",
    body: bytes({ model: "m", prompt: words(32_768), max_tokens: 64 }),
    requests: 1500,
    concurrency: 16,
    unitsPerRequest: 1,
    unit: "request",
    budget: 1.5,
  },
  {
    key: "c",
    name: "16,384 token ids in, 1,024 out",
    path: "/v1/completions",
    body: bytes({ model: "m", prompt: ids(16_384), max_tokens: 1024, return_token_ids: true }),
    requests: 1000,
    concurrency: 16,
    unitsPerRequest: 1,
    unit: "request",
    budget: 1.5,
  },
  {
    key: "d",
    name: "4,096 logprobs out",
    path: "/v1/completions",
    body: bytes({ model: "m", prompt: ids(256), max_tokens: 4096, logprobs: 1 }),
    requests: 600,
    concurrency: 8,
    unitsPerRequest: 1,
    unit: "request",
    budget: 1.15,
  },
  {
    key: "e",
    name: "SSE, 256 paced chunks",
    path: "/v1/chat/completions",
    body: bytes({ model: "m", messages: [{ role: "user", content: words(120) }], stream: true }),
    requests: 32,
    concurrency: 16,
    unitsPerRequest: CHUNKS,
    unit: "chunk",
    budget: 1.3,
  },
];
