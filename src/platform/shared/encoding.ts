/** Keeps fetch implementations from asking upstreams for compression that no client asked for. */

/**
 * Returns `init` with `accept-encoding: identity` where the caller named none: every runtime would add its own list,
 * and a compressed answer would then reach a client that never said it can read one.
 */
export function identityUnlessAsked(init: RequestInit): RequestInit {
  const headers = init.headers instanceof Headers ? init.headers : new Headers(init.headers);
  if (!headers.has("accept-encoding")) headers.set("accept-encoding", "identity");
  return { ...init, headers };
}
