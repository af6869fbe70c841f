/** What the client library throws. Every error names the URL; a key is never part of one. */

/** The server could not be reached at all. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  readonly url: string;

  constructor(url: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.url = url;
  }
}

/** The server answered, and the answer is a failure. */
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

/** A weight sync did not complete; the old weights serve on unless `replica` is named as fenced in the message. */
export class WeightSyncError extends ServerError {
  override readonly name = "WeightSyncError";
  readonly phase: string | null;
  readonly replica: string | null;

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
