/**
 * How a weight sync is asked for, read off the request: JSON, or a safetensors body with the rest in the query; and
 * how long the caller wants to wait (`Prefer: wait=N`, RFC 7240). No effects.
 */
import { z } from "@hono/zod-openapi";
import { StartSync, SyncMode, type WeightSync } from "../../src/contract/control/weight-syncs.ts";
import { ERROR_CODES, type ErrorCode, GatewayError, invalidValue } from "../../src/errors.ts";
import { validate } from "../../src/http/validation.ts";

const flag = z.enum(["true", "false", "1", "0"]).transform((text) => text === "true" || text === "1");

/** What an upload says in its query, having no JSON to say it in. */
export const UploadQuery = z.object({
  version: z.coerce
    .number()
    .int()
    .min(0)
    .max(Number.MAX_SAFE_INTEGER)
    .optional()
    .meta({ description: "Uploads only. Must be greater than the current one; default: the next.", example: 4 }),
  label: z.string().max(256).optional().meta({ description: "Uploads only. Free text.", example: "step-400" }),
  partial: flag.optional().meta({
    description: "Uploads only. Only some tensors; the others stay as they are.",
    type: "boolean",
    example: false,
  }),
  mode: SyncMode.optional(),
  deadline_s: z.coerce
    .number()
    .min(0.1)
    .max(86_400)
    .optional()
    .meta({ description: "Uploads only. Seconds that the whole sync may take; default 600.", example: 120 }),
});

/** The request that an upload's query stands for. Throws GatewayError naming the query field. */
export function toUploadRequest(query: Readonly<Record<string, string>>): StartSync {
  const known = Object.keys(UploadQuery.shape);
  const unknown = Object.keys(query).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new GatewayError("unknown_field", `${unknown} is not a field of this query; it takes ${known.join(", ")}.`, {
      param: unknown,
    });
  }
  const fields = validate(UploadQuery, query, "query");
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  return validate(StartSync, { ...given, source: { kind: "upload" } });
}

/** A sync asked for in JSON cannot have its weights in the body. */
export function requireSource(request: StartSync): StartSync {
  if (request.source.kind !== "upload") return request;
  throw invalidValue(
    "source.kind",
    "upload",
    "disk, http or nccl here; an upload is the body itself, sent as application/octet-stream",
  );
}

/** What JSON says in its body must not also stand in the query, where nobody would look. */
export function refuseQuery(query: Readonly<Record<string, string>>): void {
  const name = Object.keys(query)[0];
  if (name === undefined) return;
  throw new GatewayError("unknown_field", `${name} in the query is for uploads; with a JSON body it belongs there.`, {
    param: name,
  });
}

/** Longest idempotency key that is kept. */
const KEY_LIMIT = 255;

/** `Idempotency-Key`: 1 to 255 visible ASCII characters. */
export function parseIdempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (header.length > KEY_LIMIT || !/^[\x21-\x7e]+$/.test(header)) {
    throw invalidValue("Idempotency-Key", header, `1 to ${KEY_LIMIT} visible ASCII characters`);
  }
  return header;
}

/** Seconds of `Prefer: wait=N`; undefined without. Preferences that are not understood are ignored, says RFC 7240. */
export function parseWait(header: string | undefined): number | undefined {
  const match = header === undefined ? null : /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=$|[,;])/i.exec(header);
  return match === null ? undefined : Number(match[1]);
}

const isCode = (code: string): code is ErrorCode => Object.hasOwn(ERROR_CODES, code);

/** Why a sync that has ended badly did; never a status that clients repeat on (500, 502, 503). */
export function toSyncFailure(sync: WeightSync): GatewayError {
  if (sync.state === "aborted") {
    return new GatewayError("conflict", `Weight sync ${sync.id} was aborted; the old weights serve on.`, {
      phase: sync.phase,
    });
  }
  const { error } = sync;
  if (error === undefined) return new GatewayError("sync_failed", `Weight sync ${sync.id} failed.`);
  const { message, phase, replica, tensor, upstream } = error;
  const code =
    isCode(error.code) && ![500, 502, 503].includes(ERROR_CODES[error.code].status) ? error.code : "sync_failed";
  return new GatewayError(code, `${message} (weight sync ${sync.id})`, {
    phase,
    ...(replica === undefined ? {} : { replica }),
    ...(tensor === undefined ? {} : { tensor }),
    ...(upstream === undefined ? {} : { upstream }),
  });
}
