/**
 * `VLLMClient` in TypeScript: the trainer's side of a generation server, with the method names of TRL's Python class.
 * Talks to Tidegate, to a native vLLM server or to TRL's own one, and finds out which; needs nothing but `fetch`. Weights
 * over NCCL need processes: `vllm-client.ts` adds them.
 */
import { wrapAsList } from "../lib/wrap-as-list.ts";
import { splitChat, toConversations } from "./chat-input.ts";
import type { BroadcastOptions, CommunicatorOptions } from "./communicator-types.ts";
import type { Completion } from "./completion.ts";
import { registerConnection } from "./connection-of.ts";
import { detectServer, type ServerFacts } from "./detect.ts";
import { ConnectionError, ServerError, WeightSyncError } from "./errors.ts";
import { healthFailure } from "./health.ts";
import { type Connection, send, sendJson, toServerError } from "./http.ts";
import { completeChats, completePrompts, type GenerateCall, type Prompts } from "./openai-dialect.ts";
import type { ChatOptions, ChatSampling, Conversations, VLLMClientOptions } from "./options.ts";
import { patientFetch } from "./patient-fetch.ts";
import { READING, RESETTING } from "./retry.ts";
import { type ClientSamplingParams, toWireSampling } from "./sampling.ts";
import { type SequenceLogprobs, type SequenceLogprobsOptions, scoreSequences } from "./sequence-logprobs.ts";
import { sleep } from "./sleep.ts";
import type { NamedTensor } from "./tensors.ts";
import { chatLegacy, generateLegacy } from "./trl-dialect.ts";
import { type SyncOptions, type SyncResult, syncWeights, type WeightsInput } from "./update.ts";
import type { BroadcastResult, CheckpointInput, WeightGroup } from "./weight-group.ts";
import { chooseTransport, type Transport } from "./weight-transport.ts";

const MILLISECONDS = 1000;

/** As TRL: a chat takes one conversation per request. */
const CHATS_IN_FLIGHT = 64;

/**
 * A client for one base URL. Safe to share; holds no connection open between calls.
 *
 * Every wait has a deadline. Failures are `ConnectionError` (no answer), `ServerError` (the server refused) and
 * `WeightSyncError` (new weights did not arrive: with phase and replica); arguments that cannot be right are a
 * TypeError or RangeError that names them; an aborted `signal` rejects with its reason. Calls are repeated only where
 * that is safe (`RetryEvent` says why): reads, generations and cache resets; weights only when the connection was
 * refused, or under an Idempotency-Key.
 *
 * @example
 * ```ts
 * import { EdgeClient } from "./edge-client.ts";
 * // A stand-in for a server, so that this example runs anywhere.
 * const fetch = (async () => Response.json({ choices: [{ text: " 42" }] })) as unknown as typeof globalThis.fetch;
 * const client = new EdgeClient({ host: "127.0.0.1", port: 8000, fetch });
 * const [answer] = await client.generate(["17 + 25 ="], { temperature: 0, max_tokens: 8 });
 * if (answer !== " 42") throw new Error(answer);
 * ```
 */
export class EdgeClient {
  readonly baseUrl: string;
  readonly #connection: Connection;
  readonly #options: VLLMClientOptions;
  #facts: Promise<ServerFacts> | null = null;
  #group: WeightGroup | null = null;

  constructor(options: VLLMClientOptions = {}) {
    const base = options.baseUrl ?? `http://${options.host ?? "127.0.0.1"}:${options.port ?? 8000}`;
    if (!URL.canParse(base) || !/^https?:/.test(base)) {
      throw new TypeError(`baseUrl must be an http or https URL, got ${JSON.stringify(base)}.`);
    }
    if (options.serverType !== undefined && options.serverType !== "http") {
      throw new TypeError(`serverType must be "http", got ${JSON.stringify(options.serverType)}.`);
    }
    this.baseUrl = base.replace(/\/+$/, "");
    this.#options = options;
    this.#connection = {
      baseUrl: this.baseUrl,
      apiKey: options.apiKey,
      fetch: options.fetch ?? patientFetch,
      retries: options.retries ?? 3,
      onRetry: options.onRetry,
    };
    registerConnection(this, this.#connection);
  }

  get #requestSeconds(): number {
    return this.#options.requestTimeout ?? 3600;
  }

  get #controlSeconds(): number {
    return this.#options.controlTimeout ?? 60;
  }

  /**
   * What stands at the other end; asked once, and again after a failure to find out.
   *
   * @throws ConnectionError; ServerError when the key is refused.
   */
  serverFacts(signal?: AbortSignal): Promise<ServerFacts> {
    if (this.#facts === null) {
      const { dialect = "auto" } = this.#options;
      const facts = detectServer(this.#connection, dialect === "auto" ? null : dialect, signal);
      this.#facts = facts;
      facts.catch(() => {
        if (this.#facts === facts) this.#facts = null;
      });
    }
    return this.#facts;
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
      const failure = await healthFailure(this.#connection, options.signal);
      if (failure === null) return;
      const elapsed = performance.now() - start;
      if (elapsed + pause > total) {
        const seconds = (elapsed / MILLISECONDS).toFixed(1);
        throw new ConnectionError(this.baseUrl, `${this.baseUrl} is not ready after ${seconds} s: ${failure}`);
      }
      await sleep(pause, options.signal);
    }
  }

  /** What a generation needs to know; the server is asked what it is when nobody did yet. */
  async #call(
    sampling: ClientSamplingParams,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly call: GenerateCall; readonly facts: ServerFacts }> {
    const wire = toWireSampling(sampling);
    const facts = await this.serverFacts(signal);
    const model = this.#options.model ?? facts.model;
    const call = { connection: this.#connection, model, sampling: wire, seconds: this.#requestSeconds, signal };
    return { call, facts };
  }

  #toTexts(completions: readonly Completion[]): string[] {
    return completions.map(({ text }) => {
      if (text !== null) return text;
      const sentence = `The TRL server at ${this.baseUrl} answers in token ids; give the client a detokenize function, or use generateDetailed or chatDetailed.`;
      throw new TypeError(sentence);
    });
  }

  /**
   * Samples completions.
   *
   * @param prompts - One text, many texts, or many lists of token ids.
   * @param samplingParams - camelCase or snake_case; defaults as in TRL: 16 new tokens, temperature 1.
   * @returns Texts in prompt-major order: with `n` samples, prompt 0's n texts come first.
   * @throws ServerError with the server's own sentence; ConnectionError; TypeError for image inputs.
   */
  async generate(
    prompts: string | Prompts,
    samplingParams: ClientSamplingParams = {},
    options: { signal?: AbortSignal } = {},
  ): Promise<string[]> {
    return this.#toTexts(await this.generateDetailed(prompts, { logprobs: null, ...samplingParams }, options));
  }

  /**
   * As `generate`, with ids, logprobs (default: of the sampled tokens), finish reasons and the weight version that made
   * them. `toRolloutBatch` brings the result into the form of TRL's Python client.
   */
  async generateDetailed(
    prompts: string | Prompts,
    samplingParams: ClientSamplingParams = {},
    options: { signal?: AbortSignal } = {},
  ): Promise<Completion[]> {
    const list = (typeof prompts === "string" ? wrapAsList([prompts]) : prompts) as Prompts;
    if (!Array.isArray(list) || typeof list[0] === "number") {
      throw new TypeError("prompts must be a text, a list of texts, or a list of lists of token ids.");
    }
    if (list.length === 0) return [];
    const { call, facts } = await this.#call(samplingParams, options.signal);
    if (facts.kind === "trl") return generateLegacy(call, facts, list, this.#options.detokenize);
    return completePrompts(call, list);
  }

  /**
   * Answers conversations; the server renders its chat template.
   *
   * @param messages - One conversation or many, in OpenAI's form.
   * @param samplingParams - As for `generate`; `tools`, `chat_template` and `chat_template_kwargs` may stand here, too.
   * @returns Texts, conversation by conversation, n each.
   * @throws As `generate`; TypeError also for tools that are functions.
   */
  async chat(messages: Conversations, samplingParams: ChatSampling = {}, options: ChatOptions = {}): Promise<string[]> {
    return this.#toTexts(await this.chatDetailed(messages, { logprobs: null, ...samplingParams }, options));
  }

  /** As `chat`, with ids, logprobs, finish reasons and weight versions. */
  async chatDetailed(
    messages: Conversations,
    samplingParams: ChatSampling = {},
    options: ChatOptions = {},
  ): Promise<Completion[]> {
    const conversations = toConversations(messages);
    const { sampling, extras } = splitChat(samplingParams, options);
    if (conversations.length === 0) return [];
    const { call, facts } = await this.#call(sampling, options.signal);
    if (facts.kind === "trl") return chatLegacy(call, facts, conversations, extras, this.#options.detokenize);
    return completeChats(call, conversations, extras, options.maxConcurrentRequests ?? CHATS_IN_FLIGHT);
  }

  /**
   * Scores completions that exist already, for distillation: the best `topLogprobs` candidates of every completion token, and
   * the token that stands there.
   *
   * @param sequences - Prompt and completion as token ids.
   * @param promptLengths - How many ids of each are prompt; scores begin after them.
   * @throws RangeError for a temperature that is not positive, lengths that do not fit; ServerError; ConnectionError.
   */
  getSequenceLogprobs(
    sequences: readonly (readonly number[])[],
    promptLengths: readonly number[],
    options: SequenceLogprobsOptions = {},
  ): Promise<SequenceLogprobs> {
    const ready = async () => {
      const facts = await this.serverFacts(options.signal);
      const model = this.#options.model ?? facts.model;
      return { connection: this.#connection, facts: { ...facts, model }, seconds: this.#requestSeconds };
    };
    return scoreSequences(ready, sequences, promptLengths, options);
  }

  /** Ranks that receive weights, over all replicas. A trainer joins as one more. */
  async getWorldSize(options: { signal?: AbortSignal } = {}): Promise<number> {
    const { kind, legacy } = await this.serverFacts(options.signal);
    const old = kind === "trl" && legacy !== null && !legacy.paths.has("/get_world_size/");
    const path = kind === "trl" ? (old ? "/get_tensor_parallel_size/" : "/get_world_size/") : "/get_world_size";
    const init = { method: "GET", seconds: this.#controlSeconds, signal: options.signal, retry: [READING] } as const;
    const { json } = await sendJson(this.#connection, path, init);
    const { world_size, tensor_parallel_size } = json as { world_size?: number; tensor_parallel_size?: number };
    const size = world_size ?? tensor_parallel_size;
    if (size === undefined) throw new ServerError(`${this.baseUrl}${path}`, 200, `${path} answered without a size.`);
    return size;
  }

  /** A weight group of this runtime. Here there is none: `import { VLLMClient } from "tidegate"` has it. */
  protected openGroup(_connection: Connection): Promise<WeightGroup> {
    const sentence = 'An NCCL group needs processes; import VLLMClient from "tidegate", on Bun, Deno or Node.';
    return Promise.reject(new WeightSyncError(this.baseUrl, 0, sentence, { code: "unsupported", phase: "init" }));
  }

  /**
   * Prepares the way of new weights to the servers. With NCCL (an NVIDIA GPU is needed here) this joins the servers' group as the
   * trainer's rank, in a worker process of ours. A Tidegate without such a group takes weights over HTTP: then this checks that it is
   * there and how many ranks it has, and `updateModelParams` uploads.
   *
   * @param options.transport - "nccl" or "http"; default "auto": NCCL where the server offers it.
   * @param options.worldSize - Ranks of the servers plus this one; default: asked. Another number is refused.
   * @throws WeightSyncError with phase `init` or `rendezvous`; may be tried again.
   */
  async initCommunicator(
    options: CommunicatorOptions & { readonly transport?: "auto" | Transport } = {},
  ): Promise<{ readonly transport: Transport; readonly worldSize: number }> {
    const { transport: wanted = "auto", ...rest } = options;
    const facts = await this.serverFacts(options.signal);
    const around = { connection: this.#connection, facts, seconds: this.#controlSeconds, signal: options.signal };
    const transport = wanted === "auto" ? await chooseTransport(around) : wanted;
    await this.#group?.close();
    this.#group = null;
    if (transport === "nccl") {
      const group = await this.openGroup(this.#connection);
      const { worldSize } = await group.init(rest);
      this.#group = group;
      return { transport, worldSize };
    }
    await this.#requireHttpWeights(options.signal);
    const ranks = await this.getWorldSize(options.signal === undefined ? {} : { signal: options.signal });
    const worldSize = ranks + 1;
    if (options.worldSize !== undefined && options.worldSize !== worldSize) {
      const sentence = `worldSize must be ${worldSize}: ${ranks} ranks of the servers plus this one; got ${options.worldSize}.`;
      throw new WeightSyncError(this.baseUrl, 0, sentence, { code: "invalid_value", phase: "init" });
    }
    return { transport, worldSize };
  }

  /**
   * Gives every replica new weights and resolves when all of them confirmed the same digest.
   *
   * @param checkpoint - A directory or .safetensors path that the *gateway* can read, the `model` of `openCheckpoint`,
   *   safetensors bytes (Blob, Uint8Array, stream), or tensors in memory; the last two are uploaded.
   * @throws WeightSyncError with phase and replica; the old weights then serve on. ConnectionError when the gateway
   *   does not answer, or not within the deadline.
   */
  updateModelParams(checkpoint: WeightsInput, options?: SyncOptions): Promise<SyncResult>;
  /**
   * After `initCommunicator` chose NCCL: sends them through the group.
   *
   * @param checkpoint - A Hugging Face directory or .safetensors path on *this* machine, or tensors as they are made.
   * @throws WeightSyncError with phase; the communicator is closed then.
   */
  updateModelParams(checkpoint: CheckpointInput, options?: BroadcastOptions): Promise<BroadcastResult>;
  async updateModelParams(
    checkpoint: WeightsInput | CheckpointInput,
    options: SyncOptions & BroadcastOptions = {},
  ): Promise<SyncResult | BroadcastResult> {
    if (this.#group !== null) return this.#group.update(checkpoint as CheckpointInput, options);
    await this.#requireHttpWeights(options.signal);
    return syncWeights(this.#connection, checkpoint as WeightsInput, options);
  }

  /**
   * One tensor anew; the others stay. Each call is an update of its own: give `updateModelParams` a list of tensors (over
   * HTTP with `partial: true`) to change several at once.
   */
  async updateNamedParam(
    name: string,
    weights: Omit<NamedTensor, "name">,
    options: Omit<SyncOptions, "partial" | "onProgress"> = {},
  ): Promise<SyncResult | BroadcastResult> {
    return this.updateModelParams([{ ...weights, name }], { ...options, partial: true });
  }

  /** Weights over HTTP are Tidegate's; vLLM's and TRL's servers take them through NCCL only. */
  async #requireHttpWeights(signal: AbortSignal | undefined): Promise<void> {
    const { kind, version } = await this.serverFacts(signal);
    // A server that only may be vLLM is asked, and answers for itself.
    if (kind === "tidegate" || (kind === "vllm" && version === null)) return;
    const who = kind === "vllm" ? "A vLLM server" : "A TRL server";
    const sentence = `${who} takes weights through an NCCL group only, not over HTTP. Put Tidegate before ${this.baseUrl} (tidegate serve --upstream ${this.baseUrl}).`;
    throw new WeightSyncError(this.baseUrl, 0, sentence, { code: "unsupported", phase: "init" });
  }

  /**
   * Drops cached prefixes on every replica; needed after weights changed behind the server's back.
   *
   * @param options.resetRunningRequests - vLLM refuses while requests run, unless they may start anew; default false.
   * @throws ServerError also when the server says that it did not do it.
   */
  async resetPrefixCache(options: { resetRunningRequests?: boolean; signal?: AbortSignal } = {}): Promise<void> {
    const { kind } = await this.serverFacts(options.signal);
    const query = options.resetRunningRequests === true ? "?reset_running_requests=true" : "";
    const path = kind === "trl" ? "/reset_prefix_cache/" : `/reset_prefix_cache${query}`;
    const init = { method: "POST", seconds: this.#controlSeconds, signal: options.signal, retry: [RESETTING] } as const;
    const answer = await send(this.#connection, path, init);
    if (answer.status >= 400) throw toServerError(answer);
    // Empty before vLLM 0.26; {"success": …} since; a sentence that ends in True or False from TRL.
    if (!/"success"\s*:\s*false|status: False/.test(answer.text)) return;
    const sentence = `${answer.url} did not drop the cache: requests are running. Ask for resetRunningRequests, or pause first.`;
    throw new ServerError(answer.url, answer.status, sentence);
  }

  /**
   * Leaves the weight group, where there is one, and then does nothing more: weights go over HTTP again. A server that is
   * gone is left already.
   *
   * @throws ServerError when TRL's server refuses.
   */
  async closeCommunicator(options: { signal?: AbortSignal } = {}): Promise<void> {
    const group = this.#group;
    this.#group = null;
    if (group !== null) return group.close();
    // vLLM and Tidegate have no call for this: the group ends with the trainer's side.
    if ((await this.#knownKind()) !== "trl") return;
    const init = { method: "POST", seconds: this.#controlSeconds, signal: options.signal, retry: [RESETTING] } as const;
    try {
      const answer = await send(this.#connection, "/close_communicator/", init);
      if (answer.status >= 400) throw toServerError(answer);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
    }
  }

  /** The kind, when it can be known without a server that is gone. */
  async #knownKind(): Promise<ServerFacts["kind"] | null> {
    try {
      return (await this.serverFacts()).kind;
    } catch (error) {
      if (error instanceof ConnectionError) return null;
      throw error;
    }
  }
}
