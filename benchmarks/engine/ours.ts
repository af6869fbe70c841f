/** Our engine, whole: requests over HTTP to a gateway, whose process and worker are measured. */

import { type Engine, type Measured, type Operation, toPromptIds } from "./operations.ts";
import { cpuSeconds, type Gateway, startGateway } from "./processes.ts";

/** Ids of prompts stay below this. */
const VOCABULARY = 4096;

/** Tokens that a stream may make outside of what is measured: a small model makes many while others are on their way. */
const SPARE_LIMIT = 1000;

/** A streamed completion being read. */
interface Stream {
  /** Tokens so far. */
  count: number;
  readonly done: Promise<void>;
}

/** What is seen of all streams of an operation at each token. */
type OnToken = () => void;

async function openStream(url: string, prompt: readonly number[], tokens: number, signal: AbortSignal) {
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      prompt,
      max_tokens: tokens,
      ignore_eos: true,
      temperature: 0,
      stream: true,
      return_token_ids: true,
    }),
    signal,
  });
  if (response.status !== 200 || response.body === null) {
    throw new Error(`${response.status} ${await response.text()}`);
  }
  return response.body;
}

function startStream(url: string, prompt: readonly number[], tokens: number, onToken: OnToken, signal: AbortSignal) {
  const read = async (): Promise<void> => {
    const body = await openStream(url, prompt, tokens, signal);
    let rest = "";
    const decoder = new TextDecoder();
    for await (const bytes of body) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (!line.startsWith("data: {")) continue;
        const chunk = JSON.parse(line.slice(6)) as { choices?: { token_ids?: number[] | null }[]; error?: unknown };
        if (chunk.error !== undefined) throw new Error(line);
        const made = chunk.choices?.[0]?.token_ids?.length ?? 0;
        if (made === 0) continue;
        stream.count += made;
        onToken();
      }
    }
  };
  const stream: Stream = { count: 0, done: Promise.resolve() };
  return Object.assign(stream, { done: read() });
}

/** Reads every stream to its end, or until they are all aborted. */
async function settle(streams: readonly Stream[], signal: AbortSignal): Promise<void> {
  for (const { done } of streams) {
    try {
      await done;
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

/** CPU seconds and a time in milliseconds. */
interface Now {
  readonly gateway: number;
  readonly worker: number;
  readonly time: number;
}

class Ours implements Engine {
  readonly name = "ours";
  readonly label: string;
  readonly #gateway: Gateway;
  #salt = 0;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
    const runtime =
      process.versions.bun === undefined ? `Node ${process.versions.node}` : `Bun ${process.versions.bun}`;
    this.label = `Tidegate over HTTP, ${runtime}, ${gateway.provider}`;
  }

  #now(): Now {
    return {
      gateway: cpuSeconds(this.#gateway.pid),
      worker: cpuSeconds(this.#gateway.worker),
      time: performance.now(),
    };
  }

  #since(start: Now): Pick<Measured, "cpu" | "gateway" | "wall"> {
    const end = this.#now();
    const gateway = end.gateway - start.gateway;
    return { cpu: gateway + end.worker - start.worker, gateway, wall: (end.time - start.time) / 1000 };
  }

  #start(length: number, tokens: number, onToken: OnToken, signal: AbortSignal): Stream {
    this.#salt += 1;
    const vocabulary = Math.min(VOCABULARY, this.#gateway.vocabSize);
    return startStream(this.#gateway.url, toPromptIds(length, this.#salt, vocabulary), tokens, onToken, signal);
  }

  async run(operation: Operation): Promise<Measured> {
    const { op } = operation;
    if (op === "decode") {
      const { batch, context, steps } = operation;
      for (let spare = batch + 2; spare < SPARE_LIMIT; spare *= 4) {
        const measured = await this.#decode(batch, context, steps, spare);
        if (measured !== undefined) return measured;
      }
      throw new Error(`the streams do not run side by side for ${steps} steps`);
    }
    if (op === "arrivals") return await this.#arrivals(operation);
    const start = this.#now();
    const { signal } = new AbortController();
    let wall = 0;
    const first = (): void => {
      wall = (performance.now() - start.time) / 1000;
    };
    await this.#start(operation.tokens, 1, first, signal).done;
    return { ...this.#since(start), wall, tokens: operation.tokens };
  }

  /**
   * The window opens when the last stream has its first token, and closes when the slowest has made its steps.
   *
   * @param spare tokens that the first one may make before the last one's first
   * @returns undefined when one ended before
   */
  async #decode(batch: number, context: number, steps: number, spare: number): Promise<Measured | undefined> {
    const controller = new AbortController();
    let opened: { start: Now; counts: number[] } | undefined;
    let measured: Measured | undefined;
    const streams: Stream[] = [];
    const look = (): void => {
      if (measured !== undefined || streams.length < batch) return;
      if (opened === undefined) {
        if (streams.some(({ count }) => count === 0)) return;
        opened = { start: this.#now(), counts: streams.map(({ count }) => count) };
        return;
      }
      const { counts, start } = opened;
      if (streams.some(({ count }, index) => count - counts[index]! < steps)) return;
      const tokens = streams.reduce((sum, { count }, index) => sum + count - counts[index]!, 0);
      measured = { ...this.#since(start), tokens };
      controller.abort();
    };
    const tokens = steps + spare;
    for (let index = 0; index < batch; index++) streams.push(this.#start(context, tokens, look, controller.signal));
    await settle(streams, controller.signal);
    return measured;
  }

  async #arrivals(operation: Extract<Operation, { op: "arrivals" }>): Promise<Measured> {
    const { requests, gap, context, tokens } = operation;
    const controller = new AbortController();
    const start = this.#now();
    const firsts: number[] = [];
    const streams: Stream[] = [];
    for (let index = 0; index < requests; index++) {
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, start.time + index * gap - performance.now())));
      const arrived = performance.now();
      let seen = false;
      const look = (): void => {
        if (!seen) firsts.push((performance.now() - arrived) / 1000);
        seen = true;
      };
      streams.push(this.#start(context, tokens, look, controller.signal));
    }
    await settle(streams, controller.signal);
    return {
      ...this.#since(start),
      tokens: streams.reduce((sum, { count }) => sum + count, 0),
      first: firsts.reduce((sum, value) => sum + value, 0) / firsts.length,
    };
  }

  async stop(): Promise<void> {
    await this.#gateway.stop();
  }
}

/** Starts a gateway over a model directory or file. */
export async function startOurs(flags: readonly string[]): Promise<Engine> {
  return new Ours(await startGateway(flags));
}
