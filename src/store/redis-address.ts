/** `--store redis://…` as an address. Pure. The password is never part of a message. */
import { GatewayError } from "../errors.ts";

/** Where the store is, and who we are there. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** Empty: the server's default user. */
  readonly user: string;
  /** Empty: none. */
  readonly password: string;
  readonly database: number;
  /** All keys begin with it. */
  readonly prefix: string;
  /** For people: without user and password. */
  readonly place: string;
}

/** Kinds of `--store` that are such an address, and whether they are encrypted. */
export const REDIS_KINDS: ReadonlyMap<string, boolean> = new Map([
  ["redis", false],
  ["valkey", false],
  ["rediss", true],
  ["valkeys", true],
]);

const DEFAULT_PORT = 6379;

/** Several fleets may share one server, each with a prefix or a database of its own. */
const DEFAULT_PREFIX = "tidegate";

const refuse = (why: string): GatewayError =>
  new GatewayError(
    "invalid_value",
    `--store: ${why}. Accepted: redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE][?prefix=NAME], or rediss:, valkey:, valkeys:.`,
    { param: "store" },
  );

/**
 * Parses the setting. `password`: the one that was given by itself; it is used when the address has none.
 *
 * @throws GatewayError `invalid_value` which never shows user or password.
 *
 * @example
 * ```ts
 * import { parseRedisAddress } from "./redis-address.ts";
 * const { host, port, database, place } = parseRedisAddress("redis://:secret@[::1]/2");
 * if (host !== "::1" || port !== 6379 || database !== 2 || place !== "redis://[::1]:6379/2") throw new Error(place);
 * ```
 */
export function parseRedisAddress(setting: string, password = ""): RedisAddress {
  let url: URL;
  try {
    url = new URL(setting);
  } catch {
    throw refuse("this is no address");
  }
  const kind = url.protocol.slice(0, -1);
  const tls = REDIS_KINDS.get(kind);
  if (tls === undefined || !setting.startsWith(`${kind}://`)) throw refuse("this is no address of a Redis or Valkey");
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (host === "") throw refuse("it names no host");
  const port = url.port === "" ? DEFAULT_PORT : Number(url.port);
  const database = /^\/?$/.test(url.pathname) ? 0 : Number(/^\/(\d{1,5})$/.exec(url.pathname)?.[1] ?? Number.NaN);
  if (Number.isNaN(database)) throw refuse("the part after the host must be the number of a database");
  const unknown = [...url.searchParams.keys()].find((name) => name !== "prefix");
  if (unknown !== undefined || url.hash !== "") throw refuse("it has a part that is not known");
  const prefix = url.searchParams.get("prefix") ?? DEFAULT_PREFIX;
  if (!/^[A-Za-z0-9_.-]{1,64}$/.test(prefix)) throw refuse("the prefix must be 1 to 64 letters, digits or _ . -");
  const decoded = (part: string): string => {
    try {
      return decodeURIComponent(part);
    } catch {
      throw refuse("user and password must be percent-encoded");
    }
  };
  const shownHost = host.includes(":") ? `[${host}]` : host;
  return {
    ...{ host, port, tls, database },
    user: decoded(url.username),
    password: url.password === "" ? password : decoded(url.password),
    // In braces: a cluster keeps all of these keys in one place.
    prefix: `{${prefix}}:`,
    place: `${kind}://${shownHost}:${port}/${database}${prefix === DEFAULT_PREFIX ? "" : `?prefix=${prefix}`}`,
  };
}
