/** All prompts of one call are answered by one weight version, whatever syncs do meanwhile. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { GenerateEvent, GenerateRequest } from "../../src/contract/generation.ts";
import { GatewayError } from "../../src/errors.ts";
import { dispatch } from "../../src/gateway/dispatch.ts";
import { createStreamWatch } from "../../src/gateway/stream-watch.ts";
import type { InboundCall, Outcome } from "../../src/gateway-types.ts";
import { createLogger } from "../../src/observe/log.ts";
import { settle as settleOnce } from "../support/manual-clock.ts";
import {
  createWorld,
  type FakeEngine,
  id,
  live,
  refusal,
  version,
  type World,
  withReplicas,
} from "./cases/fleet-rig.ts";

const PROMPTS = 9;

/** A batch that begins again takes more turns than one settling. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) await settleOnce();
};

interface Run {
  readonly replica: string;
  readonly request: GenerateRequest;
  /** Ends it: well, or as this error. `last`: the version of its last tokens. */
  end(options?: { readonly error?: GatewayError; readonly last?: number }): void;
}

interface Rig extends World {
  readonly runs: Run[];
  readonly engines: FakeEngine[];
  call(wishes?: Partial<InboundCall["wishes"]>, signal?: AbortSignal): Promise<Outcome>;
  /** What a sync does: every replica, then the fleet, has another version. */
  publish(next: number, replicas?: readonly number[]): void;
}

async function open(): Promise<Rig> {
  const world = createWorld();
  const engines = await withReplicas(world, 3);
  const runs: Run[] = [];
  for (const [index, engine] of engines.entries()) {
    const replica = id(`embedded-${index}`);
    Object.assign(engine, {
      async *generate(request: GenerateRequest, { signal }: { signal: AbortSignal }): AsyncGenerator<GenerateEvent> {
        const first = world.fleet.replica(replica)?.weightVersion ?? version(0);
        const last = await new Promise<number>((resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason), { once: true });
          runs.push({
            replica,
            request,
            end: ({ error, last: at = first } = {}) => (error === undefined ? resolve(at) : reject(error)),
          });
        });
        yield { type: "start", weightVersion: first, weightDigest: null };
        for (const [prompt, asked] of request.prompts.entries()) {
          const tokenIds = asked.kind === "tokens" ? asked.ids : [];
          yield { type: "prompt", prompt, tokenIds, cachedTokens: 0, text: null };
          yield { type: "delta", prompt, sample: 0, text: "x", tokenIds: [first] };
          yield { type: "finish", prompt, sample: 0, reason: "length", stopReason: null };
        }
        yield { type: "end", firstVersion: first, lastVersion: version(last) };
      },
    });
  }
  const log = createLogger({ format: "text", level: "error", clock: world.clock, writeLine: () => {} });
  const dependencies = {
    fleet: world.fleet,
    log,
    streams: createStreamWatch(world.clock, 1000),
    toBody: undefined,
    onMoved: () => {},
  };
  const body = new TextEncoder().encode(
    JSON.stringify({ prompts: Array.from({ length: PROMPTS }, (_, index) => [index]) }),
  );
  const at = new TextDecoder().decode(body).indexOf("[");
  return {
    ...world,
    runs,
    engines,
    call: (wishes = {}, signal = live()) =>
      dispatch(
        {
          requestId: "r",
          wire: "trl",
          method: "POST",
          target: "/generate/",
          headers: new Headers(),
          body,
          model: undefined,
          stream: false,
          batch: { lists: [{ start: at, end: body.length - 1 }], merge: "trl", samples: undefined },
          wishes: { waitSeconds: 0, ...wishes },
          signal,
          toRequest: () => ({
            requestId: "r",
            prompts: Array.from({ length: PROMPTS }, (_, index) => ({ kind: "tokens" as const, ids: [index] })),
            sampling: {},
            echo: false,
          }),
        },
        dependencies,
      ),
    publish(next, replicas = [0, 1, 2]) {
      for (const index of replicas) world.fleet.setWeights(id(`embedded-${index}`), version(next), null);
      world.fleet.publish(version(next), null);
    },
  };
}

const DEAD = new GatewayError("replica_failed", "The worker died.");

/** Prompts in order with the version that answered each, and the span that the answer ends with. */
async function read(outcome: Outcome): Promise<{ prompts: number[]; versions: number[]; span: [number, number] }> {
  assert.equal(outcome.kind, "generated");
  const prompts: number[] = [];
  const versions: number[] = [];
  let span: [number, number] = [-1, -1];
  for await (const event of outcome.kind === "generated" ? outcome.events : []) {
    if (event.type === "prompt") prompts[event.prompt] = event.tokenIds[0] ?? -1;
    if (event.type === "delta") versions[event.prompt] = event.tokenIds[0] ?? -1;
    if (event.type === "end") span = [event.firstVersion, event.lastVersion];
  }
  return { prompts, versions, span };
}

const ORDER = Array.from({ length: PROMPTS }, (_, index) => index);
const all = (value: number): number[] => ORDER.map(() => value);

describe("a batch and weight versions", () => {
  test("goes to the replicas of one version only", async () => {
    const rig = await open();
    rig.publish(1, [0, 2]);
    const asked = rig.call();
    await settle();
    assert.deepEqual(rig.runs.map(({ replica }) => replica).sort(), ["embedded-0", "embedded-2"]);
    assert.deepEqual(
      rig.runs.map(({ request }) => request.prompts.length),
      [5, 4],
    );
    for (const run of rig.runs) run.end();
    const outcome = await asked;
    assert.equal(outcome.stamp.weightVersion, 1);
    assert.equal(outcome.stamp.replica, "embedded-0,embedded-2");
    assert.deepEqual(await read(outcome), { prompts: ORDER, versions: all(1), span: [1, 1] });
  });

  test("a failed slice runs again on the same version, and on no other", async () => {
    const rig = await open();
    rig.fleet.setWeights(id("embedded-2"), version(1), null);
    const asked = rig.call();
    await settle();
    assert.equal(rig.runs.length, 2);
    rig.runs[0]?.end({ error: DEAD });
    await settle();
    assert.equal(rig.runs[2]?.replica, rig.runs[1]?.replica);
    for (const run of rig.runs.slice(1)) run.end();
    assert.deepEqual(await read(await asked), { prompts: ORDER, versions: all(0), span: [0, 0] });
    assert.ok(rig.fleet.replicas().every(({ inFlight }) => inFlight === 0));
  });

  test("the whole batch begins again when a sync took its version away", async () => {
    const rig = await open();
    const asked = rig.call();
    await settle();
    assert.equal(rig.runs.length, 3);
    rig.publish(1);
    rig.runs[1]?.end();
    rig.runs[0]?.end({ error: DEAD });
    await settle();
    assert.equal(rig.runs.length, 6, "three new slices");
    for (const run of rig.runs.slice(3)) run.end();
    const outcome = await asked;
    assert.equal(outcome.stamp.weightVersion, 1);
    assert.deepEqual(await read(outcome), { prompts: ORDER, versions: all(1), span: [1, 1] });
    assert.ok(rig.fleet.replicas().every(({ inFlight }) => inFlight === 0));
  });

  test("begins again three times at most; a wished version that is gone is told at once", async () => {
    const rig = await open();
    const asked = rig.call();
    for (let round = 1; round <= 3; round += 1) {
      await settle();
      assert.equal(rig.runs.length, 3 * round);
      rig.publish(round);
      rig.runs.at(-1)?.end({ error: DEAD });
    }
    await refusal(asked, "version_unavailable");
    rig.runs.length = 0;
    const exact = rig.call({ exactVersion: 3 });
    await settle();
    rig.publish(4);
    rig.runs[0]?.end({ error: DEAD });
    const error = await refusal(exact, "version_unavailable");
    assert.match(error.message, /exactly 3/);
    assert.ok(rig.fleet.replicas().every(({ inFlight }) => inFlight === 0));
  });

  test("generations that a switch froze say both versions", async () => {
    const rig = await open();
    const asked = rig.call();
    await settle();
    rig.publish(1);
    for (const [index, run] of rig.runs.entries()) run.end({ last: index === 0 ? 0 : 1 });
    assert.deepEqual((await read(await asked)).span, [0, 1]);
  });

  test("a sync that lets running generations end is not held up by a slice that waits", async () => {
    const rig = await open();
    const asked = rig.call();
    await settle();
    const openGate = rig.fleet.closeGate();
    rig.runs[0]?.end({ error: DEAD });
    await settle();
    assert.equal(rig.runs.length, 3, "nothing begins behind the gate");
    for (const run of rig.runs.slice(1)) run.end();
    await rig.fleet.drained(
      rig.fleet.replicas().map((replica) => replica.id),
      AbortSignal.timeout(1000),
    );
    rig.publish(1);
    openGate();
    await settle();
    assert.equal(rig.runs.length, 6);
    for (const run of rig.runs.slice(3)) run.end();
    assert.deepEqual(await read(await asked), { prompts: ORDER, versions: all(1), span: [1, 1] });
  });

  test("a caller's mistake ends the others and is told once, with its prompts", async () => {
    const rig = await open();
    const asked = rig.call();
    await settle();
    rig.runs[1]?.end({ error: new GatewayError("invalid_value", "The prompt is too long.") });
    const error = await refusal(asked, "invalid_value");
    assert.match(error.message, /^The prompt is too long \(prompts 4 to 6 of 9, on embedded-\d\)\.$/);
    assert.ok(rig.fleet.replicas().every(({ inFlight }) => inFlight === 0));
  });

  test("a caller that leaves while a slice waits for a replica", async () => {
    const rig = await open();
    const caller = new AbortController();
    const asked = rig.call({}, caller.signal);
    await settle();
    rig.fleet.closeGate();
    rig.runs[0]?.end({ error: DEAD });
    await settle();
    caller.abort(new GatewayError("client_closed", "gone"));
    await refusal(asked, "client_closed");
    assert.ok(rig.fleet.replicas().every(({ inFlight }) => inFlight === 0));
    assert.equal(rig.fleet.waiting, 0);
  });
});
