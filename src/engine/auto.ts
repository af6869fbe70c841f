/**
 * An upstream of which only the URL is known: the first contact shows which dialect it speaks. vLLM answers /health and
 * knows no /health/; `trl vllm-serve` the other way round. Until then it counts as a vLLM server.
 */
import { GatewayError } from "../errors.ts";
import type { CallOptions, Engine, EngineNotice } from "./engine.ts";

/** How to make each, and how to look. */
export interface AutoEngineOptions {
  readonly url: string;
  readonly create: (kind: "vllm" | "trl") => Engine;
  /** Status of a GET, any redirect not followed. */
  readonly statusOf: (path: string, options: CallOptions) => Promise<number>;
}

/** Creates it; nothing is sent before `start`. */
export function createAutoEngine({ url, create, statusOf }: AutoEngineOptions): Engine {
  let inner = create("vllm");
  const listeners = new Set<(notice: EngineNotice) => void>();
  let leave = inner.subscribe(hand);

  function hand(notice: EngineNotice): void {
    for (const listener of [...listeners]) listener(notice);
  }

  async function isTrl(options: CallOptions): Promise<boolean> {
    try {
      const plain = await statusOf("/health", options);
      return (plain === 404 || (plain >= 300 && plain < 400)) && (await statusOf("/health/", options)) === 200;
    } catch (error) {
      // Away: the engine's own start says so in its words.
      if (options.signal.aborted || !(error instanceof GatewayError)) throw error;
      return false;
    }
  }

  const own: Pick<Engine, "url" | "start" | "stop" | "subscribe"> = {
    url,
    async start(options) {
      const kind = (await isTrl(options)) ? "trl" : "vllm";
      if (kind !== inner.kind) {
        leave();
        await inner.stop(options);
        inner = create(kind);
        leave = inner.subscribe(hand);
      }
      return await inner.start(options);
    },
    async stop(options) {
      await inner.stop(options);
      leave();
      listeners.clear();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  // What the engine cannot do is absent, and that is known after the first contact only.
  return new Proxy(own as Engine, {
    get: (target, name) => Reflect.get(Object.hasOwn(target, name) ? target : inner, name),
    has: (target, name) => Object.hasOwn(target, name) || name in inner,
  });
}
