/** What the client library throws. Every error names the URL; a key is never part of one. */

/**
 * There is no answer: the server could not be reached, cut the connection, or did not answer within the call's deadline.
 * `checkServer` throws it when the server is not ready within its total timeout.
 */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  readonly url: string;

  constructor(url: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.url = url;
  }
}

/** The server answered, and the answer is a failure (status 400 and above) or nothing that the protocol knows. */
export class ServerError extends Error {
  override readonly name: string = "ServerError";
  readonly url: string;
  readonly status: number;
  /** The code of the problem body, where there is one. */
  readonly code: string | null;

  constructor(url: string, status: number, message: string, code: string | null = null) {
    super(message);
    this.url = url;
    this.status = status;
    this.code = code;
  }
}

/**
 * New weights did not arrive: a sync failed or was aborted, or the server has no way to take them. The old weights
 * serve on, unless the message names a replica as fenced. Thrown by `updateModelParams`, `updateNamedParam`,
 * `initCommunicator` and `closeCommunicator`.
 */
export class WeightSyncError extends ServerError {
  override readonly name = "WeightSyncError";
  /** Where it failed: `init`, `receive`, `stage`, `verify`, `drain`, `switch`, `publish`; null when the server does not say. */
  readonly phase: string | null;
  /** The replica at fault; null when it is none in particular. */
  readonly replica: string | null;

  /** @param status of the answer; 0 when the client itself found the fault. */
  constructor(
    url: string,
    status: number,
    message: string,
    facts: { code?: string | null; phase?: string | null; replica?: string | null } = {},
  ) {
    super(url, status, message, facts.code ?? null);
    this.phase = facts.phase ?? null;
    this.replica = facts.replica ?? null;
  }
}
