/**
 * The store that several gateways share: a Redis or Valkey. A transaction is one script, which the server runs whole and
 * by itself; keys are kept in a sorted set beside them, because a listing wants them in order.
 */
import { GatewayError } from "../errors.ts";
import type { Clock, OpenConnection, Random } from "../ports.ts";
import { createStore } from "./create-store.ts";
import type { RedisAddress } from "./redis-address.ts";
import { createRedisLink, type RedisLink } from "./redis-link.ts";
import type { Reply } from "./resp.ts";
import type { Cells, Store, StoreCheck, StoreEntry, StoreWrite } from "./store.ts";
import { VALUE_LIMIT } from "./store.ts";

/** A store that is being started is waited for this long when the gateway starts. */
const OPEN_MS = 10_000;
const OPEN_RETRY_MS = 300;
/** Entries of a listing whose values are asked for at a time. */
const LIST_CHUNK = 100;
/** A key of ours in bytes, prefix included. */
const KEY_BYTES = 4096;

/**
 * KEYS: the index, the times, then one per check and per write. ARGV: the time, the number of checks, two words per
 * check (1 and a value, or 0), three per write (1, value, milliseconds or "", or 0). Expired keys leave the index some
 * transactions later; times are the writer's, so a key is only taken out when it is gone.
 */
const TRANSACT = `local checks, at = tonumber(ARGV[2]), 3
for i = 1, checks do
  local found = redis.call('GET', KEYS[2 + i])
  if ARGV[at] == '1' then
    if found ~= ARGV[at + 1] then return 0 end
  elseif found then return 0 end
  at = at + 2
end
for i = checks + 1, #KEYS - 2 do
  local key = KEYS[2 + i]
  if ARGV[at] == '0' then
    redis.call('DEL', key)
    redis.call('ZREM', KEYS[1], key)
    redis.call('ZREM', KEYS[2], key)
  else
    if ARGV[at + 2] == '' then
      redis.call('SET', key, ARGV[at + 1])
      redis.call('ZREM', KEYS[2], key)
    else
      redis.call('SET', key, ARGV[at + 1], 'PX', ARGV[at + 2])
      redis.call('ZADD', KEYS[2], tonumber(ARGV[1]) + tonumber(ARGV[at + 2]), key)
    end
    redis.call('ZADD', KEYS[1], 0, key)
  end
  at = at + 3
end
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', 0, 32)) do
  if redis.call('EXISTS', key) == 0 then
    redis.call('ZREM', KEYS[1], key)
    redis.call('ZREM', KEYS[2], key)
  end
end
return 1`;

/** What the store needs from outside. */
export interface RedisOptions {
  readonly address: RedisAddress;
  readonly connect: OpenConnection;
  readonly clock: Clock;
  readonly random: Pick<Random, "uuid">;
}

function toCells(link: RedisLink, { address, clock }: RedisOptions): Cells {
  const { prefix, place } = address;
  const index = `${prefix}~index`;
  const times = `${prefix}~times`;
  const strange = (what: string): GatewayError =>
    new GatewayError(
      "store_unavailable",
      `The store at ${place} answered with ${what}: another program may be using it, or it is damaged; use another database or prefix.`,
      { param: "store" },
    );
  const toValue = (reply: Reply): string | undefined => {
    if (reply === null) return undefined;
    if (typeof reply !== "string") throw strange("no text where a value was asked for");
    if (reply.length > VALUE_LIMIT) throw strange(`a value of ${reply.length} characters`);
    return reply;
  };
  const read = async (key: string): Promise<string | undefined> => toValue(await link.command("GET", prefix + key));

  async function transact(checks: readonly StoreCheck[], writes: readonly StoreWrite[]): Promise<boolean> {
    const keys = [...checks, ...writes].map(({ key }) => prefix + key);
    const words = [
      ...checks.flatMap(({ value }) => (value === undefined ? ["0", ""] : ["1", value])),
      ...writes.flatMap(({ value, expiresIn }) =>
        value === null
          ? ["0", "", ""]
          : ["1", value, expiresIn === undefined ? "" : String(Math.max(1, Math.ceil(expiresIn)))],
      ),
    ];
    const head = [String(Math.floor(clock.now())), String(checks.length)];
    const count = String(keys.length + 2);
    const reply = await link.command("EVAL", TRANSACT, count, index, times, ...keys, ...head, ...words);
    if (reply !== 0 && reply !== 1) throw strange("neither 0 nor 1 to a transaction");
    return reply === 1;
  }

  /** Keys behind `from`, without the common prefix. */
  async function keysBehind(from: string, to: string, count: number): Promise<readonly string[]> {
    const reply = await link.command("ZRANGEBYLEX", index, from, `[${prefix}${to}`, "LIMIT", "0", String(count));
    if (!Array.isArray(reply) || reply.length > count) throw strange("no list of keys");
    return reply.map((key) => {
      if (typeof key !== "string" || key.length > KEY_BYTES || !key.startsWith(prefix)) throw strange("a strange key");
      return key.slice(prefix.length);
    });
  }

  return {
    facts: { kind: "redis", place, durable: true, shared: true },
    get: read,
    transact,
    async list(start, limit, after) {
      const found: StoreEntry[] = [];
      // Beyond every key with the prefix: texts are compared byte by byte, and U+10FFFF is the last character.
      const last = `${start}\u{10ffff}`;
      let from = after !== undefined && after >= start ? `(${prefix}${after}` : `[${prefix}${start}`;
      for (;;) {
        const keys = await keysBehind(from, last, Math.min(LIST_CHUNK, limit - found.length));
        const values = await Promise.all(keys.map(read));
        for (const [at, key] of keys.entries()) {
          const value = values[at];
          // Expired meanwhile.
          if (value !== undefined) found.push({ key, value });
        }
        if (keys.length === 0 || found.length >= limit) return found;
        from = `(${prefix}${keys.at(-1)}`;
      }
    },
    async worries() {
      const say = async (section: string): Promise<string> => {
        const reply = await link.command("INFO", section);
        return typeof reply === "string" ? reply : "";
      };
      const [persistence, memory] = await Promise.all([say("persistence"), say("memory")]);
      const policy = /^maxmemory_policy:(\S{1,40})\r?$/m.exec(memory)?.[1];
      const limited = !/^maxmemory:0\r?$/m.test(memory);
      return [
        ...(/^aof_enabled:0\r?$/m.test(persistence)
          ? [
              {
                found: "it forgets what it was told last when it is killed (appendonly no)",
                mend: "start it with --appendonly yes; gateways that run write down again what they know",
              },
            ]
          : []),
        ...(limited && policy !== undefined && policy !== "noeviction"
          ? [
              {
                found: `it drops keys when its memory is full (maxmemory-policy ${policy})`,
                mend: "set maxmemory-policy noeviction, or give Tidegate a server of its own",
              },
            ]
          : []),
      ];
    },
    async upFor() {
      const reply = await link.command("INFO", "server");
      const seconds = typeof reply === "string" ? /^uptime_in_seconds:(\d{1,15})\r?$/m.exec(reply)?.[1] : undefined;
      if (seconds === undefined) throw strange("no uptime_in_seconds to INFO");
      return Number(seconds) * 1000;
    },
    async close() {
      link.close();
    },
  };
}

/** Connects, and finds out whether it is what it should be. Throws GatewayError `store_unavailable` with the mend. */
export async function openRedisStore(options: RedisOptions): Promise<Store> {
  const { clock, random } = options;
  const link = createRedisLink(options);
  const cells = toCells(link, options);
  const until = clock.monotonic() + OPEN_MS;
  for (;;) {
    try {
      await cells.upFor?.();
      return createStore(cells, random.uuid);
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      // Nobody listens yet, or it still reads its file; everything else will not mend itself.
      const soon = /cannot be reached|closed the connection|LOADING/.test(words);
      if (!soon || clock.monotonic() >= until) {
        link.close();
        throw error;
      }
      await new Promise<void>((resolve) => clock.timer(OPEN_RETRY_MS, resolve));
    }
  }
}
