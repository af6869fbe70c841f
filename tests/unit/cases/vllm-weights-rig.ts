/** What the tests of weight syncs over fake vLLM servers share: checkpoints, servers, a gateway in front, and its answers. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before } from "node:test";
import type { Server } from "../../../src/contract/control/servers.ts";
import type { WeightSync } from "../../../src/contract/control/weight-syncs.ts";
import { type FakeWeights, type FakeWeightsOptions, startFakeWeights } from "../../fakes/vllm-weights.ts";
import { post, type Started, startHere, until } from "../../runtime/start.ts";
import { toSafetensors } from "./sync-fakes.ts";

let work: string;
export const directory = (name: string): string => join(work, name);

export const open: { stop(): Promise<void> }[] = [];

/** Registers the hooks of one test file; call it once at its top. */
export function useWeights(): void {
  before(async () => {
    work = mkdtempSync(join(tmpdir(), "tidegate-weights-"));
    const values = (start: number): Record<string, number[]> => ({ embed: [start, 2, 3, 4], head: [5, 6, start] });
    for (const [at, name] of ["base", "one", "two", "three"].entries()) {
      mkdirSync(directory(name));
      writeFileSync(join(directory(name), "model.safetensors"), await toSafetensors(values(at)));
    }
  });
  after(() => rmSync(work, { recursive: true, force: true }));
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.stop();
  });
}

export async function fakeServer(options: FakeWeightsOptions = {}): Promise<FakeWeights> {
  const fake = await startFakeWeights({ root: directory("base"), ...options });
  open.push(fake);
  return fake;
}

export async function front(servers: readonly FakeWeights[], settings: Record<string, unknown> = {}): Promise<Started> {
  const gateway = await startHere({ upstream: servers.map(({ url }) => url), probeInterval: 0.05, ...settings });
  open.push(gateway);
  // The start is over when one of them serves.
  const states = () => gateway.gateway?.fleet.snapshot().servers.map(({ state }) => state) ?? [];
  await until("all are up", () => states().every((state) => state === "ready"));
  return gateway;
}

export const disk = (name: string, fields: object = {}) => ({
  source: { kind: "disk", path: directory(name) },
  ...fields,
});

export interface Answered {
  readonly status: number;
  readonly body: WeightSync & {
    readonly code?: string;
    readonly detail?: string;
    readonly phase?: string;
    readonly replica?: string;
    readonly upstream?: string;
  };
}

export async function sync(gateway: Started, body: object): Promise<Answered> {
  const answer = await post(`${gateway.url}/api/weight-syncs`, body, { headers: { prefer: "wait=20" } });
  return { status: answer.status, body: (await answer.json()) as Answered["body"] };
}

export async function server(gateway: Started, id: string): Promise<Server> {
  return (await (await fetch(`${gateway.url}/api/servers/${id}`)).json()) as Server;
}

export async function generate(
  gateway: Started,
): Promise<{ status: number; version: string | null; by: string | null; text: string }> {
  const answer = await post(`${gateway.url}/v1/completions`, { prompt: "a", max_tokens: 4, temperature: 0 });
  const body = (await answer.json()) as { choices?: { text: string }[] };
  const { headers } = answer;
  return {
    status: answer.status,
    version: headers.get("x-weight-version"),
    by: headers.get("x-served-by"),
    text: body.choices?.[0]?.text ?? "",
  };
}

export const generations = (fake: FakeWeights): number => fake.seen("/v1/completions").length;
export const paths = (fake: FakeWeights): string[] =>
  fake.state.seen.filter(({ method }) => method === "POST").map(({ target }) => target);
