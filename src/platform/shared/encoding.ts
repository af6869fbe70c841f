/** Keeps fetch implementations from asking upstreams for compression that no client asked for. */

/**
 * Returns `init` with `accept-encoding: identity` where the caller named none: every runtime would add its own list,
 * and a compressed answer would then reach a client that never said it can read one.
 */
export function identityUnlessAsked(init: RequestInit): RequestInit {
  const { headers } = init;
  if (headers !== undefined && !(headers instanceof Headers) && "accept-encoding" in headers) return init;
  const named = headers instanceof Headers ? headers : new Headers(headers);
  if (!named.has("accept-encoding")) named.set("accept-encoding", "identity");
  return { ...init, headers: named };
}
