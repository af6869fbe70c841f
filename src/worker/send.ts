/**
 * Messages to the parent as frames. Events that are too many for one frame go in several; an answer that fits in none ends
 * its call with an error, and the call is cancelled: nobody will read what it would still compute.
 */
import { encodeFrame } from "./frame.ts";
import type { FromWorker } from "./protocol.ts";

/** What a sender acts through. */
export interface SenderOptions {
  readonly write: (frame: Uint8Array) => void;
  /** Ends what a call still does; its error has been sent. */
  readonly cancel: (id: number) => void;
  /** For a message that has no call to end: the worker cannot be understood any more. */
  readonly die: (reason: string) => void;
  /** Default: `encodeFrame`, which throws over the limit of a frame. */
  readonly encode?: (message: unknown) => Uint8Array;
}

/** Gives the function that sends. It never throws. */
export function createSender({
  write,
  cancel,
  die,
  encode = encodeFrame,
}: SenderOptions): (message: FromWorker) => void {
  /** False when the message did not fit and its call is over. */
  const send = (message: FromWorker): boolean => {
    let frame: Uint8Array;
    try {
      frame = encode(message);
    } catch (error) {
      if (message.type === "events" && message.events.length > 1) {
        const half = message.events.length >> 1;
        const { events, ...rest } = message;
        return send({ ...rest, events: events.slice(0, half) }) && send({ ...rest, events: events.slice(half) });
      }
      const reason = error instanceof Error ? error.message : String(error);
      if (message.type !== "events" && message.type !== "result") {
        die(reason);
        return false;
      }
      const details = { code: "payload_too_large", message: reason, details: {} } as const;
      write(encode({ type: "error", id: message.id, error: details } satisfies FromWorker));
      cancel(message.id);
      return false;
    }
    write(frame);
    return true;
  };
  return (message) => void send(message);
}
