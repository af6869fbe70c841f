/**
 * Which weights made an answer that was handed on: those of its beginning, and, where a switch with mode `keep` froze it and
 * let it go on with new ones, those of its end too. A server does not say so itself; its owner knows both.
 */
import type { WeightVersion } from "../contract/ids.ts";
import { GatewayError } from "../errors.ts";
import type { Replica } from "../fleet/types.ts";
import type { Stamp } from "../gateway-types.ts";

/**
 * First and last weights of an answer that is here. Throws `upstream_failed`, so that the call is made elsewhere, when
 * nobody knows the last ones: an update broke under it.
 */
export function toSpan(
  { weightVersion: first }: Stamp,
  { id, weightVersion: last }: Pick<Replica, "id" | "weightVersion">,
  response: Response,
): { readonly first: WeightVersion; readonly last: WeightVersion } {
  if (last !== null) return { first, last };
  void response.body?.cancel().catch(() => undefined);
  throw new GatewayError("upstream_failed", `The weights of ${id} became unknown while it answered.`, { replica: id });
}

/**
 * A comment of an event stream (WHATWG HTML 9.2.5: a line that begins with a colon, which readers pass over) behind its
 * last event, where the weights changed since its head told them; else null, and the server's bytes are all there is.
 */
export function toLastLine(
  { weightVersion: first }: Stamp,
  { weightVersion: last }: Pick<Replica, "weightVersion">,
): Uint8Array | null {
  if (last === first) return null;
  return new TextEncoder().encode(`: x-weight-version: ${first}-${last ?? "unknown"}\n\n`);
}
