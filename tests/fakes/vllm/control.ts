/** The fake's own control routes under /__fake/: faults, fixed answers, the log. Not part of vLLM. */
import type { FakeState, Faults, FixedAnswer } from "./state.ts";

const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

/** The log as GET /__fake/log gives it; `?bodies=1` adds the request bodies as base64. */
export function toLog(state: FakeState, bodies: boolean): unknown {
  return {
    name: state.name,
    total: state.total,
    concurrent: state.concurrent,
    max_concurrent: state.maxConcurrent,
    disconnects: state.disconnects,
    connections: state.connections,
    requests: state.seen.map((seen) => ({
      seq: seen.seq,
      at: seen.at,
      method: seen.method,
      target: seen.target,
      headers: seen.headers,
      body_bytes: seen.body.length,
      ...(bodies ? { body_base64: toBase64(seen.body) } : {}),
      status: seen.status,
      ended_at: seen.endedAt,
      disconnected_at: seen.disconnectedAt,
    })),
  };
}

/** `{status?, headers?, body_base64? | chunks_base64?, delay_ms?}`, or null for none. */
export function parseAnswer(value: unknown): FixedAnswer | null {
  if (value === null) return null;
  const fields = value as {
    status?: number;
    headers?: Record<string, string>;
    body_base64?: string;
    chunks_base64?: string[];
    delay_ms?: number;
  };
  const chunks = fields.chunks_base64 ?? [fields.body_base64 ?? ""];
  return {
    status: fields.status ?? 200,
    headers: fields.headers ?? { "content-type": "application/json" },
    chunks: chunks.map((chunk) => new Uint8Array(Buffer.from(chunk, "base64"))),
    delayMs: fields.delay_ms ?? 0,
  };
}

/** Answers a control call; undefined = no such route. */
export function control(state: FakeState, method: string, url: URL, body: Uint8Array): unknown {
  const json = (): unknown => (body.length === 0 ? {} : JSON.parse(new TextDecoder().decode(body)));
  switch (`${method} ${url.pathname}`) {
    case "GET /__fake/log":
      return toLog(state, url.searchParams.get("bodies") === "1");
    case "DELETE /__fake/log":
      state.seen = [];
      state.total = state.maxConcurrent = state.disconnects = state.connections = 0;
      return { ok: true };
    case "POST /__fake/faults":
      state.setFaults(json() as Faults);
      return { ok: true };
    case "POST /__fake/answer":
      state.answer = parseAnswer(json());
      return { ok: true };
    case "POST /__fake/options": {
      const options = json() as { token_delay_ms?: number; weights?: number };
      state.tokenDelayMs = options.token_delay_ms ?? state.tokenDelayMs;
      state.weights = options.weights ?? state.weights;
      return { ok: true };
    }
    case "GET /__fake/transfer": {
      const { transfer } = state;
      return {
        joins: transfer.joins,
        tensors: Object.fromEntries(transfer.tensors),
        counts: Object.fromEntries(transfer.counts),
        finished: transfer.finished,
        active: transfer.active,
        serving: state.serving,
        weight_version: state.weightVersion,
        dead: state.dead,
      };
    }
    case "POST /__fake/reborn":
      state.reborn();
      return { ok: true };
    default:
      return undefined;
  }
}
