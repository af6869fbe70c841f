/**
 * From an HTTP request to an `InboundCall`: reads the body whole, scans the few top-level keys that routing needs and
 * parses nothing else. The rest is parsed only when the chosen replica cannot take the bytes (`toRequest`).
 */
import type { Context } from "hono";
import type { GenerateRequest } from "../contract/generation.ts";
import { GatewayError } from "../errors.ts";
import type { InboundBatch, InboundCall, Outcome, Wire } from "../gateway-types.ts";
import { createJsonScanner, type JsonSpan } from "../lib/scan-json.ts";
import type { AppEnv } from "./env.ts";
import { checkTokenBudget } from "./limits.ts";
import { parseJsonObject } from "./validation.ts";
import { parseWishes } from "./wishes.ts";

const KEYS = ["model", "stream", "n", "max_tokens", "max_completion_tokens"] as const;

const scan = createJsonScanner(KEYS);

/** Where a dialect keeps the prompts of a call; the lists have one item per prompt, the first has the prompts themselves. */
export interface BatchForm {
  readonly lists: readonly [string, ...string[]];
  readonly merge: InboundBatch["merge"];
  readonly scan: ReturnType<typeof createJsonScanner<string>>;
}

/** The form of a route whose calls may hold several prompts. */
export const createBatchForm = (lists: readonly [string, ...string[]], merge: InboundBatch["merge"]): BatchForm => ({
  lists,
  merge,
  scan: createJsonScanner<string>(KEYS, lists),
});

/** Path and query as they came; cheaper than parsing the whole URL. */
export function targetOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  return start === -1 ? "/" : url.slice(start);
}

const integerOr = (value: unknown, otherwise: number): number =>
  Number.isSafeInteger(value) ? (value as number) : otherwise;

// `c.get` and not `c.var` here and below: the latter builds an object of all variables at each use.

/** The prompts, where they are a list and the whole answer comes at once. */
function toBatch({ lists, merge }: BatchForm, values: Readonly<Record<string, unknown>>): InboundBatch | undefined {
  const isList = (value: unknown): value is JsonSpan =>
    typeof value === "object" && value !== null && (value as JsonSpan).kind === "array";
  const [prompts] = lists;
  if (values.stream === true || !isList(values[prompts])) return undefined;
  const { n } = values;
  return {
    lists: lists.map((name) => values[name]).filter(isList),
    merge,
    samples: merge === "completions" ? integerOr(n, 1) : undefined,
  };
}

/**
 * Scans the request, whose body has been read; `form` for routes that take several prompts. Throws GatewayError when
 * that is no JSON object or over the token budget.
 */
export function readCall(
  c: Context<AppEnv>,
  wire: Wire,
  buffer: ArrayBuffer,
  form?: BatchForm,
): Omit<InboundCall, "toRequest"> {
  const body = new Uint8Array(buffer);
  const found = form === undefined ? scan(body) : form.scan(body);
  if (!found.ok) {
    // The strict parser words it better; what only the scanner dislikes (a bare NaN as a limit) is named by the scanner.
    parseJsonObject(body);
    throw new GatewayError("malformed_json", `The request body: ${found.reason} (byte ${found.offset}).`);
  }
  const values: Readonly<Record<string, unknown>> = found.values;
  const { model, stream, n, max_tokens, max_completion_tokens } = values;
  const maxTokens = integerOr(max_completion_tokens, integerOr(max_tokens, 1));
  checkTokenBudget({ prompts: 1, samples: integerOr(n, 1), maxTokens }, c.get("gateway").config);
  const batch = form === undefined ? undefined : toBatch(form, values);
  return {
    requestId: c.get("requestId"),
    wire,
    method: c.req.method,
    target: targetOf(c.req.raw.url),
    headers: c.req.raw.headers,
    body,
    // vLLM: an empty name is none.
    model: typeof model === "string" && model !== "" ? model : undefined,
    stream: stream === true,
    ...(batch === undefined ? {} : { batch }),
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
