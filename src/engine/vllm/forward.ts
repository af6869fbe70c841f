/**
 * Hands a request on byte for byte and gives back the upstream's answer as fetch gave it. Reads an answer only when it
 * is a short 500: that may be the last word of a dying engine, and then the request can go elsewhere.
 */
import { GatewayError } from "../../errors.ts";
import { orAborted } from "../../lib/deadline.ts";
import type { ExchangeAnswer } from "../../ports.ts";
import type { CallOptions, ForwardRequest } from "../engine.ts";
import type { Client } from "./client.ts";
import { connectionError, readUpstreamError } from "./faults.ts";
import { toUpstreamHeaders } from "./headers.ts";
import type { Identity } from "./identity.ts";

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
  identity?: Identity,
): (request: ForwardRequest, options: CallOptions) => Promise<Response | ExchangeAnswer> {
  /** Throws when a 500 says that its server is dead: then the request can go elsewhere. */
  function refuseDeath(text: string): void {
    if (!client.notice(text)) return;
    const { message } = readUpstreamError(text);
    throw new GatewayError("upstream_failed", `The vLLM server at ${client.url} is dead: ${message.slice(0, 200)}`, {
      upstream: message.slice(0, 500),
    });
  }

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
    refuseDeath(new TextDecoder().decode(bytes));
    const { status, statusText, headers } = response;
    return new Response(bytes, { status, statusText, headers });
  }

  function lookAtAnswer(answer: ExchangeAnswer): ExchangeAnswer {
    const { body } = answer;
    if (body instanceof Uint8Array && body.byteLength <= LOOKED_AT_LIMIT) refuseDeath(new TextDecoder().decode(body));
    return answer;
  }

  return (request, { signal }) => {
    const { method, target, body } = request;
    const headers = toUpstreamHeaders(request.headers, apiKey);
    const proved = method === "POST" && identity?.matters === true ? identity : undefined;
    if (client.exchange !== undefined && !(body instanceof ReadableStream)) {
      return client
        .exchange(
          proved === undefined
            ? { method, target, headers, body }
            : { method, target, headers, body, admit: () => orAborted(proved.confirm(), signal) },
          signal,
          isRepeatable(request),
        )
        .then((answer) => (answer.status === 500 ? lookAtAnswer(answer) : answer));
    }
    const init: RequestInit & { readonly signal: AbortSignal } = {
      method,
      headers,
      body: body as NonNullable<RequestInit["body"]> | null,
      signal,
      ...(body instanceof ReadableStream ? { duplex: "half" } : {}),
    };
    const repeatable = isRepeatable(request);
    const send = (): Promise<Response> => client.send(target, init, repeatable && proved === undefined);
    return (proved === undefined ? send() : orAborted(proved.around(send, repeatable), signal)).then((response) =>
      response.status === 500 ? lookAt(response, signal) : response,
    );
  };
}
