/**
 * Bearer keys → callers, and what a caller may do. Keys are compared as SHA-256 hashes, over all keys and in constant
 * time; the hashes are computed once. Without configured keys everyone is `anonymous` and may do everything.
 */
import type { ApiKey } from "../../config.ts";
import { SCOPES, type Scope } from "../../contract/scopes.ts";
import { GatewayError } from "../../errors.ts";
import type { Ports } from "../../ports.ts";
import type { Caller } from "../env.ts";

/** Who calls when no key is configured, and on public routes. */
export const ANONYMOUS: Caller = { name: "anonymous", scopes: new Set(SCOPES) };

/** A caller of a public route on a gateway with keys: no key asked for, nothing granted. */
const UNKNOWN: Caller = { name: "anonymous", scopes: new Set() };

/** Longest `Authorization` header that is hashed at all: "Bearer " and the longest key a configuration may hold. */
const HEADER_LIMIT = 600;

const BEARER = /^bearer +([^\s]+) *$/i;

export interface Authenticator {
  /**
   * The caller behind an `Authorization` header. Throws (or rejects with) `unauthorized`, and `forbidden` naming the
   * scope that the key lacks. Synchronous wherever the runtime hashes synchronously.
   */
  check(header: string | null, scope: Scope | null): Caller | Promise<Caller>;
}

const hex = (bytes: ArrayBuffer): string =>
  Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Two hashes of equal length, compared without an early exit. */
function sameHash(left: string, right: string): boolean {
  let difference = left.length ^ right.length;
  for (let index = 0; index < right.length; index += 1) difference |= left.charCodeAt(index) ^ right.charCodeAt(index);
  return difference === 0;
}

function permit(caller: Caller, scope: Scope): Caller {
  if (caller.scopes.has(scope)) return caller;
  throw new GatewayError(
    "forbidden",
    `Key "${caller.name}" lacks the scope "${scope}" that this route needs; it has: ${[...caller.scopes].join(", ") || "none"}.`,
    { param: "Authorization" },
  );
}

const refuse = (message: string): GatewayError => new GatewayError("unauthorized", message, { param: "Authorization" });

/** Creates the check for a configuration's keys. */
export function createAuthenticator(keys: readonly ApiKey[], ports: Pick<Ports, "sha256">): Authenticator {
  if (keys.length === 0) return { check: () => ANONYMOUS };
  const encoder = new TextEncoder();
  const { sha256 } = ports;
  const hashNow =
    sha256 === undefined
      ? undefined
      : (text: string): string => {
          const hash = sha256();
          hash.update(encoder.encode(text));
          return hash.hex();
        };
  const hashLater = async (text: string): Promise<string> =>
    hex(await crypto.subtle.digest("SHA-256", encoder.encode(text)));

  const callers = keys.map((key): Caller => ({ name: key.name, scopes: new Set(key.scopes) }));
  let known = hashNow === undefined ? undefined : keys.map((key) => hashNow(key.key));

  const find = (hash: string, hashes: readonly string[]): Caller => {
    let found: Caller | undefined;
    // Every key is looked at, so that the time does not tell which one was near.
    for (let index = 0; index < hashes.length; index += 1) {
      if (sameHash(hash, hashes[index] ?? "")) found = callers[index];
    }
    if (found === undefined) throw refuse("The API key is not known here.");
    return found;
  };

  /**
   * Headers that were proven once, so that a rollout's thousandth request is not hashed again. Holds only headers with
   * a known key, and no more of them than there are keys and spellings of "Bearer".
   */
  const proven = new Map<string, Caller>();
  const remember = (header: string, caller: Caller): Caller => {
    if (proven.size < 4 * keys.length) proven.set(header, caller);
    return caller;
  };

  return {
    check(header, scope) {
      if (scope === null) return UNKNOWN;
      const before = header === null ? undefined : proven.get(header);
      if (before !== undefined) return permit(before, scope);
      if (header === null) throw refuse("This route needs an API key: send Authorization: Bearer KEY.");
      const key = header.length > HEADER_LIMIT ? undefined : BEARER.exec(header)?.[1];
      if (key === undefined) throw refuse("Authorization must be: Bearer KEY (the value is not shown).");
      if (hashNow !== undefined) return permit(remember(header, find(hashNow(key), known ?? [])), scope);
      return (async () => {
        known ??= await Promise.all(keys.map((one) => hashLater(one.key)));
        return permit(remember(header, find(await hashLater(key), known)), scope);
      })();
    },
  };
}
