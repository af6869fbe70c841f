/** A world of servers for the trainer machine: they act late, act and do not say so, die, come back and lie. */
import assert from "node:assert/strict";
import type { ReplicaId } from "../../../src/contract/ids.ts";
import { reduceTrainer } from "../../../src/sync/trainer/machine.ts";
import {
  createTrainerState,
  type TrainerCall,
  type TrainerEffect,
  type TrainerEvent,
  type TrainerState,
} from "../../../src/sync/trainer/types.ts";

export const TENSORS = ["a", "b", "c"];

/** Marsaglia's xorshift32: enough, and the same on every runtime. */
export function createDraw(seed: number): (below: number) => number {
  let x = seed | 0 || 1;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

type Job = {
  readonly call: TrainerCall | "undo";
  readonly session: number;
  readonly names: readonly string[];
  acted: boolean;
};

/** What a server really is, whatever anybody believes. */
interface Server {
  alive: boolean;
  /** Calls it got and has not carried out: an engine does one after the other, also for callers that gave up. */
  queue: Job[];
  open: boolean;
  empty: boolean;
  /** Tensor → the session that wrote it; 0 is what it was started with. */
  tensors: Map<string, number>;
  fresh: Map<string, number>;
  /** The last session whose finish it carried out. */
  label: number;
  // What the fleet believes.
  serving: boolean;
  written: number | null;
}

export class World {
  readonly ids: readonly ReplicaId[];
  readonly servers = new Map<ReplicaId, Server>();
  readonly draw: (below: number) => number;
  state: TrainerState = createTrainerState();
  session = 0;
  published = 0;
  /** Session → version. */
  readonly versions = new Map<number, number>([[0, 0]]);
  names: readonly string[] = [];
  /** The last job sent to each server that has not been reported. */
  readonly asked = new Map<ReplicaId, Job>();
  verifying = new Set<ReplicaId>();
  draining = false;
  /** Who gets the version that is being written down. */
  publishing: readonly ReplicaId[] = [];
  owed = 0;
  readonly log: TrainerEvent[] = [];

  constructor(size: number, draw: (below: number) => number) {
    this.draw = draw;
    this.ids = Array.from({ length: size }, (_, at) => `r-${at}` as ReplicaId);
    for (const id of this.ids) this.servers.set(id, this.fresh(true, 0));
  }

  fresh(serving: boolean, written: number | null): Server {
    const tensors = new Map(TENSORS.map((name) => [name, 0]));
    return { alive: true, queue: [], open: false, empty: false, tensors, fresh: new Map(), label: 0, serving, written };
  }

  server(id: ReplicaId): Server {
    return this.servers.get(id) as Server;
  }

  /** One step of an engine. */
  act(server: Server): void {
    const job = server.queue.shift();
    if (job === undefined || !server.alive) return;
    job.acted = true;
    switch (job.call) {
      case "start":
        server.open = server.empty = true;
        server.fresh.clear();
        return;
      case "update":
        if (!server.open) return;
        for (const name of job.names) server.fresh.set(name, job.session);
        return;
      case "finish":
      case "undo":
        if (!server.open) return;
        for (const [name, from] of server.fresh) server.tensors.set(name, from);
        server.fresh.clear();
        server.open = server.empty = false;
        if (job.call === "finish") server.label = job.session;
        return;
      default:
        return;
    }
  }

  /** The version that its tensors make up; null when they are of several. */
  truth(server: Server): number | null {
    let newest = 0;
    for (const session of server.tensors.values()) {
      const version = this.versions.get(session);
      if (version === undefined) return null;
      // A partial update on top of complete weights is a version of its own: the newest session names it.
      newest = Math.max(newest, version);
    }
    return newest;
  }

  perform(effect: TrainerEffect): void {
    switch (effect.type) {
      case "refuse":
        return;
      case "answer":
        this.owed -= 1;
        assert.equal(this.owed, 0, "one answer per call");
        return;
      case "hold":
        for (const id of effect.replicas) this.server(id).serving = false;
        return;
      case "drain":
        this.draining = true;
        return;
      case "send":
      case "undo": {
        const call = effect.type === "undo" ? "undo" : effect.call;
        if (call === "start") this.session += 1;
        this.asked.clear();
        for (const id of effect.replicas) {
          const server = this.server(id);
          assert.ok(call === "join" || call === "leave" || !server.serving, `${call} is sent to ${id} while it serves`);
          const job: Job = { call, session: this.session, names: this.names, acted: false };
          if (server.alive) server.queue.push(job);
          this.asked.set(id, job);
        }
        return;
      }
      case "verify":
        this.asked.clear();
        this.verifying = new Set(effect.replicas);
        return;
      case "publish":
        this.publishing = effect.replicas;
        return;
      case "release":
        for (const id of effect.replicas) this.server(id).serving = true;
        return;
      case "fence":
        this.server(effect.replica).serving = false;
        if (!effect.known) this.server(effect.replica).written = null;
        return;
      case "reborn":
        Object.assign(this.server(effect.replica), { serving: true, written: 0 });
        return;
      case "ended":
        return;
    }
  }

  dispatch(event: TrainerEvent): void {
    this.log.push(event);
    const accepted = ["join", "start", "update", "finish", "leave"].includes(event.type);
    const before = this.state;
    const step = reduceTrainer(before, event);
    const refused = step.effects.some(({ type }) => type === "refuse");
    if (accepted && !refused) {
      assert.equal(this.owed, 0, "accepted while another call waits");
      this.owed += 1;
    }
    if (refused) {
      assert.equal(step.state, before, "a refusal changes nothing");
      assert.equal(step.effects.length, 1, "a refusal does nothing");
    }
    this.state = step.state;
    for (const effect of step.effects) this.perform(effect);
    assert.equal(this.state.call !== null, this.owed === 1, "whoever waits is written down");
    this.check();
  }

  check(): void {
    for (const [id, server] of this.servers) {
      if (!server.serving || !server.alive) continue;
      if (server.open || server.empty) assert.fail(`${id} serves with empty parameters`);
      // A finish that comes where nothing is open does nothing.
      for (const { call } of server.queue) {
        if (call === "start" || call === "update") assert.fail(`${id} serves while ${call} is still to come`);
      }
      if (this.truth(server) !== server.written) assert.fail(`${id} serves other weights than are written down`);
    }
  }

  pick(): ReplicaId {
    return this.ids[this.draw(this.ids.length)] as ReplicaId;
  }

  /** Somebody who was asked reports: rightly that it is done, or a failure after or before acting. */
  report(): void {
    const open = [...this.asked];
    const chosen = open[this.draw(Math.max(1, open.length))];
    if (chosen === undefined) return;
    const [id, job] = chosen;
    const server = this.server(id);
    if (!server.alive) return;
    const luck = this.draw(24);
    if (luck > 0) while (!job.acted && server.queue.includes(job)) this.act(server);
    if (luck === 1 && job.call !== "undo") {
      this.asked.delete(id);
      return;
    } // carried out, and the answer is lost
    this.asked.delete(id);
    if (job.acted && luck > 2) {
      this.dispatch({ type: "done", replica: id });
      return;
    }
    // Before acting: the server refused it, and will not do it later.
    if (!job.acted) server.queue = server.queue.filter((one) => one !== job);
    if (job.call === "update" && job.acted) server.open = false;
    // A lie: it says that it finished.
    if (!job.acted && job.call === "finish" && this.draw(3) === 0) {
      this.dispatch({ type: "done", replica: id });
      return;
    }
    this.dispatch({ type: "failed", replica: id, failure: { code: "replica_failed", message: "no" } });
  }

  verify(): void {
    const [id] = this.verifying;
    if (id === undefined) return;
    this.verifying.delete(id);
    const server = this.server(id);
    if (!server.alive || this.draw(20) === 0) return;
    const free = server.queue.length === 0;
    this.dispatch({ type: "verified", replica: id, ok: free && server.label === this.session, reason: "label" });
  }

  /** The store takes it, or is away. */
  publish(surely = false): void {
    if (!surely && this.draw(8) === 0) {
      const failure = { code: "store_unavailable", message: "away" } as const;
      this.dispatch({ type: "published", failure });
      return;
    }
    this.published += 1;
    this.versions.set(this.session, this.published);
    for (const id of this.publishing) this.server(id).written = this.published;
    this.dispatch({ type: "published", failure: null });
  }

  restart(id: ReplicaId): void {
    const server = this.server(id);
    if (server.alive) {
      server.alive = false;
      server.queue = [];
      this.dispatch({ type: "lost", replica: id, reason: "gone" });
    }
    if (this.draw(3) === 0) return;
    Object.assign(server, { ...this.fresh(server.serving, 0), alive: true });
    this.asked.delete(id);
    this.dispatch({ type: "restarted", replica: id });
  }

  step(): void {
    const luck = this.draw(100);
    const { stage } = this.state;
    if (luck < 4) {
      this.restart(this.pick());
      return;
    }
    if (luck < 7) {
      this.dispatch({ type: "deadline", message: "late" });
      return;
    }
    if (luck < 9) {
      this.dispatch({ type: "abandoned", reason: "silent" });
      return;
    }
    if (luck < 15) {
      this.act(this.server(this.pick()));
      return;
    }
    if (luck < 18) {
      const id = this.pick();
      const server = this.server(id);
      if (server.alive && server.queue.length === 0) this.dispatch({ type: "responsive", replica: id });
      return;
    }
    if (luck < 20) {
      this.refit(this.pick());
      return;
    }
    if (luck < 26) {
      this.callAtRandom();
      return;
    }
    if (stage === "draining") {
      const failure = { code: "conflict", message: "busy" } as const;
      this.dispatch(this.draw(8) === 0 ? { type: "drain-failed", failure } : { type: "drained" });
      return;
    }
    if (stage === "verifying") {
      this.verify();
      return;
    }
    if (stage === "publishing") {
      this.publish();
      return;
    }
    if (this.asked.size > 0) {
      this.report();
      return;
    }
    this.callInOrder();
  }

  /** The checkpoint of its start, loaded again and proved. */
  refit(id: ReplicaId): void {
    const server = this.server(id);
    if (this.state.stage !== "idle" || !server.alive || server.queue.length > 0 || this.published > 0) return;
    const serving = server.serving;
    const open = server.open;
    Object.assign(server, this.fresh(serving, 0));
    server.open = open && false;
    this.dispatch({ type: "refitted", replica: id });
  }

  up(): ReplicaId[] {
    return this.ids.filter((id) => this.server(id).alive);
  }

  join(replicas: readonly ReplicaId[]): void {
    const stale = replicas.filter((id) => this.server(id).written !== this.published);
    this.dispatch({ type: "join", replicas, stale });
  }

  callInOrder(): void {
    const { stage, updates } = this.state;
    const joined = this.state.members.filter((member) => member.joined);
    const absent = joined.filter(({ id }) => !this.server(id).alive).map(({ id }) => ({ id, reason: "gone" }));
    if (stage === "idle" && (joined.length === 0 || absent.length > 0)) {
      const replicas = this.up();
      if (replicas.length > 0) this.join(replicas);
    } else if (stage === "idle") this.dispatch({ type: "start", absent });
    else if (stage === "open" && (updates === 0 || this.draw(3) === 0))
      this.update(this.draw(5) === 0 ? ["a"] : TENSORS);
    else if (stage === "open") this.dispatch({ type: "finish" });
  }

  update(names: readonly string[]): void {
    this.names = names;
    this.dispatch({ type: "update", names });
  }

  callAtRandom(): void {
    switch (this.draw(5)) {
      case 0:
        this.join(this.up());
        return;
      case 1:
        this.dispatch({ type: "start", absent: [] });
        return;
      case 2:
        this.update(TENSORS);
        return;
      case 3:
        this.dispatch({ type: "finish" });
        return;
      default:
        this.dispatch({ type: "leave" });
        return;
    }
  }
}
