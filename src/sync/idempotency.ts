/** Remembers which request made which sync, so that a repeated POST does not start a second one. Bounded. */
import { GatewayError } from "../errors.ts";
import type { Sha256 } from "../ports.ts";

/** What is known of a key. */
export interface Claim {
  /** Of the request. */
  readonly fingerprint: string;
  /** Id of the sync that it made. */
  readonly sync: string;
  /** SHA-256 of the uploaded body, once it was received whole. */
  readonly body?: string;
}

/** Keys that other gateways, and later ones, must know too. */
export interface Claims {
  /** Takes the key for this claim; answers with the earlier one when there is one whose sync is known or may still come. */
  take(key: string, claim: Claim): Promise<Claim | undefined>;
  /** The claim has grown. Never throws. */
  note(key: string, claim: Claim): Promise<void>;
  /** The request was refused: it may be tried again. Never throws. */
  forget(key: string, claim: Claim): Promise<void>;
}

/** JSON with object keys in sorted order: equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    item !== null && typeof item === "object" && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}

const conflict = (): GatewayError =>
  new GatewayError(
    "idempotency_conflict",
    "This Idempotency-Key was used with another request. Use a new key for a new request.",
    { param: "Idempotency-Key" },
  );

/** One keyed request. */
export interface KeyedRequest<T> {
  readonly key: string;
  readonly fingerprint: string;
  /** The id that its sync will have. */
  readonly id: string;
  readonly make: () => Promise<T>;
  /** The result of an earlier one. */
  readonly recall: (sync: string) => Promise<T>;
  /** The body that this request brings; read only where there is an earlier one to compare with. */
  readonly body?: BodyHash;
}

/** A body whose hash is known when it was read. */
export interface BodyHash {
  /** For `make`: the same bytes, hashed on their way. */
  readonly stream: ReadableStream<Uint8Array>;
  /** Of what `make` has read; undefined when that was not all. */
  hash(): string | undefined;
  /** Reads all of it for its hash alone. */
  drain(): Promise<string>;
}

/** Runs each key once. */
export interface Idempotency<T> {
  /**
   * A repeat with the same fingerprint and body gets the first one's result, and waits for it while that is under way.
   * A failed one is forgotten, so that the caller may try again. Throws GatewayError `idempotency_conflict` for another.
   */
  run(request: KeyedRequest<T>): Promise<T>;
}

/** @param limit keys remembered in this process; the one used longest ago is forgotten first. */
export function createIdempotency<T>(limit: number, claims?: Claims): Idempotency<T> {
  const known = new Map<string, { claim: Claim; readonly result: Promise<T> }>();

  async function compareBody(claim: Claim, body: BodyHash | undefined): Promise<void> {
    if (body === undefined || claim.body === undefined) return;
    if ((await body.drain()) !== claim.body) throw conflict();
  }

  async function first({ key, fingerprint, id, make, recall, body }: KeyedRequest<T>): Promise<T> {
    const own: Claim = { fingerprint, sync: id };
    const earlier = await claims?.take(key, own);
    if (earlier !== undefined) {
      if (earlier.fingerprint !== fingerprint) throw conflict();
      const result = await recall(earlier.sync);
      await compareBody(earlier, body);
      return result;
    }
    try {
      const result = await make();
      const hash = body?.hash();
      const entry = known.get(key);
      if (hash !== undefined) {
        const whole = { ...own, body: hash };
        if (entry !== undefined) entry.claim = whole;
        await claims?.note(key, whole);
      }
      return result;
    } catch (error) {
      await claims?.forget(key, own);
      throw error;
    }
  }

  return {
    async run(request) {
      const { key, fingerprint, id } = request;
      const earlier = known.get(key);
      if (earlier !== undefined) {
        if (earlier.claim.fingerprint !== fingerprint) throw conflict();
        known.delete(key);
        known.set(key, earlier);
        const result = await earlier.result;
        await compareBody(earlier.claim, request.body);
        return result;
      }
      const result = first(request);
      result.catch(() => undefined);
      known.set(key, { claim: { fingerprint, sync: id }, result });
      for (const oldest of known.keys()) {
        if (known.size <= limit) break;
        known.delete(oldest);
      }
      try {
        return await result;
      } catch (error) {
        if (known.get(key)?.result === result) known.delete(key);
        throw error;
      }
    },
  };
}

/** Hashes a body on its way. A stream of pieces, read once: either through `stream` or by `drain`. */
export function hashBody(body: ReadableStream<Uint8Array>, sha256: () => Sha256): BodyHash {
  const hash = sha256();
  let whole: string | undefined;
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  const open = (): ReadableStreamDefaultReader<Uint8Array> => {
    reader ??= body.getReader();
    return reader;
  };
  return {
    stream: new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const { done, value } = await open().read();
          if (done) {
            whole ??= hash.hex();
            return controller.close();
          }
          hash.update(value);
          controller.enqueue(value);
        },
        cancel: (reason) => open().cancel(reason),
      },
      { highWaterMark: 0 },
    ),
    hash: () => whole,
    async drain() {
      for (let next = await open().read(); !next.done; next = await open().read()) hash.update(next.value);
      whole ??= hash.hex();
      return whole;
    },
  };
}
