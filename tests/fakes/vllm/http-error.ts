/** vLLM 0.32's error bodies (fixtures/vllm): two shapes, and the text that a validation error has. */
export class HttpError extends Error {
  readonly status: number;
  readonly body: unknown;

  constructor(status: number, body: unknown) {
    super(`status ${status}`);
    this.status = status;
    this.body = body;
  }

  /** FastAPI's own: unknown route, wrong method. */
  static detail(status: number, detail: string): HttpError {
    return new HttpError(status, { detail });
  }

  static shaped(status: number, type: string, message: string, param: string | null): HttpError {
    return new HttpError(status, { error: { message, type, param, code: status } });
  }

  /** What vLLM itself refuses. */
  static own(message: string, param: string | null): HttpError {
    return HttpError.shaped(400, "BadRequestError", message, param);
  }

  /** What pydantic refuses. `input` is Python's repr. */
  static validation(type: string, loc: string, message: string, input: string): HttpError {
    return HttpError.shaped(
      400,
      "Bad Request",
      `1 validation error:\n  {'type': '${type}', 'loc': '${loc}', 'msg': '${message}', 'input': ${input}}`,
      loc,
    );
  }

  static worker(text: string): HttpError {
    return HttpError.shaped(
      500,
      "InternalServerError",
      `Call to collective_rpc method failed: Worker failed with error '${text}', please check the stack trace above for the root cause`,
      null,
    );
  }
}

export const ENGINE_DEAD = "EngineCore encountered an issue. See stack trace (above) for the root cause.";
export const SHUTTING_DOWN = "cannot schedule new futures after shutdown";
