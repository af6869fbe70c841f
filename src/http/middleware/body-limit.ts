/**
 * The limit on request bodies: by the stated length where there is one (the runtime holds the client to it), by
 * counting where there is none.
 */
import { GatewayError } from "../../errors.ts";

const tooLarge = (limit: number): GatewayError =>
  new GatewayError(
    "payload_too_large",
    `The request body is larger than ${limit} bytes (--max-body-bytes). Weights go to POST /api/weight-syncs as application/octet-stream, which has no such limit.`,
  );

async function readUpTo(stream: ReadableStream<Uint8Array>, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = stream.getReader();
  for (;;) {
    const next = await reader.read();
    if (next.done) break;
    length += next.value.byteLength;
    if (length > limit) {
      await reader.cancel().catch(() => undefined);
      throw tooLarge(limit);
    }
    parts.push(next.value);
  }
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.byteLength;
  }
  return whole;
}

/**
 * Nothing to do (undefined) for a request with a stated length within the limit, which is nearly every one. A body
 * of unknown length is read here, and the promise is of a request that has it in memory.
 * Throws, or rejects with, `payload_too_large`.
 */
export function limitBody(request: Request, limit: number): Promise<Request> | undefined {
  const stated = request.headers.get("content-length");
  if (stated !== null) {
    // The runtimes refuse what is not a number, and cut a body at the length it states.
    if (Number(stated) > limit) throw tooLarge(limit);
    return undefined;
  }
  if (request.method === "GET" || request.method === "HEAD" || request.body === null) return undefined;
  return readUpTo(request.body, limit).then(
    (body) => new Request(request.url, { method: request.method, headers: request.headers, body }),
  );
}
