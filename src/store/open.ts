/** From the `--store` setting to a store: the only switch over the kinds. */
import { GatewayError } from "../errors.ts";
import type { Clock } from "../ports.ts";
import { createMemoryStore } from "./memory.ts";
import type { Store } from "./store.ts";

/** Opens the store that the setting names. Throws GatewayError `unsupported` for kinds that this version lacks. */
export function openStore(setting: string, ports: { readonly clock: Clock }): Store {
  if (setting === "memory") return createMemoryStore(ports.clock);
  // What follows the colon may hold a password.
  const [kind] = setting.split(":");
  throw new GatewayError("unsupported", `--store ${kind}: is not supported in this version; accepted: memory.`, {
    param: "store",
  });
}
