/** From the `--store` setting to a store: the only switch over the kinds. */
import { GatewayError } from "../errors.ts";
import type { Ports } from "../ports.ts";
import { createMemoryStore } from "./memory.ts";
import { openRedisStore } from "./redis.ts";
import { parseRedisAddress, REDIS_KINDS } from "./redis-address.ts";
import { openSqliteStore } from "./sqlite.ts";
import type { Store } from "./store.ts";

/** What a store may need of the runtime. */
export type StorePorts = Pick<Ports, "clock" | "random" | "runtime" | "openDatabase" | "openConnection" | "files">;

/** The settings of a store. */
export interface StoreSettings {
  readonly store: string;
  readonly storePassword?: string | undefined;
  readonly storePasswordFile?: string | undefined;
}

/** A secret file holds one line. */
const PASSWORD_LIMIT = 4096;

async function readPassword(settings: StoreSettings, files: StorePorts["files"]): Promise<string> {
  const { storePassword, storePasswordFile } = settings;
  if (storePassword !== undefined || storePasswordFile === undefined) return storePassword ?? "";
  if (files === undefined)
    throw refuse("--store-password-file: this runtime has no files; use TIDEGATE_STORE_PASSWORD.");
  try {
    return (await files.readText(storePasswordFile, PASSWORD_LIMIT)).trimEnd();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw refuse(`--store-password-file ${storePasswordFile} cannot be read (${why}).`, cause);
  }
}

const refuse = (why: string, cause?: unknown): GatewayError =>
  new GatewayError("store_unavailable", why, { param: "store", ...(cause === undefined ? {} : { cause }) });

/**
 * Opens the store that the settings name. Throws GatewayError: `unsupported` where the runtime lacks what the kind
 * needs, `invalid_value` for an address that is none, `store_unavailable` with the mend when it cannot be reached or is
 * not ours.
 */
export async function openStore(settings: StoreSettings, ports: StorePorts): Promise<Store> {
  const { store } = settings;
  const { clock, random } = ports;
  if (store === "memory") return createMemoryStore(clock);
  // What follows the colon may hold a password.
  const [kind = ""] = store.split(":");
  if (kind === "sqlite" && ports.openDatabase !== undefined) {
    return openSqliteStore({ path: store.slice("sqlite:".length), open: ports.openDatabase, clock, random });
  }
  if (REDIS_KINDS.has(kind) && ports.openConnection !== undefined) {
    const address = parseRedisAddress(store, await readPassword(settings, ports.files));
    return openRedisStore({ address, connect: ports.openConnection, clock, random });
  }
  const accepted = [
    "memory",
    ...(ports.openDatabase === undefined ? [] : ["sqlite:FILE"]),
    ...(ports.openConnection === undefined ? [] : ["redis://HOST:PORT"]),
  ];
  throw new GatewayError(
    "unsupported",
    `--store ${kind}: cannot be used on ${ports.runtime}; accepted: ${accepted.join(", ")}.`,
    { param: "store" },
  );
}
