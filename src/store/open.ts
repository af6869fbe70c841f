/** From the `--store` setting to a store: the only switch over the kinds. */
import { GatewayError } from "../errors.ts";
import type { Ports } from "../ports.ts";
import { createMemoryStore } from "./memory.ts";
import { openSqliteStore } from "./sqlite.ts";
import type { Store } from "./store.ts";

/** What a store may need of the runtime. */
export type StorePorts = Pick<Ports, "clock" | "random" | "runtime" | "openDatabase">;

/**
 * Opens the store that the setting names. Throws GatewayError: `unsupported` where the runtime lacks what the kind
 * needs, `store_unavailable` with the mend when it cannot be reached or is not ours.
 */
export async function openStore(setting: string, ports: StorePorts): Promise<Store> {
  if (setting === "memory") return createMemoryStore(ports.clock);
  // What follows the colon may hold a password.
  const [kind = ""] = setting.split(":");
  if (kind === "sqlite" && ports.openDatabase !== undefined) {
    const { openDatabase: open, clock, random } = ports;
    return openSqliteStore({ path: setting.slice("sqlite:".length), open, clock, random });
  }
  throw new GatewayError(
    "unsupported",
    `--store ${kind}: cannot be used on ${ports.runtime}; accepted: memory${ports.openDatabase === undefined ? "" : ", sqlite:FILE"}.`,
    {
      param: "store",
    },
  );
}
