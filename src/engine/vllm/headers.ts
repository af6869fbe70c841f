/** Which request headers go on to an upstream. Answers keep theirs: the HTTP side writes its own hop headers. */

/**
 * Never sent on: what describes one hop (RFC 9110 section 7.6.1), what fetch computes itself (`host`,
 * `content-length`), and what was meant for the gateway alone (its keys, its cookies).
 */
const NOT_FORWARDED = [
  "connection",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
  "proxy-connection",
  "proxy-authorization",
  "proxy-authenticate",
  "host",
  "content-length",
  "authorization",
  "cookie",
];

/** A copy without the headers above, with the upstream's own key, and asking for an answer that is not compressed. */
export function toUpstreamHeaders(headers: Headers, apiKey: string | undefined): Headers {
  const out = new Headers(headers);
  const named = headers.get("connection");
  // A `connection` header may name further headers of its hop; nearly always it is just "keep-alive".
  if (named !== null && named !== "keep-alive" && named !== "close") {
    for (const name of named.split(",")) if (/^[\w-]+$/.test(name.trim())) out.delete(name.trim());
  }
  for (const name of NOT_FORWARDED) out.delete(name);
  out.set("accept-encoding", "identity");
  if (apiKey !== undefined) out.set("authorization", `Bearer ${apiKey}`);
  return out;
}
