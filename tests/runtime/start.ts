/** Starts a whole gateway in this process, on a loopback socket of whichever runtime runs the test. */
import { createApp } from "../../src/app.ts";
import { parseConfig } from "../../src/config.ts";
import { createGateway } from "../../src/gateway.ts";
import type { Gateway } from "../../src/gateway-types.ts";
import type { Platform } from "../../src/platform/types.ts";

export interface Started {
  readonly url: string;
  /** Absent where the gateway does not run in this process (workerd). */
  readonly gateway?: Gateway;
  stop(): Promise<void>;
}

/** Settings by field name, as in `parseConfig`. */
export type Start = (settings: Readonly<Record<string, unknown>>) => Promise<Started>;

/** The platform of the runtime that runs the test; another one would change its globals. */
export async function loadPlatform(): Promise<Platform> {
  if ("Bun" in globalThis) return (await import("../../src/platform/bun.ts")).platform;
  if ("Deno" in globalThis) return (await import("../../src/platform/deno.ts")).platform;
  return (await import("../../src/platform/node.ts")).platform;
}

export const startHere: Start = async (settings) => {
  const platform = await loadPlatform();
  const config = parseConfig({ port: 0, logLevel: "error", drainTimeout: 5, ...settings });
  const gateway = await createGateway(config, platform.createPorts());
  const listener = await platform.listen(createApp(gateway), { host: config.host, port: config.port });
  try {
    await gateway.start(new AbortController().signal, listener.url);
  } catch (error) {
    await listener.closeNow();
    await gateway.stop();
    throw error;
  }
  return {
    url: listener.url,
    gateway,
    async stop() {
      await gateway.stop();
      await listener.closeNow();
    },
  };
};

/** Polls until `condition` holds; a test that waits for ever is ended by its runner, this says what it waited for. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  milliseconds = 10_000,
): Promise<void> {
  const end = performance.now() + milliseconds;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${milliseconds} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export const post = (
  url: string,
  body: unknown,
  init: { headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Response> =>
  fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...init.headers },
    body: typeof body === "string" || body instanceof Uint8Array ? (body as BodyInit) : JSON.stringify(body),
    ...(init.signal === undefined ? {} : { signal: init.signal }),
  });
