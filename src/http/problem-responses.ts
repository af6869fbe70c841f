/** OpenAPI descriptions of the errors of our own routes: from codes to responses with schema and one example each. */
import { Problem } from "../contract/control/problem.ts";
import { ERROR_CODES, type ErrorCode } from "../errors.ts";

/** One example per code: `[code, detail, more fields]`. */
export type ProblemCase = readonly [code: ErrorCode, detail: string, more?: Readonly<Record<string, unknown>>];

const REQUEST_ID = "0f8c8a52-7d0e-4c5a-9f5e-0d6a0f6a2f10";

function toExample([code, detail, more]: ProblemCase) {
  const { status, retryable } = ERROR_CODES[code];
  const head = {
    type: `urn:tidegate:error:${code}`,
    title: code.replaceAll("_", " "),
    status,
    detail,
    code,
    retryable,
  };
  return { summary: code, value: { ...head, ...more, request_id: REQUEST_ID } };
}

/** What `application/problem+json` responses look like in the document. */
export interface ProblemResponse {
  readonly description: string;
  readonly content: {
    readonly "application/problem+json": {
      readonly schema: typeof Problem;
      readonly examples: Record<string, { summary: string; value: unknown }>;
    };
  };
}

/**
 * Responses for a route's `responses`, grouped by status. The 401, 403 and other answers that every route may give
 * are added by the document itself.
 */
export function problems(...cases: readonly ProblemCase[]): Record<string, ProblemResponse> {
  const byStatus = new Map<number, ProblemCase[]>();
  for (const one of cases) {
    const { status } = ERROR_CODES[one[0]];
    byStatus.set(status, [...(byStatus.get(status) ?? []), one]);
  }
  const responses: Record<string, ProblemResponse> = {};
  for (const [status, group] of byStatus) {
    responses[status] = {
      description: [...new Set(group.map(([code]) => `\`${code}\``))].join(", "),
      content: {
        "application/problem+json": {
          schema: Problem,
          examples: Object.fromEntries(group.map((one) => [one[0], toExample(one)])),
        },
      },
    };
  }
  return responses;
}
