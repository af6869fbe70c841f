/**
 * Hands a request on byte for byte and gives back the upstream's answer as fetch gave it. Reads an answer only when it
 * is a short 500: that may be the last word of a dying engine, and then the request can go elsewhere.
 */
import { GatewayError } from "../../errors.ts";
import type { CallOptions, ForwardRequest } from "../engine.ts";
import type { Client } from "./client.ts";
import { connectionError, readUpstreamError } from "./faults.ts";
import { toUpstreamHeaders } from "./headers.ts";

/** Longest 500 that is looked at; vLLM's are under 1 KB. */
const LOOKED_AT_LIMIT = 64 * 1024;

/** POST paths that change nothing: after a reset without an answer they may be sent again. */
const REPEATABLE = /^\/(v1\/(chat\/)?completions|tokenize|detokenize)(\?|$)/;

/** True when the whole request can be sent a second time without anything happening twice. */
function isRepeatable({ method, target, body }: ForwardRequest): boolean {
  if (body instanceof ReadableStream) return false;
  return method === "GET" || method === "HEAD" || REPEATABLE.test(target);
}

/** Creates `Engine.forward` for one server. */
export function createForward(
  client: Client,
  apiKey: string | undefined,
): (request: ForwardRequest, options: CallOptions) => Promise<Response> {
  async function lookAt(response: Response, signal: AbortSignal): Promise<Response> {
    const length = Number(response.headers.get("content-length") ?? Number.NaN);
    if (!(length <= LOOKED_AT_LIMIT)) return response;
    let bytes: ArrayBuffer;
    try {
      bytes = await response.arrayBuffer();
    } catch (thrown) {
      if (signal.aborted) throw signal.reason;
      throw connectionError(client.url, thrown);
    }
    const text = new TextDecoder().decode(bytes);
    if (client.notice(text)) {
      const { message } = readUpstreamError(text);
      throw new GatewayError("upstream_failed", `The vLLM server at ${client.url} is dead: ${message.slice(0, 200)}`, {
        upstream: message.slice(0, 500),
      });
    }
    const { status, statusText, headers } = response;
    return new Response(bytes, { status, statusText, headers });
  }

  return (request, { signal }) => {
    const { body } = request;
    const init: RequestInit & { readonly signal: AbortSignal } = {
      method: request.method,
      headers: toUpstreamHeaders(request.headers, apiKey),
      body: body as NonNullable<RequestInit["body"]> | null,
      signal,
      ...(body instanceof ReadableStream ? { duplex: "half" } : {}),
    };
    return client
      .send(request.target, init, isRepeatable(request))
      .then((response) => (response.status === 500 ? lookAt(response, signal) : response));
  };
}
