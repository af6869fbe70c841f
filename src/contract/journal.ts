/**
 * What a durable store holds, as schemas: the head (one small document that all gateways agree on) and the records beside
 * it. Not part of the HTTP surface. Parsing is strict: what another program wrote is refused by name.
 */
import { z } from "zod";
import { AuditEntry } from "./control/fleet.ts";
import { WeightSync, WeightVersionRecord } from "./control/weight-syncs.ts";
import { SyncId, WeightDigest, WeightVersion } from "./ids.ts";

/** The form of the documents; a newer one is refused, never guessed at. */
export const FORM = 1;

const Identity = z.object({ instance: z.string().nullable(), label: z.string().nullable() });

/** What is known of one server, by its URL. */
export const ServerNote = z.object({
  /** null: nobody knows what it holds. */
  version: WeightVersion.nullable(),
  digest: WeightDigest.nullable(),
  /** Why it must not serve; null when it may. */
  fence: z.string().nullable(),
  /** An update of a trainer may be open on it, and it may be paused. */
  open: z.boolean(),
  /** A sync has published with it and not resumed it yet: it serves nobody before somebody does. */
  paused: z.boolean().default(false),
  /** The process that this is said of. */
  identity: Identity.nullable(),
});
export type ServerNote = z.infer<typeof ServerNote>;

/** The sync that runs now. */
export const ActiveSync = z.object({
  id: SyncId,
  kind: z.enum(["control", "trainer", "refit"]),
  /** Which gateway runs it. */
  owner: z.string(),
  /** Where that gateway is reached, for people. */
  at: z.string().nullable().default(null),
  token: z.number().int(),
  mode: z.enum(["abort", "wait", "keep"]),
  /** URLs whose weights it changes, from before the first byte on; empty = nothing is touched yet. */
  touched: z.array(z.string()),
  /** `rev` of the head that first said so: whoever has seen that one sends no more requests there. */
  touchedAt: z.number().int().nullable(),
});
export type ActiveSync = z.infer<typeof ActiveSync>;

/** What all gateways of a store agree on. */
export const Head = z.object({
  form: z.literal(FORM),
  /** Grows with every change. */
  rev: z.number().int(),
  /** Another one: the store had forgotten what was written last, and somebody has put together what was known. */
  epoch: z.string().default(""),
  published: z.object({ version: WeightVersion, digest: WeightDigest.nullable() }),
  /** Sets of the spool that make up the published version. */
  sets: z.array(SyncId),
  /** Number of the newest sync record. */
  seq: z.number().int(),
  /** The newest records, and the `rev` of their last change. */
  recent: z.array(z.object({ seq: z.number().int(), rev: z.number().int() })),
  active: ActiveSync.nullable(),
  servers: z.record(z.string(), ServerNote),
  /** Servers that were attached or detached while gateways ran, by URL; null: detached. */
  attached: z
    .record(
      z.string(),
      z.object({ id: z.string(), kind: z.enum(["auto", "vllm", "trl"]), weight: z.number() }).nullable(),
    )
    .default({}),
});
export type Head = z.infer<typeof Head>;

/** A sync as it is written down, with what the API does not show. */
export const SyncDocument = z.object({ seq: z.number().int(), sync: WeightSync });
export type SyncDocument = z.infer<typeof SyncDocument>;

/** One version of the history. */
export const VersionDocument = WeightVersionRecord;

/** A gateway that uses the store, as it says itself. Gone when it has not been heard of for a while. */
export const MemberDocument = z.object({
  id: z.string(),
  /** Where it is reached, for people. */
  at: z.string().nullable(),
  /** `rev` of the newest head that it has carried out. */
  seen: z.number().int(),
  /** The sync of another gateway whose servers get no more requests from it. */
  held: SyncId.nullable(),
});
export type MemberDocument = z.infer<typeof MemberDocument>;

/** One audit entry, and which gateway wrote it. */
export const AuditDocument = z.object({ number: z.number().int(), owner: z.string(), entry: AuditEntry });
export type AuditDocument = z.infer<typeof AuditDocument>;

/** Names of tensors that somebody began to write. */
export const AnnouncedDocument = z.object({ names: z.array(z.string()) });

/** A key of idempotency. */
export const ClaimDocument = z.object({
  fingerprint: z.string(),
  sync: SyncId,
  body: z.string().optional(),
  at: z.number(),
});
