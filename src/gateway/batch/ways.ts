/**
 * The two ways in which slices of a batch are answered: by the servers' own bytes, cut out of the caller's body and put
 * together again, or by neutral events. Both hold everything until it is complete: nothing has been given out when a
 * slice fails, so it may run again elsewhere.
 */
import type { GenerateEvent } from "../../contract/generation.ts";
import type { WeightVersion } from "../../contract/ids.ts";
import type { Engine } from "../../engine/engine.ts";
import { readUpstreamError } from "../../engine/vllm/faults.ts";
import { GatewayError } from "../../errors.ts";
import type { Lease } from "../../fleet/types.ts";
import type { InboundBatch, InboundCall, Outcome, Stamp } from "../../gateway-types.ts";
import { CAN_FORWARD, type DispatchDependencies, forwardOnce } from "../calls.ts";
import { finishForward } from "../forward.ts";
import { BadPart, mergeCompletions, mergeTrl } from "./merge.ts";
import type { Slice, SlicedBody } from "./slices.ts";

/** First and last weights of some tokens. */
export interface Span {
  readonly first: WeightVersion;
  readonly last: WeightVersion;
}

/** A slice that is done, and who did it. */
export interface DonePart<T> {
  readonly slice: Slice;
  readonly lease: Lease;
  readonly value: T;
  readonly span: Span;
}

/** A way to answer slices. */
export interface BatchWay<T> {
  readonly prompts: number;
  readonly accepts: (engine: Engine) => boolean;
  /** Resolves when the slice is complete. Releases the lease then, and only then. */
  run(lease: Lease, slice: Slice, signal: AbortSignal): Promise<{ readonly value: T; readonly span: Span }>;
  /** The parts in the order of their slices. */
  merge(parts: readonly DonePart<T>[], stamp: Stamp, span: Span): Outcome;
}

/** Bytes of all answers of one batch: prompt logprobs of a thousand long prompts are some 200 MB. */
const ANSWERS_LIMIT = 512 * 2 ** 20;

/** A server's refusal that no other server would not make: it is the caller's answer. */
export class Refused extends Error {
  readonly response: Response;
  constructor(response: Response) {
    super(`a slice was answered with ${response.status}`);
    this.response = response;
  }
}

/** `prompts 87 to 172 of 257, on vllm-1`. */
export const nameSlice = ({ first, count }: Slice, prompts: number, replica: string): string =>
  `prompts ${first + 1} to ${first + count} of ${prompts}, on ${replica}`;

const decoder = new TextDecoder();

/** The upstream's error body with the slice named in its message; other shapes stay as they are. */
function nameInBody(bytes: Uint8Array, where: string): string {
  const text = decoder.decode(bytes);
  try {
    const body = JSON.parse(text) as { error?: { message?: unknown }; detail?: unknown };
    if (typeof body.error?.message === "string") {
      return JSON.stringify({ ...body, error: { ...body.error, message: `${body.error.message} (${where})` } });
    }
    if (typeof body.detail === "string") return JSON.stringify({ ...body, detail: `${body.detail} (${where})` });
  } catch {
    // Not JSON.
  }
  return text;
}

const ONLY_OF_ONE = ["content-length", "content-encoding", "date"];

interface ForwardedPart {
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** Slices as bytes of the caller's own dialect. */
export function createForwardWay(
  call: InboundCall,
  { merge, samples }: InboundBatch,
  body: SlicedBody,
  { streams, toBody }: DispatchDependencies,
): BatchWay<ForwardedPart> {
  let total = 0;
  return {
    prompts: body.prompts,
    accepts: CAN_FORWARD[call.wire],
    async run(lease, slice, signal) {
      const first = lease.replica.weightVersion as WeightVersion;
      // A switch that froze the generation: what came after it was made by the new weights.
      let last = first;
      const noting: Lease = {
        replica: lease.replica,
        release(outcome) {
          last = lease.replica.weightVersion ?? first;
          lease.release(outcome);
        },
      };
      const answer = await forwardOnce(lease, { ...call, body: body.take(slice), signal });
      const response = await finishForward(answer, { lease: noting, signal, streams, toBody });
      const length = response.headers.get("content-length");
      let bytes: Uint8Array;
      try {
        bytes = new Uint8Array(await response.arrayBuffer());
      } catch (cause) {
        throw signal.aborted
          ? signal.reason
          : new GatewayError("upstream_failed", `${lease.replica.id} broke off its answer.`, { cause });
      }
      if (length !== null && bytes.byteLength !== Number(length)) {
        throw new GatewayError("upstream_failed", `${lease.replica.id} sent ${bytes.byteLength} of ${length} bytes.`);
      }
      total += bytes.byteLength;
      if (total > ANSWERS_LIMIT) {
        throw new GatewayError(
          "limit_exceeded",
          `The answers to this batch are larger than ${ANSWERS_LIMIT} bytes; send fewer prompts in a call.`,
        );
      }
      const { status, headers } = response;
      if (status >= 500 || status === 429) {
        const { message } = readUpstreamError(decoder.decode(bytes.subarray(0, 4096)));
        throw new GatewayError("upstream_failed", `${lease.replica.id} answered ${status}: ${message.slice(0, 500)}`);
      }
      if (status !== 200) {
        const named = nameInBody(bytes, nameSlice(slice, body.prompts, lease.replica.id));
        const own = new Headers(headers);
        for (const name of ONLY_OF_ONE) own.delete(name);
        throw new Refused(new Response(named, { status, headers: own }));
      }
      return { value: { headers, body: bytes }, span: { first, last } };
    },
    merge(parts, stamp, span) {
      const answers = parts.map(({ slice, value }) => ({ slice, body: value.body }));
      try {
        const merged = merge === "trl" ? mergeTrl(answers, samples) : mergeCompletions(answers, samples ?? 1);
        const headers = new Headers(parts[0]?.value.headers);
        for (const name of ONLY_OF_ONE) headers.delete(name);
        return { kind: "forwarded", response: new Response(merged, { status: 200, headers }), stamp, span };
      } catch (thrown) {
        if (!(thrown instanceof BadPart)) throw thrown;
        const { slice, lease } = parts[thrown.part] as DonePart<ForwardedPart>;
        const where = nameSlice(slice, body.prompts, lease.replica.id);
        throw new GatewayError(
          "upstream_failed",
          `An answer cannot be put together with the others: ${thrown.message} (${where}).`,
          {
            replica: lease.replica.id,
            cause: thrown,
          },
        );
      }
    },
  };
}

async function* replay(
  parts: readonly DonePart<readonly GenerateEvent[]>[],
  span: Span,
): AsyncGenerator<GenerateEvent> {
  for (const { slice, value } of parts) {
    for (const event of value) {
      if (event.type === "start" || event.type === "end") continue;
      yield { ...event, prompt: event.prompt + slice.first };
    }
  }
  yield { type: "end", firstVersion: span.first, lastVersion: span.last };
}

/** Slices as neutral requests. Parses the call: throws GatewayError for what a caller did wrong. */
export function createGenerateWay(call: InboundCall): BatchWay<readonly GenerateEvent[]> {
  const request = call.toRequest();
  return {
    prompts: request.prompts.length,
    accepts: ({ generate }) => generate !== undefined,
    async run(lease, { first, count }, signal) {
      const { generate } = lease.replica.engine;
      if (generate === undefined) throw new GatewayError("internal", "A replica that cannot generate was asked to.");
      const held = lease.replica.weightVersion as WeightVersion;
      let span: Span = { first: held, last: held };
      const events: GenerateEvent[] = [];
      for await (const event of generate(
        { ...request, prompts: request.prompts.slice(first, first + count) },
        { signal },
      )) {
        events.push(event);
        if (event.type === "start") span = { first: event.weightVersion, last: event.weightVersion };
        if (event.type === "end") span = { first: event.firstVersion, last: event.lastVersion };
      }
      lease.release("ok");
      return { value: events, span };
    },
    merge: (parts, stamp, span) => ({ kind: "generated", events: replay(parts, span), stamp }),
  };
}
