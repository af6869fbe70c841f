/**
 * `unwrapModelForGeneration`: TRL's context manager as an `await using` value. What it gathers is given back on every
 * path: the end of the scope, a throw, an abort, a lost connection, a dead process.
 */
import type { Accelerator } from "../offload/accelerator.ts";
import { isSection } from "../offload/check-config.ts";
import { connectionOf } from "./connection-of.ts";
import type { EdgeClient } from "./edge-client.ts";
import { type HeldLease, openLease } from "./lease-stream.ts";
import { isOffloadedModel, type OffloadableModel, type OffloadedModel } from "./prepare-deepspeed.ts";
import type { ClientSamplingParams } from "./sampling.ts";
import { isServedModel, type ServedModel } from "./served-model.ts";

export interface UnwrapOptions {
  /** Gather the offloaded groups of a ZeRO-3 model for the time of the scope. Default true; false is slower and needs less memory. */
  readonly gatherDeepspeed3Params?: boolean;
  /** Seconds after which the gateway takes back what a silent client holds; renewed meanwhile. Default 60. */
  readonly ttl?: number;
  /** Seconds to wait while a weight sync switches the model. Default 60. */
  readonly wait?: number;
  /** Gives the model back as soon as it aborts. */
  readonly signal?: AbortSignal;
}

/** The model inside a wrapper. */
export type Unwrapped<T> = T extends OffloadedModel<infer M> ? M : T;

/** A model ready to generate. `await using` gives it back. */
export interface UnwrappedModel<M = OffloadableModel> extends AsyncDisposable {
  readonly model: M;
  /** Id of the generation lease; null when nothing had to be gathered. */
  readonly lease: string | null;
  /** Aborts when the gateway ended the lease by itself: the worker died, a weight sync took it, the connection broke. */
  readonly signal: AbortSignal;
  /**
   * Samples completions from this model, as `VLLMClient.generate`.
   *
   * @throws TypeError for a model that no gateway serves; the signal's reason when the lease has ended.
   */
  generate(prompts: Parameters<EdgeClient["generate"]>[0], samplingParams?: ClientSamplingParams): Promise<string[]>;
  /** Idempotent; what leaving the scope does. */
  release(): Promise<void>;
}

/** Leases held now by this process, newest last: a nested one names its parent and so never waits for itself. */
const held = new WeakMap<object, string[]>();

const NEVER = new AbortController().signal;
/** Granting waits for reading weights from disk. */
const GRANT_SECONDS = 600;

function isStage3({ deepspeedPlugin }: Accelerator): boolean {
  const zero = deepspeedPlugin?.deepspeedConfig.zero_optimization;
  return isSection(zero) && zero.stage === 3;
}

async function openFor(model: ServedModel, options: UnwrapOptions): Promise<HeldLease> {
  const { ttl = 60, wait = 60, signal = NEVER } = options;
  const parent = held.get(model.client)?.at(-1);
  const deadline = AbortSignal.timeout((GRANT_SECONDS + wait) * 1000);
  const lease = await openLease(
    connectionOf(model.client),
    { model: model.id, ttl_s: ttl, wait_s: wait, ...(parent === undefined ? {} : { parent }) },
    AbortSignal.any([signal, deadline]),
  );
  held.set(model.client, [...(held.get(model.client) ?? []), lease.lease.id]);
  return lease;
}

function forget(model: ServedModel, id: string): void {
  held.set(
    model.client,
    (held.get(model.client) ?? []).filter((one) => one !== id),
  );
}

/**
 * Unwraps a model for generation. A served model under ZeRO-3 is gathered on all its replicas, by a generation lease that
 * lives as long as the scope; any other model is handed out as it is, as TRL does it. Scopes nest, and are counted.
 *
 * Source: trl 0.15.2 `trl/models/utils.py:179`. Unlike there, nothing stays gathered when the scope throws.
 *
 * @throws ServerError `insufficient_memory` with the missing bytes, `conflict` for a model that is not loaded; the
 * signal's reason; ConnectionError.
 *
 * @example
 * ```ts
 * import { createAccelerator } from "../offload/accelerator.ts";
 * import { unwrapModelForGeneration } from "./unwrap-model.ts";
 * const model = { config: { hidden_size: 64 } };
 * await using unwrapped = await unwrapModelForGeneration(model, createAccelerator());
 * if (unwrapped.model !== model || unwrapped.lease !== null) throw new Error("a plain model is handed out as it is");
 * ```
 */
export async function unwrapModelForGeneration<T extends OffloadableModel | OffloadedModel>(
  wrapped: T,
  accelerator: Accelerator,
  options: UnwrapOptions = {},
): Promise<UnwrappedModel<Unwrapped<T>>> {
  const { gatherDeepspeed3Params = true, signal = NEVER } = options;
  signal.throwIfAborted();
  const model = (isOffloadedModel(wrapped) ? wrapped.model : wrapped) as Unwrapped<T>;
  const gathers = isServedModel(model) && gatherDeepspeed3Params && isStage3(accelerator);
  const lease = gathers ? await openFor(model, options) : null;
  const lost = lease?.signal ?? NEVER;

  let released: Promise<void> | undefined;
  const release = (): Promise<void> => {
    released ??= (async () => {
      signal.removeEventListener("abort", onAbort);
      if (lease === null) return;
      forget(model as ServedModel, lease.lease.id);
      await lease.release();
    })();
    return released;
  };
  const onAbort = (): void => void release();
  if (lease !== null) signal.addEventListener("abort", onAbort, { once: true });
  return {
    model,
    lease: lease?.lease.id ?? null,
    signal: lost,
    async generate(prompts, samplingParams = {}) {
      lost.throwIfAborted();
      signal.throwIfAborted();
      if (!isServedModel(model)) throw new TypeError("This model is not served; connect one with connectModel.");
      const params = { model: model.id, ...samplingParams } as ClientSamplingParams;
      return model.client.generate(prompts, params, { signal: AbortSignal.any([lost, signal]) });
    },
    release,
    [Symbol.asyncDispose]: release,
  };
}
