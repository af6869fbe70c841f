/**
 * Audit entries in the store: the newest of all gateways, in a ring, so that they outlive a gateway and never grow without
 * bound. Best effort: what could not be written is in the log all the same.
 */
import { AuditEntry } from "../../contract/control/fleet.ts";
import { AuditDocument } from "../../contract/journal.ts";
import type { Logger } from "../../observe/log.ts";
import type { Store } from "../../store/store.ts";
import { KEY, parseDocument } from "./head.ts";

/** Entries kept. */
const RING = 2000;
/** Entries that wait to be written; more than this while the store is away are only in the log. */
const WAITING_LIMIT = 1000;
/** Several gateways count the same number up. */
const TRIES = 32;
const PAGE = 500;

/** See the head of the file. */
export interface AuditRing {
  /** All that are there, oldest first. Throws GatewayError `store_unavailable`. */
  read(): Promise<readonly AuditEntry[]>;
  /** Written soon. Never throws. */
  append(entry: AuditEntry): void;
  /** Entries of other gateways since the last read or look, oldest first. */
  look(): Promise<readonly AuditEntry[]>;
  /** Resolves when what was appended is written, or cannot be. */
  flush(): Promise<void>;
}

const padded = (number: number): string => String(number % RING).padStart(6, "0");

/** Creates it. `owner`: this gateway. */
export function createAuditRing(store: Store, owner: string, log: Logger): AuditRing {
  const waiting: AuditEntry[] = [];
  let writing: Promise<void> | undefined;
  /** Number of the newest entry that was read. */
  let seen = 0;

  const count = async (): Promise<number> => {
    const number = Number((await store.get(KEY.auditCount)) ?? 0);
    return Number.isSafeInteger(number) && number >= 0 ? number : 0;
  };

  async function write(entry: AuditEntry): Promise<void> {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const before = await store.get(KEY.auditCount);
      const number = (await count()) + 1;
      const document: AuditDocument = { number, owner, entry };
      const done = await store.transact(
        [{ key: KEY.auditCount, value: before }],
        [
          { key: KEY.auditCount, value: String(number) },
          { key: `${KEY.audit}${padded(number)}`, value: JSON.stringify(document) },
        ],
      );
      if (done) return;
    }
  }

  async function writeAll(): Promise<void> {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      try {
        await write(next);
        waiting.shift();
      } catch (error) {
        log.debug("store: an audit entry waits to be written", { error });
        return;
      }
    }
  }

  function start(): Promise<void> {
    writing ??= writeAll().finally(() => {
      writing = undefined;
    });
    return writing;
  }

  const parse = (key: string, text: string): AuditDocument =>
    parseDocument(AuditDocument, key, text, store.facts.place);

  return {
    async read() {
      const found: AuditDocument[] = [];
      let after: string | undefined;
      for (;;) {
        const page = await store.list(KEY.audit, { limit: PAGE, ...(after === undefined ? {} : { after }) });
        for (const { key, value } of page) found.push(parse(key, value));
        if (page.length < PAGE) break;
        after = page.at(-1)?.key;
      }
      found.sort((a, b) => a.number - b.number);
      seen = found.at(-1)?.number ?? 0;
      return found.map(({ entry }) => entry);
    },
    append(entry) {
      if (waiting.length >= WAITING_LIMIT) return;
      waiting.push(AuditEntry.parse(entry));
      void start();
    },
    async look() {
      if (waiting.length > 0) void start();
      const newest = await count();
      const found: AuditEntry[] = [];
      for (let number = Math.max(seen + 1, newest - RING + 1); number <= newest; number += 1) {
        const key = `${KEY.audit}${padded(number)}`;
        const text = await store.get(key);
        if (text === undefined) continue;
        const document = parse(key, text);
        if (document.owner !== owner && document.number === number) found.push(document.entry);
      }
      // A store that has forgotten counts from the beginning.
      seen = newest;
      return found;
    },
    flush: start,
  };
}
