/**
 * Names of all tensors that anybody ever began to write, written down before the first byte goes out. What is not among
 * them still is what a server was started with; so an update heals a server of unknown weights exactly when it brings all
 * of these. Only grows.
 */
import { AnnouncedDocument } from "../../contract/journal.ts";
import { GatewayError } from "../../errors.ts";
import type { Random } from "../../ports.ts";
import type { Store } from "../../store/store.ts";
import { KEY, parseDocument } from "./head.ts";

/** Characters of names in one entry; the store takes a million. */
const CHUNK_CHARACTERS = 400_000;
/** The largest models have some 100,000 tensors; a caller that invents names must not fill the store. */
const NAME_LIMIT = 500_000;
const PAGE = 500;

/** See the head of the file. */
export interface Announced {
  readonly names: ReadonlySet<string>;
  /** Hears what other gateways have added. */
  read(): Promise<void>;
  /** Resolves when they are written down. Throws GatewayError `store_unavailable`, `limit_exceeded`. */
  add(names: Iterable<string>): Promise<void>;
}

/** Creates it; `store` undefined: kept in memory only. */
export function createAnnounced(store: () => Store | undefined, random: Pick<Random, "uuid">): Announced {
  const names = new Set<string>();
  const read = new Set<string>();

  return {
    names,
    async read() {
      const from = store();
      if (from === undefined) return;
      let after: string | undefined;
      for (;;) {
        const page = await from.list(KEY.announced, { limit: PAGE, ...(after === undefined ? {} : { after }) });
        for (const { key, value } of page) {
          if (read.has(key)) continue;
          const found = parseDocument(AnnouncedDocument, key, value, from.facts.place);
          for (const name of found.names) names.add(name);
          read.add(key);
        }
        if (page.length < PAGE) return;
        after = page.at(-1)?.key;
      }
    },
    async add(more) {
      const fresh = [...new Set(more)].filter((name) => !names.has(name));
      if (names.size + fresh.length > NAME_LIMIT) {
        throw new GatewayError(
          "limit_exceeded",
          `More than ${NAME_LIMIT} names of tensors were announced to this fleet.`,
        );
      }
      const to = store();
      for (let at = 0; at < fresh.length; ) {
        const chunk: string[] = [];
        for (let size = 0; at < fresh.length && size < CHUNK_CHARACTERS; at += 1) {
          const name = fresh[at] ?? "";
          chunk.push(name);
          size += JSON.stringify(name).length + 1;
        }
        const key = `${KEY.announced}${random.uuid()}`;
        await to?.set(key, JSON.stringify({ names: chunk }));
        read.add(key);
        for (const name of chunk) names.add(name);
      }
    },
  };
}
