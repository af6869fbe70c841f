/** Renders a GatewayError once, in the words of the dialect that was spoken to. The only place that knows the four shapes. */
import type { Context } from "hono";
import { ERROR_CODES, type ErrorCode, GatewayError } from "../errors.ts";
import { type Dialect, dialectOf, isStateful } from "./dialect.ts";
import type { AppEnv } from "./env.ts";

/** Codes that FastAPI, and so TRL, answers with 422. */
const VALIDATION: ReadonlySet<ErrorCode> = new Set([
  "malformed_json",
  "missing_field",
  "invalid_value",
  "unknown_field",
]);

/** FastAPI's and vLLM's own words for what their router refuses. */
const ROUTER_WORDS: Partial<Record<ErrorCode, string>> = {
  not_found: "Not Found",
  method_not_allowed: "Method Not Allowed",
};

/** True for the codes that the TRL dialect answers with 422. */
export const isTrlValidation = (code: ErrorCode): boolean => VALIDATION.has(code);

const UNKNOWN_ID = "unknown";

/** What a stateful call says instead of a status that makes clients repeat it. */
function toUnrepeatable(error: GatewayError): GatewayError {
  const { status } = error;
  if (status !== 500 && status !== 502 && status !== 503) return error;
  return new GatewayError(status === 503 ? "conflict" : "replica_failed", error.message, error.details);
}

/** vLLM's `type` of what its request schemas refuse. */
const MALFORMED_TYPE = "Bad Request";

/** The body of an OpenAI-shaped error, as vLLM writes it. Also what a stream says after its head. */
export function toOpenAiError(error: GatewayError): {
  error: { message: string; type: string; param: string | null; code: number };
} {
  const { message, status } = error;
  const type = error.details.malformed === true ? MALFORMED_TYPE : error.type;
  return { error: { message, type, param: error.details.param ?? null, code: status } };
}

const toLocation = (param: string): (string | number)[] =>
  param.split(".").map((part) => (/^\d+$/.test(part) ? Number(part) : part));

const FASTAPI_TYPES: Partial<Record<ErrorCode, string>> = { missing_field: "missing", malformed_json: "json_invalid" };

/** `detail` of a TRL body: a sentence, or FastAPI's list for what validation refuses. */
export function toTrlDetail(error: GatewayError): unknown {
  const router = ROUTER_WORDS[error.code];
  if (router !== undefined) return router;
  if (!VALIDATION.has(error.code)) return error.message;
  const { param } = error.details;
  const loc = param?.startsWith("x-") ? ["header", param] : ["body", ...(param === undefined ? [] : toLocation(param))];
  return [{ type: FASTAPI_TYPES[error.code] ?? "value_error", loc, msg: error.message, input: null }];
}

/** RFC 9457 body of the control routes. */
function toProblemDetails(error: GatewayError, requestId: string): Record<string, unknown> {
  const { param, phase, replica, tensor, missingBytes, upstream } = error.details;
  return {
    type: `urn:tidegate:error:${error.code}`,
    title: error.code.replaceAll("_", " "),
    status: error.status,
    detail: error.message,
    code: error.code,
    retryable: error.retryable,
    ...(param === undefined ? {} : { param }),
    ...(phase === undefined ? {} : { phase }),
    ...(replica === undefined ? {} : { replica }),
    ...(tensor === undefined ? {} : { tensor }),
    ...(missingBytes === undefined ? {} : { missing_bytes: missingBytes }),
    ...(upstream === undefined ? {} : { upstream }),
    request_id: requestId,
  };
}

function toBody(error: GatewayError, dialect: Dialect, requestId: string): unknown {
  switch (dialect) {
    case "openai":
      return toOpenAiError(error);
    case "vllm": {
      const router = ROUTER_WORDS[error.code];
      return router === undefined ? toOpenAiError(error) : { detail: router };
    }
    case "trl":
      return { detail: toTrlDetail(error) };
    case "control":
      return toProblemDetails(error, requestId);
  }
}

/**
 * The response for a failed request. `dialect` defaults to the path's own. Stateful weight calls never get 500, 502
 * or 503, whatever failed: 424 and 409 take their place.
 */
export function renderProblem(c: Context<AppEnv>, error: GatewayError, dialect = dialectOf(c.req.path)): Response {
  const shown = isStateful(c.req.method, c.req.path) ? toUnrepeatable(error) : error;
  const status = dialect === "trl" && VALIDATION.has(shown.code) ? 422 : ERROR_CODES[shown.code].status;
  const headers = new Headers({
    "content-type": dialect === "control" ? "application/problem+json" : "application/json",
  });
  if (shown.details.retryAfter !== undefined) headers.set("retry-after", String(Math.ceil(shown.details.retryAfter)));
  if (status === 401) headers.set("www-authenticate", "Bearer");
  // Before the middleware ran (or when it failed itself) there is no id.
  const requestId = (c.get("requestId") as string | undefined) ?? UNKNOWN_ID;
  return new Response(JSON.stringify(toBody(shown, dialect, requestId)), { status, headers });
}
