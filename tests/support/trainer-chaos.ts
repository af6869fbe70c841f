/** One five-server sync with one fault at one call of one server, under generation traffic; then what was seen is judged. */
import type { Faults } from "../fakes/vllm/state.ts";
import type { TcpTrainer } from "../fakes/vllm/tcp-peer.ts";
import type { FakeVllm } from "../fakes/vllm-server.ts";
import { type Answer, broadcast, type Rig, startRig, updateInfo } from "./trainer-rig.ts";

/** What the calls of a scenario may take, seconds. */
export const DEADLINE = 0.4;
const SIZES = [2, 1, 1, 2, 1];

/** At which call of the sync the fault hits; the last three are the gateway's own calls. */
export const STEPS = ["init", "start", "update", "finish", "pause", "resume", "label"] as const;
export type Step = (typeof STEPS)[number];
const PATHS: Readonly<Record<Step, string>> = {
  init: "/init_weight_transfer_engine",
  start: "/start_weight_update",
  update: "/update_weights",
  finish: "/finish_weight_update",
  pause: "/pause",
  resume: "/resume",
  label: "/weight_info",
};

export const FAULTS: Readonly<Record<string, Faults>> = {
  "refused before acting": { drop: true },
  "reset after acting": { drop: true, after: true },
  "hangs before acting": { hang: true },
  "hangs after acting": { hang: true, after: true },
  "500 before acting": { status: 500 },
  "500 after acting": { status: 500, after: true },
  "503 before acting": { status: 503 },
  slow: { delayHeadMs: 60 },
  "reset in mid-body": { resetMidBody: true },
  "delivered twice": { duplicate: true },
  "lies about success": { lie: true },
  "restarts before acting": { restart: true },
  "restarts after acting": { restart: true, after: true },
  "half-open update": {},
};

/** A lie that nothing of the protocol can tell: an update that was not received, a pause that was not made. */
export const isTellable = (step: Step, fault: string): boolean =>
  !(
    fault === "lies about success" &&
    (step === "update" || step === "start" || step === "init" || step === "pause" || step === "label")
  );

export interface Verdict {
  readonly faults: number;
  /** Sentences; none is expected. */
  readonly violations: string[];
  /** Longest call, seconds over its deadline. */
  late: number;
  answers: number;
}

/** One fleet that goes through scenario after scenario. */
export class ChaosFleet {
  readonly rig: Rig;
  readonly verdict: Verdict & { faults: number } = { faults: 0, violations: [], late: 0, answers: 0 };
  /** Version → the greedy tokens of its weights. */
  readonly #tokens = new Map<string, string>();
  #step = 1;
  #last = "";
  #deadline = DEADLINE;
  #asking = false;

  private constructor(rig: Rig) {
    this.rig = rig;
  }

  static async start(): Promise<ChaosFleet> {
    const fleet = new ChaosFleet(
      await startRig(
        SIZES.map((worldSize) => ({ worldSize })),
        { trainerTimeout: 2, probeInterval: 0.1, logLevel: "error" },
      ),
    );
    await fleet.#look("start");
    return fleet;
  }

  #violate(where: string, what: string): void {
    this.verdict.violations.push(`${where}: ${what}`);
  }

  /** One generation: its version must always mean the same tokens. */
  async #look(where: string): Promise<void> {
    const { status, tokens, version, by, text } = await this.rig.ask({ "x-request-timeout": "5" });
    if (status !== 200) return;
    this.verdict.answers += 1;
    const known = this.#tokens.get(String(version));
    if (known === undefined) this.#tokens.set(String(version), tokens);
    else if (known !== tokens)
      this.#violate(where, `${by} answered as version ${version} with other weights: ${text.slice(0, 80)}`);
  }

  async #askOn(where: string): Promise<void> {
    while (this.#asking) {
      await this.#look(where);
      await new Promise((resolve) => setTimeout(resolve, 4));
    }
  }

  async #call(where: string, path: string, body: unknown): Promise<Answer> {
    const began = performance.now();
    const answer = await this.rig.post(path, body, { "x-request-timeout": String(this.#deadline) });
    this.verdict.late = Math.max(this.verdict.late, (performance.now() - began) / 1000 - this.#deadline);
    if (answer.status >= 500 && answer.status !== 504) this.#violate(where, `${path} answered ${answer.status}`);
    this.#last = JSON.stringify(answer.body);
    if (answer.status !== 200) {
      const { message } = answer.body.error;
      if (!/vllm-\d/.test(message) || !/init|start|update|finish|shutdown/.test(message)) {
        this.#violate(where, `${path} does not say who and where: ${message}`);
      }
    }
    return answer;
  }

  /** The sync, as far as it comes. True when the trainer was told that all went well; otherwise it gives its group up. */
  async #sync(where: string): Promise<boolean> {
    const joined = await this.rig.join({ packed: true }, { "x-request-timeout": String(this.#deadline) });
    this.#last = JSON.stringify(joined.body);
    if (joined.status !== 200) return false;
    const done = await this.#send(where, joined.trainer);
    if (!done) await joined.trainer.close();
    return done;
  }

  async #send(where: string, trainer: TcpTrainer): Promise<boolean> {
    if ((await this.#call(where, PATHS.start, {})).status !== 200) return false;
    const updating = this.#call(where, PATHS.update, { update_info: updateInfo() });
    this.#step += 1;
    broadcast(trainer, this.#step, true);
    if ((await updating).status !== 200) return false;
    return (await this.#call(where, PATHS.finish, {})).status === 200;
  }

  async run(step: Step, name: string, target: number): Promise<void> {
    const where = `${step}, ${name}, vllm-${target}`;
    const fake = this.rig.fakes[target] as FakeVllm;
    const fault = FAULTS[name] as Faults;
    this.verdict.faults += 1;
    if (name === "half-open update") {
      fake.state.transfer.active = true;
      fake.state.transfer.empty = true;
      // Somebody else's session, on a server that was taken out: nothing may reach it before a complete update.
      this.rig.gateway.fleet.snapshot();
      fake.state.paused = true;
    } else fake.state.setFaults({ ...fault, paths: [PATHS[step]], count: 1 });
    this.#asking = true;
    const traffic = this.#askOn(where);
    await this.#sync(where);
    this.#asking = false;
    fake.state.setFaults({});
    await traffic;
    // Good weather, and a machine that may be busy with other tests: as much time as it takes.
    this.#deadline = 10;
    await this.#recover(where);
    this.#deadline = DEADLINE;
  }

  /** A trainer that begins anew must find a fleet that works. */
  async #recover(where: string): Promise<void> {
    for (let attempt = 0; attempt < 300; attempt += 1) {
      for (const fake of this.rig.fakes) {
        if (fake.state.dead) this.#violate(where, `${fake.state.name} was killed by a generation`);
        if (fake.state.dead) fake.restart();
      }
      const { world_size } = await this.rig.get("/get_world_size");
      if (world_size === SIZES.reduce((sum, size) => sum + size, 0) && (await this.#sync(`${where}, afterwards`))) {
        const { servers, weight_version } = await this.rig.get("/api/fleet");
        const odd = servers.find((server) => server.state !== "ready" || server.weight_version !== weight_version);
        if (odd !== undefined)
          this.#violate(
            where,
            `after a complete sync ${odd.id} is ${odd.state} at ${odd.weight_version}: ${odd.last_error}`,
          );
        const serving = new Set(this.rig.fakes.map((fake) => fake.state.serving));
        if (serving.size !== 1) this.#violate(where, "after a complete sync the servers hold different weights");
        await this.#look(where);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const { servers } = await this.rig.get("/api/fleet");
    const { world_size } = await this.rig.get("/get_world_size");
    this.#violate(
      where,
      `the fleet of ${world_size} ranks cannot be used again after ${this.#last}: ${JSON.stringify(servers.map(({ id, state, last_error }) => [id, state, last_error]))}`,
    );
  }

  end(): Promise<void> {
    return this.rig.end();
  }
}
