/**
 * What a TCPStore server knows: keys, and who waits for which. Takes parsed requests and answers through the connection
 * it is given; opens no socket and keeps no time. Semantics: torch 2.13, libuv backend, where the two backends differ.
 */
import { GatewayError } from "../../errors.ts";
import { toMessage } from "./tcp-store-bytes.ts";
import {
  CHECK_REPLY,
  protocolError,
  type TcpStoreLimits,
  type TcpStoreRequest,
  VALIDATION_MAGIC,
  WAIT_REPLY,
} from "./tcp-store-wire.ts";

/** One client, as the store sees it: somewhere to send a reply. */
export interface TcpStorePeer {
  send(reply: Uint8Array): void;
}

/** The key that every client of `wait_for_workers` adds one to; the only one without a leading slash. */
export const JOIN_KEY = "init/";

/** Cost of an entry beside its bytes, so that many empty values are bounded too. */
const ENTRY_BYTES = 64;

const ascii = new TextEncoder();
const EMPTY = new Uint8Array(0);
const I64 = /^-?\d{1,19}$/;

const sameBytes = (left: Uint8Array, right: Uint8Array): boolean =>
  left.length === right.length && left.every((byte, index) => byte === right[index]);

const vector = (value: Uint8Array): Uint8Array => toMessage({ u64: value.length }, value);

/** A counter's value: decimal ASCII, as torch stores it. */
function toCounter(key: string, value: Uint8Array | undefined): bigint {
  if (value === undefined) return 0n;
  const text = new TextDecoder().decode(value.subarray(0, 21));
  if (!I64.test(text)) throw protocolError(`ADD to ${JSON.stringify(key.slice(0, 80))}, whose value is no number.`);
  return BigInt(text);
}

/** Keys, values and waiters of one store. */
export class TcpStoreState {
  readonly #limits: TcpStoreLimits;
  readonly #values = new Map<string, Uint8Array>();
  /** Who waits for a key. */
  readonly #waiters = new Map<string, Set<TcpStorePeer>>();
  /** What a waiting client still misses. */
  readonly #missing = new Map<TcpStorePeer, Set<string>>();
  readonly #validated = new Set<TcpStorePeer>();
  readonly #members = new Set<TcpStorePeer>();
  #bytes = 0;

  constructor(limits: TcpStoreLimits) {
    this.#limits = limits;
  }

  /** Bytes held for keys and values, with a fixed cost per entry. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Number of keys. */
  get size(): number {
    return this.#values.size;
  }

  /** Clients that wait for keys now. */
  get waiting(): number {
    return this.#missing.size;
  }

  /** Clients that joined (`init/` + 1) and are still connected. */
  get members(): number {
    return this.#members.size;
  }

  /** True once the client sent a right VALIDATE. */
  isValidated(peer: TcpStorePeer): boolean {
    return this.#validated.has(peer);
  }

  /**
   * Does what one request asks.
   *
   * @throws GatewayError `sync_failed` or `limit_exceeded`; the connection of `peer` must be closed then.
   */
  handle(peer: TcpStorePeer, request: TcpStoreRequest): void {
    if (request.type !== "validate" && !this.#validated.has(peer)) {
      throw protocolError("the first message of a connection must be VALIDATE.");
    }
    const reply = this.#answer(peer, request);
    if (reply !== undefined) peer.send(reply);
  }

  /** The reply, where there is one now; a WAIT may be answered later. */
  #answer(peer: TcpStorePeer, request: TcpStoreRequest): Uint8Array | undefined {
    switch (request.type) {
      case "validate":
        this.#validate(peer, request.magic);
        return undefined;
      case "set":
        this.#store(request.key, request.value);
        return undefined;
      case "append":
        this.#store(request.key, toMessage(this.#values.get(request.key) ?? EMPTY, request.value));
        return undefined;
      case "multiSet":
        for (const [key, value] of request.entries) this.#store(key, value);
        return undefined;
      case "ping":
        return toMessage({ u32: request.nonce });
      case "get":
        return vector(this.#values.get(request.key) ?? EMPTY);
      case "multiGet":
        return this.#multiGet(request.keys);
      case "compareSet":
        return vector(this.#compareSet(request.key, request.expected, request.desired));
      case "add":
        return this.#add(peer, request.key, request.delta);
      case "check":
        return toMessage({
          u8: request.keys.every((key) => this.#values.has(key)) ? CHECK_REPLY.ready : CHECK_REPLY.notReady,
        });
      case "wait":
        return this.#wait(peer, request.keys) ? undefined : toMessage({ u8: WAIT_REPLY.stopWaiting });
      case "cancelWait":
        this.#forget(peer);
        return toMessage({ u8: WAIT_REPLY.canceled });
      case "keyCount":
        return toMessage({ i64: BigInt(this.#values.size) });
      case "deleteKey":
        return toMessage({ i64: this.#delete(request.key) ? 1n : 0n });
    }
  }

  /** The client is gone: it waits for nothing more. Its keys stay. */
  leave(peer: TcpStorePeer): void {
    this.#forget(peer);
    this.#validated.delete(peer);
    this.#members.delete(peer);
  }

  /** One short request could ask for a large value thousands of times; the sum is bounded before anything is sent. */
  #multiGet(keys: readonly string[]): Uint8Array {
    const values = keys.map((key) => this.#values.get(key) ?? EMPTY);
    const bytes = values.reduce((sum, value) => sum + value.length, 0);
    if (bytes > this.#limits.requestBytes) {
      throw protocolError(`MULTI_GET of ${bytes} bytes; at most ${this.#limits.requestBytes} are sent at once.`);
    }
    return toMessage(...values.flatMap((value) => [{ u64: value.length }, value]));
  }

  #validate(peer: TcpStorePeer, magic: number): void {
    if (magic !== VALIDATION_MAGIC) throw protocolError(`VALIDATE with magic ${magic}; ${VALIDATION_MAGIC} is right.`);
    if (this.#validated.has(peer)) throw protocolError("a second VALIDATE on one connection.");
    this.#validated.add(peer);
  }

  #add(peer: TcpStorePeer, key: string, delta: bigint): Uint8Array {
    const sum = BigInt.asIntN(64, toCounter(key, this.#values.get(key)) + delta);
    this.#store(key, ascii.encode(String(sum)));
    if (key === JOIN_KEY && delta > 0n) this.#members.add(peer);
    return toMessage({ i64: sum });
  }

  /** torch's rule: a missing key counts as equal to an empty expectation, and is answered with a non-empty one. */
  #compareSet(key: string, expected: Uint8Array, desired: Uint8Array): Uint8Array {
    const current = this.#values.get(key);
    if (current === undefined && expected.length > 0) return expected;
    if (current !== undefined && !sameBytes(current, expected)) return current;
    this.#store(key, desired);
    return desired;
  }

  #store(key: string, value: Uint8Array): void {
    const { valueBytes, storeBytes, storeKeys } = this.#limits;
    const old = this.#values.get(key);
    const bytes = this.#bytes + value.length + (old === undefined ? ENTRY_BYTES + key.length : -old.length);
    const keys = this.#values.size + (old === undefined ? 1 : 0);
    if (value.length > valueBytes || bytes > storeBytes || keys > storeKeys) {
      const limits = `${valueBytes} bytes a value, ${storeBytes} bytes and ${storeKeys} keys in all`;
      throw new GatewayError("limit_exceeded", `TCPStore: the store is full (${limits}).`, { phase: "rendezvous" });
    }
    this.#values.set(key, value);
    this.#bytes = bytes;
    this.#wake(key);
  }

  #delete(key: string): boolean {
    const old = this.#values.get(key);
    if (old === undefined) return false;
    this.#values.delete(key);
    this.#bytes -= old.length + key.length + ENTRY_BYTES;
    return true;
  }

  /** False when there is nothing to wait for. */
  #wait(peer: TcpStorePeer, keys: readonly string[]): boolean {
    if (this.#missing.has(peer)) throw protocolError("a second WAIT before the first was answered.");
    const missing = new Set(keys.filter((key) => !this.#values.has(key)));
    if (missing.size === 0) return false;
    this.#missing.set(peer, missing);
    for (const key of missing) {
      const peers = this.#waiters.get(key);
      if (peers === undefined) this.#waiters.set(key, new Set([peer]));
      else peers.add(peer);
    }
    return true;
  }

  #wake(key: string): void {
    const peers = this.#waiters.get(key);
    if (peers === undefined) return;
    this.#waiters.delete(key);
    for (const peer of peers) {
      const missing = this.#missing.get(peer);
      missing?.delete(key);
      if (missing?.size !== 0) continue;
      this.#missing.delete(peer);
      peer.send(toMessage({ u8: WAIT_REPLY.stopWaiting }));
    }
  }

  #forget(peer: TcpStorePeer): void {
    for (const key of this.#missing.get(peer) ?? []) {
      const peers = this.#waiters.get(key);
      peers?.delete(peer);
      if (peers?.size === 0) this.#waiters.delete(key);
    }
    this.#missing.delete(peer);
  }
}
