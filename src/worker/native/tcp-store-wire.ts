/**
 * The wire of torch's TCPStore (torch 2.13, `torch/csrc/distributed/c10d/TCPStoreBackend.hpp`): numbers, bounds, and an
 * incremental parser of requests. Opens no socket and keeps no keys.
 */
import { GatewayError } from "../../errors.ts";
import { ByteQueue, toSigned, toUnsigned } from "./tcp-store-bytes.ts";

/** First field of every connection (`detail::validationMagicNumber`). */
export const VALIDATION_MAGIC = 0x3c85f7ce;

/** The query types that rendezvous needs, by number. */
export const QUERY = {
  validate: 0,
  set: 1,
  compareSet: 2,
  get: 3,
  add: 4,
  check: 5,
  wait: 6,
  keyCount: 7,
  deleteKey: 8,
  append: 9,
  multiGet: 10,
  multiSet: 11,
  cancelWait: 12,
  ping: 13,
} as const;

/** Query types of torch 2.13 that this store refuses, for the error text. */
const REFUSED: Readonly<Record<number, string>> = {
  14: "QUEUE_PUSH",
  15: "QUEUE_POP",
  16: "QUEUE_LEN",
  17: "LIST_KEYS",
  18: "BARRIER",
};

/** Answers of CHECK. */
export const CHECK_REPLY = { ready: 0, notReady: 1 } as const;
/** Answers of WAIT and CANCEL_WAIT. */
export const WAIT_REPLY = { stopWaiting: 0, canceled: 1 } as const;

/** What a peer may make us hold. Sizes in bytes. */
export interface TcpStoreLimits {
  /** Longest key; torch's libuv server has 8192 too (`MAX_KEY_LENGTH`). */
  readonly keyBytes: number;
  /** Longest value; torch's libuv server has 8 MiB too (`MAX_PAYLOAD_LENGTH`). */
  readonly valueBytes: number;
  /** Keys in one CHECK, WAIT, MULTI_GET or MULTI_SET. A barrier names one per rank. */
  readonly keysPerRequest: number;
  /** All keys and values of one request together. */
  readonly requestBytes: number;
  /** All keys and values of the store together. */
  readonly storeBytes: number;
  /** Keys of the store. The barrier before vLLM 0.9 leaves one per rank and tensor for an hour. */
  readonly storeKeys: number;
}

export const DEFAULT_TCP_STORE_LIMITS: TcpStoreLimits = {
  keyBytes: 8192,
  valueBytes: 8 * 2 ** 20,
  keysPerRequest: 4096,
  requestBytes: 16 * 2 ** 20,
  storeBytes: 128 * 2 ** 20,
  storeKeys: 2 ** 18,
};

/** One request of a client, parsed. Keys are as on the wire: user keys begin with `/`, only `init/` does not. */
export type TcpStoreRequest =
  | { readonly type: "validate"; readonly magic: number }
  | { readonly type: "set" | "append"; readonly key: string; readonly value: Uint8Array }
  | {
      readonly type: "compareSet";
      readonly key: string;
      readonly expected: Uint8Array;
      readonly desired: Uint8Array;
    }
  | { readonly type: "get" | "deleteKey"; readonly key: string }
  | { readonly type: "add"; readonly key: string; readonly delta: bigint }
  | { readonly type: "check" | "wait" | "multiGet"; readonly keys: readonly string[] }
  | { readonly type: "multiSet"; readonly entries: readonly (readonly [string, Uint8Array])[] }
  | { readonly type: "keyCount" | "cancelWait" }
  | { readonly type: "ping"; readonly nonce: number };

/** A peer broke the protocol; its connection cannot be read further. */
export function protocolError(message: string): GatewayError {
  return new GatewayError("sync_failed", `TCPStore: ${message}`, { phase: "rendezvous" });
}

/** A length read from a peer, refused before anything is allocated for it. */
export function toBoundedLength(length: bigint, limit: number, what: string): number {
  if (length > BigInt(limit)) {
    throw protocolError(`the peer announced ${what} of length ${length}; at most ${limit} is accepted.`);
  }
  return Number(length);
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function toKey(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new GatewayError("sync_failed", "TCPStore: the peer sent a key that is not UTF-8.", {
      phase: "rendezvous",
      cause,
    });
  }
}

/** Asks for a number of bytes and is resumed with exactly these. */
type Reader<T> = Generator<number, T, Uint8Array<ArrayBuffer>>;

function* readVector(budget: { left: number }, limit: number, what: string): Reader<Uint8Array<ArrayBuffer>> {
  const length = toBoundedLength(toUnsigned(yield 8), Math.min(limit, budget.left), what);
  budget.left -= length;
  return length === 0 ? new Uint8Array(0) : yield length;
}

function* readRequest(limits: TcpStoreLimits): Reader<TcpStoreRequest> {
  const budget = { left: limits.requestBytes };
  const key = function* (): Reader<string> {
    return toKey(yield* readVector(budget, limits.keyBytes, "a key"));
  };
  const value = () => readVector(budget, limits.valueBytes, "a value");
  const count = function* (): Reader<number> {
    return toBoundedLength(toUnsigned(yield 8), limits.keysPerRequest, "a list of keys");
  };
  const type = (yield 1)[0]!;
  switch (type) {
    case QUERY.validate:
      return { type: "validate", magic: Number(toUnsigned(yield 4)) };
    case QUERY.set:
      return { type: "set", key: yield* key(), value: yield* value() };
    case QUERY.append:
      return { type: "append", key: yield* key(), value: yield* value() };
    case QUERY.compareSet:
      return { type: "compareSet", key: yield* key(), expected: yield* value(), desired: yield* value() };
    case QUERY.get:
      return { type: "get", key: yield* key() };
    case QUERY.deleteKey:
      return { type: "deleteKey", key: yield* key() };
    case QUERY.add:
      return { type: "add", key: yield* key(), delta: toSigned(yield 8) };
    case QUERY.check:
    case QUERY.wait:
    case QUERY.multiGet: {
      const keys: string[] = [];
      for (let left = yield* count(); left > 0; left -= 1) keys.push(yield* key());
      return { type: type === QUERY.check ? "check" : type === QUERY.wait ? "wait" : "multiGet", keys };
    }
    case QUERY.multiSet: {
      const entries: (readonly [string, Uint8Array])[] = [];
      for (let left = yield* count(); left > 0; left -= 1) entries.push([yield* key(), yield* value()]);
      return { type: "multiSet", entries };
    }
    case QUERY.keyCount:
      return { type: "keyCount" };
    case QUERY.cancelWait:
      return { type: "cancelWait" };
    case QUERY.ping:
      return { type: "ping", nonce: Number(toUnsigned(yield 4)) };
    default:
      throw protocolError(
        type in REFUSED
          ? `the query ${REFUSED[type]} (${type}) is not supported; rendezvous does not use it.`
          : `unknown query type ${type}.`,
      );
  }
}

/** Parses one connection's bytes. Not reusable after it threw. */
export class TcpStoreParser {
  readonly #limits: TcpStoreLimits;
  readonly #queue = new ByteQueue();
  #reader: Reader<TcpStoreRequest> | undefined;
  #needed = 1;

  constructor(limits: TcpStoreLimits) {
    this.#limits = limits;
  }

  /** Takes what arrived; requests come out of `next`. */
  push(chunk: Uint8Array): void {
    this.#queue.push(chunk);
  }

  /** True in the middle of a request. */
  get partial(): boolean {
    return this.#reader !== undefined || this.#queue.length > 0;
  }

  /**
   * The next whole request; undefined until more bytes arrive.
   *
   * @throws GatewayError `sync_failed` when the bytes are not the protocol, or go over a limit.
   */
  next(): TcpStoreRequest | undefined {
    if (this.#reader === undefined) {
      if (this.#queue.length === 0) return undefined;
      this.#reader = readRequest(this.#limits);
      this.#needed = this.#reader.next().value as number;
    }
    while (this.#queue.length >= this.#needed) {
      const step = this.#reader.next(this.#queue.take(this.#needed));
      if (step.done) {
        this.#reader = undefined;
        return step.value;
      }
      this.#needed = step.value;
    }
    return undefined;
  }
}
