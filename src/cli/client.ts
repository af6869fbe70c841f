/** HTTP calls to a gateway, for the commands. Words connection failures and problem bodies for a person. */
import { parseConfig } from "../config.ts";
import type { Ports } from "../ports.ts";
import type { Options } from "./arguments.ts";
import { type Io, OperationError, UsageError } from "./io.ts";

/** Options of every command that talks to a gateway. */
export const CLIENT_OPTIONS: Options = {
  url: { value: "URL", help: "The gateway. Default: $TIDEGATE_URL or http://127.0.0.1:8000." },
  "api-key": { value: "KEY", help: "Key to send; default: $TIDEGATE_API_KEY." },
};

/** A gateway as a client sees it. */
export interface GatewayClient {
  readonly url: string;
  /** True when the gateway runs on this machine and sees the same files. */
  readonly local: boolean;
  /** Resolves for 2xx; throws OperationError with the gateway's own words otherwise. */
  send(method: string, target: string, init?: RequestInit): Promise<Response>;
}

/** The shape of every error body, whatever the dialect; all of it is optional because a proxy may have answered. */
interface Refusal {
  readonly code?: string;
  readonly detail?: unknown;
  readonly title?: string;
  readonly error?: { readonly message?: string; readonly code?: unknown };
}

/** Longest piece of a foreign answer that is shown. */
const SHOWN_LIMIT = 500;

/** What an error answer says, in one line. */
export async function toRefusal(response: Response): Promise<string> {
  const text = await response.text().catch(() => "");
  let said = text.trim().slice(0, SHOWN_LIMIT);
  try {
    const body = JSON.parse(text) as Refusal;
    const detail = body.error?.message ?? body.detail ?? body.title;
    if (detail !== undefined) said = typeof detail === "string" ? detail : JSON.stringify(detail);
    if (body.code !== undefined) said += ` (${body.code})`;
  } catch {
    // Not JSON: shown as it came.
  }
  return `${response.status}${said === "" ? "" : `: ${said}`}`;
}

/** The deepest reason of a failed connection: `fetch failed` alone tells nobody anything. */
export function toReason(error: unknown): string {
  let deepest = error;
  while (deepest instanceof Error && deepest.cause instanceof Error) deepest = deepest.cause;
  const code = (deepest as { code?: unknown }).code;
  if (code === "ECONNREFUSED" || /ECONNREFUSED|Connection refused/.test(String(deepest))) return "connection refused";
  if (code === "ENOTFOUND") return "no such host";
  return deepest instanceof Error ? deepest.message : String(deepest);
}

/** `KEY`, or one of the server's forms when both read the same environment name. */
const toKey = (text: string): string => {
  const first = text.trim().split(/\s+/)[0] ?? "";
  return parseConfig({ apiKey: [first] }).apiKey[0]?.key ?? first;
};

/** Creates the client from the options and the environment. Throws UsageError for a bad URL. */
export function createClient(
  values: Readonly<Record<string, unknown>>,
  io: { readonly env: Io["env"]; readonly ports: Pick<Ports, "fetch"> },
): GatewayClient {
  const text = String(values.url ?? (io.env.TIDEGATE_URL || "http://127.0.0.1:8000"));
  if (!URL.canParse(text) || !/^https?:/.test(text)) throw new UsageError(`--url: "${text}" is no http or https URL`);
  const url = text.replace(/\/+$/, "");
  const given = values["api-key"] ?? io.env.TIDEGATE_API_KEY;
  const key = typeof given === "string" && given.trim() !== "" ? toKey(given) : undefined;
  const { hostname } = new URL(url);
  return {
    url,
    local: hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127."),
    async send(method, target, init = {}) {
      const headers = new Headers(init.headers);
      if (key !== undefined) headers.set("authorization", `Bearer ${key}`);
      let response: Response;
      try {
        response = await io.ports.fetch(`${url}${target}`, { ...init, method, headers });
      } catch (error) {
        if (init.signal?.aborted) throw error;
        throw new OperationError(
          `no answer from ${url}: ${toReason(error)}. Start a gateway with "tidegate serve", or name it with --url.`,
        );
      }
      if (response.ok) return response;
      throw new OperationError(`${url} answered ${await toRefusal(response)}`);
    },
  };
}
