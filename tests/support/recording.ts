/** Reads recorded calls of a real vLLM 0.32 (tests/fixtures/vllm/dev) and replays their requests. */
import { readFileSync } from "node:fs";
import type { RouteApp } from "./route-app.ts";

export interface Recording {
  readonly case: string;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: unknown;
    readonly raw?: string;
  };
  readonly response: {
    readonly status: number;
    readonly body?: unknown;
    readonly raw?: string;
  };
}

export function readRecording(name: string): Recording {
  const text = readFileSync(new URL(`../fixtures/vllm/dev/${name}.json`, import.meta.url), "utf8");
  return JSON.parse(text) as Recording;
}

/** Sends the recorded request. */
export function replay(app: RouteApp, { request }: Recording): Promise<Response> {
  const body =
    request.raw ?? (request.body === undefined || request.body === null ? undefined : JSON.stringify(request.body));
  return app.request(request.path, {
    method: request.method,
    headers: { ...request.headers },
    ...(body === undefined || body === "" ? {} : { body }),
  });
}

/** The recorded events of a stream. */
export function recordedEvents(recording: Recording): unknown[] {
  return (recording.response.raw ?? "")
    .split("\n\n")
    .filter((event) => event !== "")
    .map((event) => {
      const data = event.replace(/^data: /, "");
      return data === "[DONE]" ? data : JSON.parse(data);
    });
}

/** Key sets, recursively: what must be equal when values cannot be. Arrays count by their first element. */
export function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (typeof value !== "object" || value === null) return value === null ? "null" : typeof value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, item]) => [key, shapeOf(item)] as const)
      .sort(([left], [right]) => (left < right ? -1 : 1)),
  );
}
