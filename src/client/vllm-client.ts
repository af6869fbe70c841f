/**
 * `VLLMClient` in TypeScript: the trainer's side of a generation server, with the method names of TRL's Python class.
 * Talks to Tidegate or to any server that speaks vLLM's HTTP dialect; needs nothing but `fetch`.
 */

import type { BroadcastOptions, CommunicatorOptions } from "./communicator.ts";
import { ConnectionError, ServerError } from "./errors.ts";
import { type Connection, send, sendJson, withDeadline } from "./http.ts";
import { type ClientSamplingParams, toWireSampling } from "./sampling.ts";
import { sleep } from "./sleep.ts";
import type { NamedTensor } from "./tensors.ts";
import { type SyncOptions, type SyncResult, syncWeights, type WeightsInput } from "./update.ts";
import type { BroadcastResult, CheckpointInput, WeightGroup } from "./weight-group.ts";

export interface VLLMClientOptions {
  /** Default "127.0.0.1". Ignored when `baseUrl` is given. */
  readonly host?: string;
  /** Default 8000. */
  readonly port?: number;
  /** Such as "https://gateway.example:8443". */
  readonly baseUrl?: string;
  /** Only "http": weights over NCCL are chosen per update, not per client. */
  readonly serverType?: "http";
  readonly apiKey?: string;
  /** Seconds one generation may take; default 3600. */
  readonly requestTimeout?: number;
  /** Default: the runtime's own. */
  readonly fetch?: typeof globalThis.fetch;
}

/** One sample with all that the server tells of it. */
export interface Completion {
  readonly text: string;
  readonly promptTokenIds: readonly number[];
  readonly tokenIds: readonly number[];
  /** One per token, null where the server gave none. Present when `logprobs` was asked for. */
  readonly logprobs: readonly (number | null)[] | null;
  readonly finishReason: string | null;
  /** `x-weight-version` of the answer: an integer, "a-b" when it crossed a switch, null from a plain vLLM server. */
  readonly weightVersion: string | null;
  readonly weightDigest: string | null;
}

interface WireChoice {
  readonly text: string;
  readonly token_ids?: readonly number[] | null;
  readonly prompt_token_ids?: readonly number[] | null;
  readonly finish_reason?: string | null;
  readonly logprobs?: { readonly token_logprobs?: readonly (number | null)[] } | null;
}

const MILLISECONDS = 1000;

/**
 * A client for one base URL. Safe to share; holds no connection open between calls.
 *
 * @example
 * ```ts
 * import { VLLMClient } from "./vllm-client.ts";
 * // A stand-in for a server, so that this example runs anywhere.
 * const fetch = (async () => Response.json({ choices: [{ text: " 42" }] })) as unknown as typeof globalThis.fetch;
 * const client = new VLLMClient({ host: "127.0.0.1", port: 8000, fetch });
 * const [answer] = await client.generate(["17 + 25 ="], { temperature: 0, max_tokens: 8 });
 * if (answer !== " 42") throw new Error(answer);
 * ```
 */
export class VLLMClient {
  readonly baseUrl: string;
  readonly #connection: Connection;
  readonly #requestTimeout: number;
  #group: WeightGroup | undefined;

  constructor(options: VLLMClientOptions = {}) {
    const base = options.baseUrl ?? `http://${options.host ?? "127.0.0.1"}:${options.port ?? 8000}`;
    if (!URL.canParse(base) || !/^https?:/.test(base)) {
      throw new TypeError(`baseUrl must be an http or https URL, got ${JSON.stringify(base)}.`);
    }
    this.baseUrl = base.replace(/\/+$/, "");
    this.#requestTimeout = (options.requestTimeout ?? 3600) * MILLISECONDS;
    this.#connection = {
      baseUrl: this.baseUrl,
      apiKey: options.apiKey,
      fetch: options.fetch ?? globalThis.fetch.bind(globalThis),
    };
  }

  /**
   * Waits until the server can serve: polls `/health` and, where that route is unknown, TRL's `/health/`.
   *
   * @param options.totalTimeout - Seconds in all; default 120. 0 asks once.
   * @param options.retryInterval - Seconds between polls; default 2.
   * @throws ConnectionError naming URL, seconds waited and the last failure.
   */
  async checkServer(
    options: { totalTimeout?: number; retryInterval?: number; signal?: AbortSignal } = {},
  ): Promise<void> {
    const total = (options.totalTimeout ?? 120) * MILLISECONDS;
    const pause = (options.retryInterval ?? 2) * MILLISECONDS;
    const start = performance.now();
    for (;;) {
      const failure = await this.#healthFailure(options.signal);
      if (failure === null) return;
      const elapsed = performance.now() - start;
      if (elapsed + pause > total) {
        const seconds = (elapsed / MILLISECONDS).toFixed(1);
        throw new ConnectionError(this.baseUrl, `${this.baseUrl} is not ready after ${seconds} s: ${failure}`);
      }
      await sleep(pause, options.signal);
    }
  }

  /** null when healthy. One health call is given 5 seconds: a server that cannot say "ok" in that time is not ready. */
  async #healthFailure(signal: AbortSignal | undefined): Promise<string | null> {
    let failure = "";
    for (const path of ["/health", "/health/"]) {
      try {
        const response = await send(this.#connection, path, { method: "GET", signal: withDeadline(signal, 5000) });
        const text = await response.text();
        if (response.status === 200) return null;
        failure = `${path} answered ${response.status} ${text.slice(0, 300)}`.trim();
        if (response.status !== 404 && response.status !== 307) return failure;
      } catch (error) {
        if (signal?.aborted === true) throw signal.reason;
        return error instanceof Error ? error.message : String(error);
      }
    }
    return failure;
  }

  /**
   * Samples completions.
   *
   * @param prompts - One text, many texts, or many lists of token ids.
   * @param samplingParams - camelCase or snake_case.
   * @returns Texts in prompt-major order: with `n` samples, prompt 0's n texts come first.
   * @throws ServerError with the server's own sentence; ConnectionError.
   */
  async generate(
    prompts: string | readonly string[] | readonly (readonly number[])[],
    samplingParams: ClientSamplingParams = {},
  ): Promise<string[]> {
    const completions = await this.generateDetailed(prompts, samplingParams);
    return completions.map((completion) => completion.text);
  }

  /** As `generate`, with ids, logprobs, finish reasons and the weight version that made them. */
  async generateDetailed(
    prompts: string | readonly string[] | readonly (readonly number[])[],
    samplingParams: ClientSamplingParams = {},
    options: { signal?: AbortSignal } = {},
  ): Promise<Completion[]> {
    const list = typeof prompts === "string" ? [prompts] : prompts;
    if (list.length === 0) return [];
    const { json, response } = await sendJson(this.#connection, "/v1/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ prompt: list, return_token_ids: true, ...toWireSampling(samplingParams), stream: false }),
      signal: withDeadline(options.signal, this.#requestTimeout),
    });
    const { choices } = json as { choices?: readonly WireChoice[] };
    if (!Array.isArray(choices))
      throw new ServerError(`${this.baseUrl}/v1/completions`, 200, "The answer has no choices.");
    return choices.map((choice: WireChoice) => ({
      text: choice.text,
      promptTokenIds: choice.prompt_token_ids ?? [],
      tokenIds: choice.token_ids ?? [],
      logprobs: choice.logprobs?.token_logprobs ?? null,
      finishReason: choice.finish_reason ?? null,
      weightVersion: response.headers.get("x-weight-version"),
      weightDigest: response.headers.get("x-weight-digest"),
    }));
  }

  /**
   * Gives every replica new weights and resolves when all of them confirmed the same digest.
   *
   * @param checkpoint - A directory or .safetensors path that the *gateway* can read, or safetensors bytes
   *   (Blob, Uint8Array, stream), which are uploaded.
   * @throws WeightSyncError with phase and replica; the old weights then serve on.
   */
  updateModelParams(checkpoint: WeightsInput, options?: SyncOptions): Promise<SyncResult>;
  /**
   * After `initCommunicator`: sends them over NCCL.
   *
   * @param checkpoint - A Hugging Face directory or .safetensors path on *this* machine, or tensors as they are made.
   * @throws WeightSyncError with phase; the communicator is closed then.
   */
  updateModelParams(checkpoint: CheckpointInput, options?: BroadcastOptions): Promise<BroadcastResult>;
  updateModelParams(
    checkpoint: WeightsInput | CheckpointInput,
    options: SyncOptions & BroadcastOptions = {},
  ): Promise<SyncResult | BroadcastResult> {
    if (this.#group !== undefined) return this.#group.update(checkpoint as CheckpointInput, options);
    return syncWeights(this.#connection, checkpoint as WeightsInput, options);
  }

  /**
   * Joins the servers' NCCL group as the trainer's rank, in a worker process of ours (an NVIDIA GPU is needed).
   *
   * @throws WeightSyncError with phase `init` or `rendezvous`; may be tried again.
   */
  async initCommunicator(options: CommunicatorOptions = {}): Promise<void> {
    const { WeightGroup } = await import("./weight-group.ts");
    const group = this.#group ?? new WeightGroup(this.#connection);
    await group.init(options);
    this.#group = group;
  }

  /** Sends one tensor over NCCL, as an update of its own. */
  updateNamedParam(tensor: NamedTensor, options: BroadcastOptions = {}): Promise<BroadcastResult> {
    return this.updateModelParams([tensor], options);
  }

  /** Leaves the NCCL group; weights go over HTTP again. Never rejects. */
  async closeCommunicator(): Promise<void> {
    const group = this.#group;
    this.#group = undefined;
    await group?.close();
  }

  /** Drops cached prefixes on every replica; needed after weights changed behind the server's back. */
  async resetPrefixCache(options: { signal?: AbortSignal } = {}): Promise<void> {
    await sendJson(this.#connection, "/reset_prefix_cache", {
      method: "POST",
      signal: withDeadline(options.signal, 60_000),
    });
  }
}
