/**
 * One connection to a Redis or Valkey: opened when a command needs it, closed at the first sign of trouble, opened anew
 * by a later command. Commands go out in order and every one has a deadline. Never sends a command twice: whether one
 * whose answer was lost was carried out, only the caller can find out.
 */
import { GatewayError } from "../errors.ts";
import type { Clock, Connection, OpenConnection, Timer } from "../ports.ts";
import type { RedisAddress } from "./redis-address.ts";
import { createReplyReader, ProtocolError, type Reply, ReplyError, toCommand } from "./resp.ts";

/** A store answers in under a millisecond; one that takes this long is as good as away. */
const COMMAND_MS = 2000;
const CONNECT_MS = 2000;
/** After a connection that failed, commands are refused at once for so long: an address that is away is not hammered. */
const PAUSE_MS = 100;
/** Commands under way at most; the gateway has a handful. */
const PENDING_LIMIT = 4096;

/** See the head of the file. */
export interface RedisLink {
  /** Rejects with GatewayError `store_unavailable`, also when the server answered with an error. */
  command(...words: readonly string[]): Promise<Reply>;
  close(): void;
}

interface Pending {
  readonly timer: Timer;
  resolve(reply: Reply): void;
  reject(error: GatewayError): void;
}

interface Wire {
  send(words: readonly string[]): Promise<Reply>;
  end(error: GatewayError): void;
}

/** What helps against an error of the server. */
function toMend(words: string): string {
  if (/^(NOAUTH|WRONGPASS|ERR.*(AUTH|password))/i.test(words)) {
    return " Give user and password in the address, or the password in TIDEGATE_STORE_PASSWORD or --store-password-file.";
  }
  if (/^NOPERM/.test(words)) return " The user needs GET, SET, DEL, EVAL, EXISTS and the commands of sorted sets.";
  if (/^READONLY/.test(words)) return " This is a replica; give the address of the primary.";
  if (/^(MOVED|ASK|CROSSSLOT|CLUSTERDOWN)/.test(words)) return " This is a node of a cluster; use a single primary.";
  if (/^OOM/.test(words)) return " Its memory is full: raise maxmemory, and keep maxmemory-policy at noeviction.";
  return "";
}

/** Creates it; nothing is opened yet. */
export function createRedisLink(options: {
  readonly address: RedisAddress;
  readonly connect: OpenConnection;
  readonly clock: Pick<Clock, "timer" | "monotonic">;
}): RedisLink {
  const { address, connect, clock } = options;
  let wire: Promise<Wire> | undefined;
  let current: Wire | undefined;
  let closed = false;
  let failedAt = Number.NEGATIVE_INFINITY;
  let failure = "";

  /** What the server said, bounded and without the password: it is shown to people. */
  const shown = (words: string): string => {
    const open = address.password === "" ? words : words.replaceAll(address.password, "(not shown)");
    return open.replaceAll(/\p{Cc}/gu, " ").slice(0, 200);
  };
  const away = (why: string, cause?: unknown): GatewayError =>
    new GatewayError("store_unavailable", `The store at ${address.place} ${why}`, {
      param: "store",
      retryAfter: 1,
      ...(cause === undefined ? {} : { cause }),
    });

  /** The bare connection, before anybody has said who we are. */
  async function dial(): Promise<Wire> {
    const pending: Pending[] = [];
    const reader = createReplyReader();
    const limit = new AbortController();
    let ended: GatewayError | undefined;
    let connection: Connection | undefined;

    const end = (error: GatewayError): void => {
      if (ended !== undefined) return;
      ended = error;
      failedAt = clock.monotonic();
      failure = error.message;
      wire = undefined;
      current = undefined;
      limit.abort(error);
      connection?.close();
      for (const { timer, reject } of pending.splice(0)) {
        timer.cancel();
        reject(error);
      }
    };
    const onData = (bytes: Uint8Array): void => {
      if (ended !== undefined) return;
      try {
        const replies = reader.push(bytes);
        // Before any of them is believed.
        if (replies.length > pending.length) throw new ProtocolError("an answer to nothing");
        for (const reply of replies) {
          const first = pending.shift();
          first?.timer.cancel();
          first?.resolve(reply);
        }
      } catch (error) {
        const what = error instanceof Error ? error.message : String(error);
        end(
          away(`does not speak Redis: it sent ${what}. The connection was closed; nothing of it was believed.`, error),
        );
      }
    };

    const timer = clock.timer(CONNECT_MS, () => end(away(`could not be connected to within ${CONNECT_MS / 1000} s.`)));
    try {
      const { host, port, tls } = address;
      connection = await connect(
        { host, port, tls },
        { data: onData, end: (error) => end(away(`closed the connection${error ? ` (${wordsOf(error)})` : ""}.`)) },
        limit.signal,
      );
    } catch (error) {
      end(away(`cannot be reached (${wordsOf(error)}). Start it there, or correct --store.`, error));
    } finally {
      timer.cancel();
    }
    const wired: Wire = {
      send: (words) =>
        new Promise((resolve, reject) => {
          if (ended !== undefined || connection === undefined) return reject(ended);
          if (pending.length >= PENDING_LIMIT) return reject(away("has too many commands to answer already."));
          const late = (): void => end(away(`did not answer within ${COMMAND_MS / 1000} s.`));
          pending.push({ resolve, reject, timer: clock.timer(COMMAND_MS, late) });
          connection.write(toCommand(words));
        }),
      end,
    };
    if (ended !== undefined) {
      connection?.close();
      throw ended;
    }
    return wired;
  }

  async function open(): Promise<Wire> {
    const dialled = await dial();
    const { user, password, database } = address;
    const hello: string[][] = [];
    if (password !== "") hello.push(user === "" ? ["AUTH", password] : ["AUTH", user, password]);
    if (database !== 0) hello.push(["SELECT", String(database)]);
    for (const words of hello) {
      const reply = await dialled.send(words);
      if (reply === "OK") continue;
      const said = reply instanceof ReplyError ? shown(reply.message) : "something else than OK";
      const error = away(`refused ${words[0]}: ${said}.${toMend(said)}`);
      dialled.end(error);
      throw error;
    }
    if (closed) dialled.end(away("is not used any more."));
    current = dialled;
    return dialled;
  }

  return {
    async command(...words) {
      if (closed) throw away("is not used any more.");
      if (wire === undefined && clock.monotonic() - failedAt < PAUSE_MS) {
        throw new GatewayError("store_unavailable", failure, { param: "store", retryAfter: 1 });
      }
      wire ??= open().catch((error: unknown) => {
        wire = undefined;
        throw error;
      });
      const reply = await (await wire).send(words);
      if (!(reply instanceof ReplyError)) return reply;
      const said = shown(reply.message);
      throw away(`refused ${words[0]}: ${said}.${toMend(said)}`);
    },
    close() {
      closed = true;
      current?.end(away("is not used any more."));
    },
  };
}

function wordsOf(error: unknown): string {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return typeof code === "string" && code !== "" ? code : String(message ?? error);
}
