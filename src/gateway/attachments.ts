/** Servers that were attached or detached while gateways of one store ran: what one does, the others do too. */
import type { ReplicaId } from "../contract/ids.ts";
import type { Head } from "../contract/journal.ts";
import type { Engine, EngineSpec } from "../engine/engine.ts";
import type { FleetManager } from "../fleet/fleet.ts";
import type { Logger } from "../observe/log.ts";
import type { StoreJournal } from "./journal/journal.ts";
import { kindOf, upstreamSpec } from "./specs.ts";

/** Running requests get so long when another gateway has detached a server. */
const GRACE_MILLISECONDS = 60_000;

/** What it needs. */
export interface AttachmentOptions {
  readonly fleet: FleetManager;
  readonly log: Logger;
  readonly makeEngine: (spec: EngineSpec) => Engine;
  readonly weightOf: (id: string, url: string | null) => number;
  /** The configuration's own servers. */
  readonly listed: readonly string[];
}

/** See the head of the file. */
export interface Attachments {
  /** Takes what the store says now. */
  follow(attached: Head["attached"]): void;
  /** The fleet has started: servers of the configuration are there again, whoever detached them before. */
  join(journal: StoreJournal): Promise<void>;
}

/** Creates it. */
export function createAttachments({ fleet, log, makeEngine, weightOf, listed }: AttachmentOptions): Attachments {
  let before: Head["attached"] = {};
  let joined = false;

  const replicaAt = (url: string): ReplicaId | undefined =>
    fleet.replicas().find(({ engine }) => engine.url === url)?.id;

  function attach(url: string, as: NonNullable<Head["attached"][string]>): void {
    const spec = upstreamSpec(as.kind, url);
    const id = fleet.replica(as.id) === undefined ? (as.id as ReplicaId) : fleet.nextId(kindOf(spec));
    log.info("server attached by another gateway", { replica: id, url });
    // One that does not answer yet is tried again by its probes.
    fleet
      .addReplica(id, makeEngine(spec), AbortSignal.timeout(GRACE_MILLISECONDS), as.weight ?? weightOf(id, url))
      .catch((error: unknown) =>
        log.warn("server attached by another gateway does not answer", { replica: id, error }),
      );
  }

  function detach(id: ReplicaId): void {
    log.info("server detached by another gateway", { replica: id });
    fleet
      .removeReplica(id, AbortSignal.timeout(GRACE_MILLISECONDS))
      .catch((error: unknown) => log.warn("server could not be detached", { replica: id, error }));
  }

  return {
    follow(attached) {
      for (const [url, as] of Object.entries(attached)) {
        const news = JSON.stringify(before[url]) !== JSON.stringify(as);
        const id = replicaAt(url);
        // Those of the configuration are attached by the start.
        if (as !== null && id === undefined && news && (joined || !listed.includes(url))) attach(url, as);
        if (as === null && id !== undefined && news && joined) detach(id);
      }
      before = attached;
    },
    async join(journal) {
      joined = true;
      for (const url of listed) {
        const replica = fleet.replicas().find(({ engine }) => engine.url === url);
        if (before[url] !== null || replica === undefined) continue;
        const { kind } = replica.engine;
        await journal.attached(url, {
          id: replica.id,
          kind: kind === "embedded" ? "auto" : kind,
          weight: replica.weight,
        });
      }
    },
  };
}
