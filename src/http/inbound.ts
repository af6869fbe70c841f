/**
 * From an HTTP request to an `InboundCall`: reads the body whole, scans the few top-level keys that routing needs and
 * parses nothing else. The rest is parsed only when the chosen replica cannot take the bytes (`toRequest`).
 */
import type { Context } from "hono";
import type { GenerateRequest } from "../contract/generation.ts";
import { GatewayError } from "../errors.ts";
import type { InboundCall, Outcome, Wire } from "../gateway-types.ts";
import { createJsonScanner } from "../lib/scan-json.ts";
import type { AppEnv } from "./env.ts";
import { checkTokenBudget } from "./limits.ts";
import { parseJsonObject } from "./validation.ts";
import { parseWishes } from "./wishes.ts";

const scan = createJsonScanner(["model", "stream", "n", "max_tokens", "max_completion_tokens"]);

/** Path and query as they came; cheaper than parsing the whole URL. */
export function targetOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  return start === -1 ? "/" : url.slice(start);
}

const integerOr = (value: unknown, otherwise: number): number =>
  Number.isSafeInteger(value) ? (value as number) : otherwise;

// `c.get` and not `c.var` here and below: the latter builds an object of all variables at each use.

/** Scans the request, whose body has been read. Throws GatewayError when that is no JSON object or over the token budget. */
export function readCall(c: Context<AppEnv>, wire: Wire, buffer: ArrayBuffer): Omit<InboundCall, "toRequest"> {
  const body = new Uint8Array(buffer);
  const found = scan(body);
  if (!found.ok) {
    // The strict parser words it better; what only the scanner dislikes (a bare NaN as a limit) is named by the scanner.
    parseJsonObject(body);
    throw new GatewayError("malformed_json", `The request body: ${found.reason} (byte ${found.offset}).`);
  }
  const { model, stream, n, max_tokens, max_completion_tokens } = found.values;
  const maxTokens = integerOr(max_completion_tokens, integerOr(max_tokens, 1));
  checkTokenBudget({ prompts: 1, samples: integerOr(n, 1), maxTokens }, c.get("gateway").config);
  return {
    requestId: c.get("requestId"),
    wire,
    method: c.req.method,
    target: targetOf(c.req.raw.url),
    headers: c.req.raw.headers,
    body,
    model: typeof model === "string" ? model : undefined,
    stream: stream === true,
    wishes: parseWishes(c.req.raw.headers),
    signal: c.get("signal"),
  };
}

/** An outcome and, when the body had to be understood, what it was understood as. */
export interface Dispatched<T> {
  readonly outcome: Outcome;
  /** Set exactly when `outcome.kind` is `generated`. */
  readonly parsed: T | undefined;
}

/**
 * Hands the call to the gateway. `parse` is run at most once, and only for replicas that need it; it gives the neutral
 * request and whatever rendering the answer needs to remember.
 */
export function dispatchCall<T extends { readonly request: GenerateRequest }>(
  c: Context<AppEnv>,
  call: Omit<InboundCall, "toRequest">,
  parse: (body: Record<string, unknown>, bytes: Uint8Array) => T,
): Promise<Dispatched<T>> {
  let parsed: T | undefined;
  const toRequest = (): GenerateRequest => {
    parsed ??= parse(parseJsonObject(call.body), call.body);
    return parsed.request;
  };
  return c
    .get("gateway")
    .generation.dispatch(Object.assign(call, { toRequest }))
    .then((outcome) => ({ outcome, parsed }));
}

/** Narrows what `dispatchCall` gave for a generated outcome. */
export function parsedOf<T>(parsed: T | undefined): T {
  if (parsed !== undefined) return parsed;
  throw new GatewayError("internal", "A replica generated without having been given a request.");
}
