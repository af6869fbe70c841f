/** Which request headers go on to an upstream. Answers keep theirs: the HTTP side writes its own hop headers. */

/**
 * Never sent on: what describes one hop (RFC 9110 section 7.6.1), what fetch computes itself (`host`,
 * `content-length`), and what was meant for the gateway alone (its keys, its cookies).
 */
const NOT_FORWARDED: ReadonlySet<string> = new Set([
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
]);

/**
 * The headers that go on, with the upstream's own key, and asking for an answer that is not compressed. A plain object:
 * one native object less per request than a `Headers`.
 */
export function toUpstreamHeaders(headers: Headers, apiKey: string | undefined): Record<string, string> {
  const out: Record<string, string> = {};
  let named = "";
  headers.forEach((value, name) => {
    if (name === "connection") named = value;
    else if (!NOT_FORWARDED.has(name)) out[name] = value;
  });
  // A `connection` header may name further headers of its hop; nearly always it is just "keep-alive".
  if (named !== "" && named !== "keep-alive" && named !== "close") {
    for (const name of named.split(",")) delete out[name.trim().toLowerCase()];
  }
  out["accept-encoding"] = "identity";
  if (apiKey !== undefined) out.authorization = `Bearer ${apiKey}`;
  return out;
}
