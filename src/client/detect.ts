/**
 * What stands at the other end: this gateway, a native vLLM server, or TRL's own `trl vllm-serve` (0.16 to 1.10). Asks with
 * GETs only, so it changes nothing and may be repeated.
 */
import { ServerError } from "./errors.ts";
import { type Answer, type Connection, send, toServerError } from "./http.ts";
import { parseLenientJson } from "./lenient-json.ts";
import { READING } from "./retry.ts";

/** `tidegate`: all of vLLM's routes and `/api`. `vllm`: the OpenAI and RL routes. `trl`: routes that end in a slash. */
export type ServerKind = "tidegate" | "vllm" | "trl";

/** The server as far as the client needs to know it. */
export interface ServerFacts {
  readonly kind: ServerKind;
  /** What `/version` says; null from TRL's server. */
  readonly version: string | null;
  /** First of `/v1/models`, sent with every generation; null from TRL's server and where none is listed. */
  readonly model: string | null;
  /**
   * TRL's server only: its routes, and the fields that its `/generate/` reads. FastAPI ignores fields that it does not
   * know, so a field that is missing here must be refused by the client. null: the server does not publish them.
   */
  readonly legacy: { readonly paths: ReadonlySet<string>; readonly generateFields: ReadonlySet<string> } | null;
}

/** TRL's server answers nothing while it generates; half a minute is patience, more would look like a hang. */
const PROBE_SECONDS = 30;

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

function jsonOf(answer: Answer): Record<string, unknown> | null {
  if (answer.status !== 200) return null;
  try {
    const value = parseLenientJson(answer.text);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

/** Routes and fields of a FastAPI server, from its own document. */
function toLegacy(document: Record<string, unknown> | null): ServerFacts["legacy"] {
  const paths = document?.paths;
  if (!isRecord(paths)) return null;
  const schemas = isRecord(document?.components) ? document.components.schemas : null;
  const request = isRecord(schemas) ? schemas.GenerateRequest : null;
  const fields = isRecord(request) && isRecord(request.properties) ? Object.keys(request.properties) : [];
  return fields.length === 0 ? null : { paths: new Set(Object.keys(paths)), generateFields: new Set(fields) };
}

/** Id of the first model; null when the list is empty, absent or not to be seen with this key. */
async function firstModel(get: (path: string) => Promise<Answer>): Promise<string | null> {
  const { data } = jsonOf(await get("/v1/models")) ?? {};
  const first: unknown = Array.isArray(data) ? data[0] : undefined;
  return isRecord(first) && typeof first.id === "string" ? first.id : null;
}

/**
 * Finds out.
 *
 * @param expected skips the question which kind it is
 * @throws ConnectionError; ServerError when the key is refused or the server cannot serve just now. A server that is none of the three for sure is taken for a
 *   vLLM: its own answers to the calls then say what it lacks.
 */
export async function detectServer(
  connection: Connection,
  expected: ServerKind | null,
  signal?: AbortSignal,
): Promise<ServerFacts> {
  const get = (path: string): Promise<Answer> =>
    send(connection, path, { method: "GET", seconds: PROBE_SECONDS, signal, retry: [READING] });
  const version = expected === "trl" ? null : await get("/version");
  if (version !== null && version.status !== 404 && version.status >= 400) throw toServerError(version);
  const said = version === null ? null : jsonOf(version);
  let kind = expected;
  if (kind === null && said?.name === "tidegate") kind = "tidegate";
  if (kind === null && typeof said?.version === "string") kind = "vllm";
  // vLLM would redirect this to /health, whose body is empty.
  if (kind === null) kind = jsonOf(await get("/health/"))?.status === "ok" ? "trl" : "vllm";
  return {
    kind,
    version: typeof said?.version === "string" ? said.version : null,
    model: kind === "trl" ? null : await firstModel(get),
    legacy: kind === "trl" ? toLegacy(jsonOf(await get("/openapi.json"))) : null,
  };
}

/** `ServerError` for a call that TRL's server of that release does not have. */
export function requireLegacyPath(baseUrl: string, facts: ServerFacts, path: string, since: string): void {
  if (facts.legacy === null || facts.legacy.paths.has(path)) return;
  throw new ServerError(
    `${baseUrl}${path}`,
    404,
    `The TRL server at ${baseUrl} has no ${path}; it came with TRL ${since}.`,
  );
}
