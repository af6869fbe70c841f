/** What the two dialects of a communicator share: errors with a phase, and an HTTP call that runs beside a collective. */
import { GatewayError } from "../errors.ts";
import type { Peer } from "./communicator-http.ts";
import { ConnectionError, ServerError, WeightSyncError } from "./errors.ts";

/** How long the other half of a step may take to say its own words after the first half failed. */
const WORDS_GRACE = 1000;

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Anything thrown, as a WeightSyncError of that phase; the caller's own abort stays what it is. */
export function toWeightSyncError(connection: Peer, phase: string, error: unknown): unknown {
  if (error instanceof WeightSyncError) return error;
  const url = connection.baseUrl;
  if (error instanceof ServerError) {
    return new WeightSyncError(error.url, error.status, error.message, { code: error.code, phase });
  }
  if (error instanceof GatewayError) {
    const facts = { code: error.code, phase: error.details.phase ?? phase, replica: error.details.replica ?? null };
    return new WeightSyncError(url, error.status, error.message, facts);
  }
  if (error instanceof ConnectionError) {
    return new WeightSyncError(error.url, 424, error.message, { code: "upstream_failed", phase });
  }
  const timedOut = error instanceof DOMException && error.name === "TimeoutError";
  const text = timedOut ? `The deadline passed in phase ${phase} (${url}).` : describe(error);
  return new WeightSyncError(url, timedOut ? 504 : 400, text, {
    code: timedOut ? "deadline_exceeded" : "invalid_value",
    phase,
  });
}

/** For `catch`: throws the error as one of that phase. */
export const tell =
  (connection: Peer, phase: string, signal?: AbortSignal) =>
  (error: unknown): never => {
    if (signal?.aborted === true && error === signal.reason) throw error;
    throw toWeightSyncError(connection, phase, error);
  };

/**
 * Runs the collective and the HTTP call that it belongs to. The first failure ends the other half; if the server then has
 * words of its own, they are added: an NCCL error alone rarely says what happened.
 */
export async function together<T>(
  signal: AbortSignal,
  collective: (signal: AbortSignal) => Promise<T>,
  call: (signal: AbortSignal) => Promise<unknown>,
): Promise<T> {
  const controller = new AbortController();
  const both = AbortSignal.any([signal, controller.signal]);
  const local = collective(both);
  const remote = call(both);
  try {
    const [result] = await Promise.all([local, remote]);
    return result;
  } catch (error) {
    const words = await Promise.race([
      remote.then(
        () => undefined,
        (reason: unknown) => reason,
      ),
      new Promise<undefined>((resolve) => setTimeout(resolve, signal.aborted ? 0 : WORDS_GRACE)),
    ]);
    controller.abort(error);
    await Promise.allSettled([local, remote]);
    if (words instanceof ServerError && words !== error) {
      throw new ServerError(words.url, words.status, `${words.message} (here: ${describe(error)})`, words.code);
    }
    throw error;
  }
}
