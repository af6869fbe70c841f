/**
 * The one writer of server-sent events. Pulls its source only as fast as the client reads, and gives the source back
 * (`return()`) when the client leaves. Knows no dialect: the source yields whole events as text.
 */

const encoder = new TextEncoder();

/** One event whose data is one line. */
export const toSseEvent = (data: string): string => `data: ${data}\n\n`;

/** The end mark of OpenAI streams. */
export const SSE_DONE = "data: [DONE]\n\n";

/**
 * A body stream of events. The source must turn its own failures into events: what it throws here breaks the
 * connection, which is all that HTTP leaves to say after the head.
 */
export function toSseStream(source: AsyncIterable<string>): ReadableStream<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const next = await iterator.next();
          if (next.done === true) controller.close();
          else controller.enqueue(encoder.encode(next.value));
        } catch (error) {
          controller.error(error);
        }
      },
      async cancel() {
        await iterator.return?.();
      },
    },
    // No read-ahead: an event is made when the one before it is on its way.
    { highWaterMark: 0 },
  );
}

/** A 200 answer that streams events; `headers` are added to, not copied. */
export function sseResponse(source: AsyncIterable<string>, headers: Headers): Response {
  headers.set("content-type", "text/event-stream; charset=utf-8");
  headers.set("cache-control", "no-cache");
  // Buffering reverse proxies would hold tokens back; nginx reads this header.
  headers.set("x-accel-buffering", "no");
  return new Response(toSseStream(source), { status: 200, headers });
}
