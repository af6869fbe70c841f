/** What the tests of the vLLM engine share: an engine over plain fetch, and refusals by code. */
import assert from "node:assert/strict";
import type { Engine, EngineNotice } from "../../../src/engine/engine.ts";
import { createVllmEngine } from "../../../src/engine/vllm/vllm.ts";
import { GatewayError } from "../../../src/errors.ts";
import { createLogger } from "../../../src/observe/log.ts";
import type { Fetch } from "../../../src/ports.ts";
import { createManualClock } from "../../support/manual-clock.ts";

export const clock = createManualClock();
export const log = createLogger({ format: "json", level: "error", clock, writeLine: () => {} });
export const plainFetch: Fetch = (url, init) => fetch(url, { ...init, redirect: "manual" });
export const live = (): AbortSignal => new AbortController().signal;

export function createEngine(
  url: string,
  options: { key?: string; fetch?: Fetch } = {},
): Engine & { notices: EngineNotice[] } {
  const ports = { fetch: options.fetch ?? plainFetch, clock };
  const engine = createVllmEngine(
    { url },
    { ports, log, ...(options.key === undefined ? {} : { upstreamApiKey: options.key }) },
  );
  const notices: EngineNotice[] = [];
  engine.subscribe((notice) => notices.push(notice));
  return Object.assign(engine, { notices });
}

export async function refusal(promise: Promise<unknown>, code: string): Promise<GatewayError> {
  const error = await promise.then(
    () => assert.fail("was not refused"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof GatewayError, String(error));
  assert.equal(error.code, code, error.message);
  return error;
}
