/**
 * The errors that routes have in common because the middleware gives them, not the handler: key, body limit, drain,
 * deadline, accident. Each in the shape of the route's dialect, with an example per code.
 */
import { ERROR_CODES, type ErrorCode } from "../src/errors.ts";
import type { AnyRoute } from "../src/http/define-route.ts";
import { dialectOf, isStateful } from "../src/http/dialect.ts";
import { openAiErrors, trlErrors } from "../src/http/error-responses.ts";
import { problems } from "../src/http/problem-responses.ts";

type Examples = Readonly<Record<string, unknown>>;
type Responses = AnyRoute["route"]["responses"];

interface Described {
  readonly description: string;
  readonly content?: Readonly<Record<string, { readonly schema: unknown; readonly examples?: Examples }>>;
}

type Case = readonly [code: ErrorCode, detail: string];

const UNAUTHORIZED: Case = ["unauthorized", "This route needs an API key: send Authorization: Bearer KEY."];
const TOO_LARGE: Case = ["payload_too_large", "The request body is larger than 67108864 bytes (--max-body-bytes)."];
const DRAINING = "This gateway is shutting down and takes no new requests.";
const DEADLINE: Case = ["deadline_exceeded", "The call did not end within its deadline of 5 s (x-request-timeout)."];
const BAD_TIMEOUT: Case = [
  "invalid_value",
  'x-request-timeout must be a number of seconds above 0 and up to 86400, got "soon".',
];
const INTERNAL = "An unexpected error occurred; the log has it under this request id.";

function commonCases({ route, scope }: AnyRoute): readonly Case[] {
  const cases: Case[] = [BAD_TIMEOUT];
  if (route.request?.body !== undefined) cases.push(TOO_LARGE);
  if (scope === null) return cases;
  cases.push(UNAUTHORIZED, ["forbidden", `Key "reader" lacks the scope "${scope}" that this route needs.`], DEADLINE);
  // Clients repeat 500, 502 and 503: calls that change state say 409 and 424 in their place.
  if (isStateful(route.method.toUpperCase(), route.path))
    cases.push(["conflict", DRAINING], ["replica_failed", INTERNAL]);
  else cases.push(["draining", DRAINING], ["internal", INTERNAL]);
  return cases;
}

function describe(dialect: ReturnType<typeof dialectOf>, cases: readonly Case[]): Record<string, Described> {
  if (dialect === "control") return problems(...cases);
  return dialect === "trl" ? trlErrors(...cases) : openAiErrors(...cases);
}

/** Descriptions of errors are lists of codes; anything else a route wrote itself stays as it is. */
const CODE_LIST = /^`[a-z_]+`(?:, `[a-z_]+`)*$/;

function merge(own: Described, common: Described): Described {
  const content: Record<string, { schema: unknown; examples?: Examples }> = { ...own.content };
  for (const [mediaType, media] of Object.entries(common.content ?? {})) {
    const present = content[mediaType];
    // A body of another kind under the same status and type, such as /readyz's 503: the route's own word counts.
    if (present !== undefined && present.examples === undefined) continue;
    content[mediaType] = { ...media, ...present, examples: { ...media.examples, ...present?.examples } };
  }
  const codes = new Set([...own.description.split(", "), ...common.description.split(", ")]);
  return { description: CODE_LIST.test(own.description) ? [...codes].join(", ") : own.description, content };
}

/** The responses of a route with the common errors added; what the route itself says comes first and stays. */
export function withCommonErrors(route: AnyRoute): Responses {
  const responses = { ...(route.route.responses as Record<string, Described>) };
  const common = describe(dialectOf(route.route.path), commonCases(route));
  for (const [status, described] of Object.entries(common)) {
    const own = responses[status];
    responses[status] = own === undefined ? described : merge(own, described);
  }
  return responses as Responses;
}

/** Every code with its status and whether a repeat can help, as a Markdown table for the document. */
export function describeCodes(): string {
  const rows = Object.entries(ERROR_CODES).map(
    ([code, { status, retryable }]) => `| \`${code}\` | ${status} | ${retryable ? "yes" : "no"} |`,
  );
  return ["| code | status | repeat may help |", "|---|---|---|", ...rows].join("\n");
}
