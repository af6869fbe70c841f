/** The keys of the store's documents (`contract/journal.ts`), and how one is read: what is not ours is refused with the mend. */

import type { WeightVersion } from "../../contract/ids.ts";
import { FORM, type Head } from "../../contract/journal.ts";
import { GatewayError } from "../../errors.ts";

/** A store that nobody has used yet. */
export const EMPTY_HEAD: Head = {
  form: FORM,
  rev: 0,
  epoch: "",
  published: { version: 0 as WeightVersion, digest: null },
  sets: [],
  seq: 0,
  recent: [],
  active: null,
  servers: {},
  attached: {},
};

/** Numbers in keys sort like numbers. */
const padded = (number: number): string => String(number).padStart(16, "0");

/** The keys. */
export const KEY = {
  head: "head",
  syncs: "sync/",
  sync: (seq: number): string => `sync/${padded(seq)}`,
  versions: "version/",
  version: (version: number): string => `version/${padded(version)}`,
  announced: "announced/",
  audit: "audit/",
  auditCount: "audit-count",
  members: "member/",
  member: (id: string): string => `member/${id}`,
  claim: (hash: string): string => `claim/${hash}`,
} as const;

/** A schema, as far as reading needs it. */
interface Schema<T> {
  safeParse(value: unknown):
    | { readonly success: true; readonly data: T }
    | {
        readonly success: false;
        readonly error: {
          readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
        };
      };
}

/** Parses a document of the store. Throws GatewayError `store_unavailable` with what is wrong. */
export function parseDocument<T>(schema: Schema<T>, key: string, text: string, place: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new GatewayError("store_unavailable", `The store at ${place} holds no JSON under ${key}: ${odd}.`, {
      param: "store",
    });
  }
  const form = (value as { form?: unknown } | null)?.form;
  if (typeof form === "number" && form > FORM) {
    throw new GatewayError(
      "store_unavailable",
      `The store at ${place} was written by a newer Tidegate (form ${form}; this one knows ${FORM}). Run that version, or use another store.`,
      { param: "store" },
    );
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue?.path.map(String).join(".") ?? "";
  throw new GatewayError(
    "store_unavailable",
    `The store at ${place} holds something else under ${key} (${where === "" ? "" : `${where}: `}${issue?.message ?? "invalid"}): ${odd}.`,
    { param: "store" },
  );
}

const odd = "another program may be using it, or it is damaged; use another store";
