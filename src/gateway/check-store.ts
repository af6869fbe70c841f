/** Looks at a store as `serve` would use it, and changes nothing that a gateway relies on: for `tidegate doctor`. */
import { Head } from "../contract/journal.ts";
import { toGatewayError } from "../errors.ts";
import { openStore, type StorePorts, type StoreSettings } from "../store/open.ts";
import { KEY, parseDocument } from "./journal/head.ts";

/** What was found. `mend` is there exactly when it is not fine. */
export interface StoreFinding {
  readonly level: "ok" | "warning" | "failure";
  readonly found: string;
  readonly mend?: string;
}

/** Opens it, writes and reads one key, reads what gateways have left there. */
export async function checkStore(
  settings: StoreSettings,
  ports: StorePorts,
): Promise<{ readonly place: string; readonly findings: readonly StoreFinding[] }> {
  const place = settings.store.split(":")[0] ?? "";
  try {
    const store = await openStore(settings, ports);
    try {
      const key = `doctor/${ports.random.uuid()}`;
      const before = ports.clock.monotonic();
      await store.set(key, "1", { expiresIn: 10_000 });
      await store.delete(key);
      const milliseconds = (ports.clock.monotonic() - before) / 2;
      const findings: StoreFinding[] = [
        { level: "ok", found: `it takes writes, ${milliseconds.toFixed(1)} ms each` },
        ...(await store.worries()).map((worry): StoreFinding => ({ level: "warning", ...worry })),
      ];
      const text = await store.get(KEY.head);
      if (text === undefined) findings.push({ level: "ok", found: "no gateway has used it yet" });
      else {
        const head = parseDocument(Head, KEY.head, text, store.facts.place);
        const gateways = (await store.list(KEY.members, { limit: 1000 })).length;
        const fenced = Object.entries(head.servers).filter(([, { fence }]) => fence !== null);
        const running = head.active === null ? "" : `, sync ${head.active.id} is running`;
        findings.push({
          level: "ok",
          found: `weight version ${head.published.version}, ${gateways} gateways there now${running}`,
        });
        for (const [url, { fence }] of fenced) {
          findings.push({
            level: "warning",
            found: `${url} is fenced: ${fence}`,
            mend: "POST /api/servers/{id}/refit, or a complete weight sync",
          });
        }
      }
      return { place: `${store.facts.kind} ${store.facts.place}`, findings };
    } finally {
      await store.close();
    }
  } catch (thrown) {
    const { message } = toGatewayError(thrown);
    return {
      place,
      findings: [{ level: "failure", found: message, mend: "serve would end with exit code 3 and the same words" }],
    };
  }
}
