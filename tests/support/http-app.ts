/** The real app (middleware, all routes, errors) over the fake gateway, with a clock, hashes and audit that tests can see. */
import { createHash } from "node:crypto";
import { createApp } from "../../src/app.ts";
import type { AuditEntry } from "../../src/contract/control/fleet.ts";
import type { Gateway } from "../../src/gateway-types.ts";
import { createFakeGateway, type FakeOptions } from "./fake-gateway.ts";
import { createManualClock, type ManualClock } from "./manual-clock.ts";

export interface HttpApp {
  readonly gateway: Gateway;
  readonly clock: ManualClock;
  readonly audit: AuditEntry[];
  readonly lines: string[];
  request(path: string, init?: RequestInit): Promise<Response>;
  /** Sends JSON. */
  send(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>;
}

/** Creates it. `syncHash: false`: a runtime without incremental SHA-256, as at the edge. */
export function createHttpApp(options: FakeOptions = {}, { syncHash = true } = {}): HttpApp {
  const fake = createFakeGateway(options);
  const clock = createManualClock();
  const audit: AuditEntry[] = [];
  const sha256 = () => {
    const hash = createHash("sha256");
    return { update: (bytes: Uint8Array) => void hash.update(bytes), hex: () => hash.digest("hex") };
  };
  const gateway: Gateway = {
    ...fake.gateway,
    ports: { ...fake.gateway.ports, clock, ...(syncHash ? { sha256 } : {}) },
    audit: { append: (entry) => void audit.push(entry), list: fake.gateway.audit.list },
  };
  const app = createApp(gateway);
  const request = async (path: string, init?: RequestInit): Promise<Response> => app.request(path, init);
  return {
    gateway,
    clock,
    audit,
    lines: fake.lines,
    request,
    send: (method, path, body, headers = {}) =>
      request(path, {
        method,
        headers: { "content-type": "application/json", ...headers },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      }),
  };
}

/** Sends a body of unknown length, in the given pieces. */
export function chunked(...pieces: readonly Uint8Array[]): RequestInit {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
  return { method: "POST", body, duplex: "half" } as RequestInit;
}
