/** Idempotency keys in the store: known to every gateway and after a restart, for a day. */

import { ClaimDocument } from "../../contract/journal.ts";
import { GatewayError } from "../../errors.ts";
import type { Logger } from "../../observe/log.ts";
import type { Clock, Sha256 } from "../../ports.ts";
import type { Store } from "../../store/store.ts";
import type { Claim, Claims } from "../../sync/idempotency.ts";
import { KEY, parseDocument } from "./head.ts";

/** A trainer that repeats a step does so within minutes; a job that was queued again, within a day. */
const TTL_MS = 86_400_000;

/** What the claims need. */
export interface ClaimsOptions {
  readonly store: () => Store | undefined;
  readonly clock: Pick<Clock, "now">;
  readonly sha256: () => Sha256;
  readonly log: Logger;
  /** The sync is written down somewhere. Hears of other gateways' first. */
  readonly isKnown: (sync: string) => Promise<boolean>;
  /** So long a claim without its sync is believed to be under way on another gateway. */
  readonly patienceMilliseconds: () => number;
}

/** Creates them; the store may be opened later. */
export function createClaims({ store, clock, sha256, log, isKnown, patienceMilliseconds }: ClaimsOptions): Claims {
  const hashOf = (text: string): string => {
    const hash = sha256();
    hash.update(new TextEncoder().encode(text));
    return hash.hex();
  };
  /** Requests may be long and hold addresses: only their hash is kept. */
  const toDocument = ({ fingerprint, sync, body }: Claim): string =>
    JSON.stringify({
      fingerprint: hashOf(fingerprint),
      sync,
      ...(body === undefined ? {} : { body }),
      at: clock.now(),
    });

  async function take(key: string, claim: Claim): Promise<Claim | undefined> {
    const opened = store();
    if (opened === undefined || !opened.facts.durable) return undefined;
    const at = KEY.claim(hashOf(key));
    for (let tries = 0; tries < 8; tries += 1) {
      const text = await opened.get(at);
      if (text !== undefined) {
        const earlier = parseDocument(ClaimDocument, at, text, opened.facts.place);
        const same = earlier.fingerprint === hashOf(claim.fingerprint);
        const found = { ...earlier, fingerprint: same ? claim.fingerprint : "" } as Claim;
        if (!same || (await isKnown(earlier.sync))) return found;
        if (clock.now() - earlier.at < patienceMilliseconds()) {
          throw new GatewayError(
            "sync_in_progress",
            `Another gateway is just starting the sync of this Idempotency-Key, as ${earlier.sync}. Send the request again in a moment.`,
            { param: "Idempotency-Key", retryAfter: 1 },
          );
        }
        // Whoever had taken it ended before its sync began.
      }
      if (await opened.compareAndSet(at, text, toDocument(claim), { expiresIn: TTL_MS })) return undefined;
    }
    throw new GatewayError("conflict", "Too many requests with this Idempotency-Key at once.", {
      param: "Idempotency-Key",
    });
  }

  const quietly = async (what: string, task: () => Promise<unknown>): Promise<void> => {
    try {
      await task();
    } catch (error) {
      log.warn(`store: an Idempotency-Key could not be ${what}`, { error });
    }
  };

  return {
    take,
    note: (key, claim) =>
      quietly("written down", async () => {
        const opened = store();
        if (opened?.facts.durable === true)
          await opened.set(KEY.claim(hashOf(key)), toDocument(claim), { expiresIn: TTL_MS });
      }),
    forget: (key, claim) =>
      quietly("forgotten", async () => {
        const opened = store();
        if (opened?.facts.durable !== true) return;
        const at = KEY.claim(hashOf(key));
        const text = await opened.get(at);
        if (text === undefined) return;
        const found = parseDocument(ClaimDocument, at, text, opened.facts.place);
        if (found.sync === claim.sync) await opened.transact([{ key: at, value: text }], [{ key: at, value: null }]);
      }),
  };
}
