/** Who answered with which weights, as response headers and as body fields. Puts no request id on: that is the middleware's. */
import type { WeightVersion } from "../contract/ids.ts";
import type { Stamp } from "../gateway-types.ts";

/** First and last weight version that made tokens of one answer. */
export interface VersionSpan {
  readonly first: WeightVersion;
  readonly last: WeightVersion;
}

/** `7`, or `"7-8"` when a `keep` switch came between two tokens. */
export function toVersionField(span: VersionSpan): number | string {
  return span.first === span.last ? span.first : `${span.first}-${span.last}`;
}

/**
 * Sets `x-weight-version`, `x-weight-digest` (absent while unknown, and when two versions are mixed), `x-served-by`, and
 * `x-adapter-version` where a LoRA adapter of the fleet answered.
 *
 * @example
 * ```ts
 * import { stampHeaders } from "./stamp.ts";
 * const headers = new Headers();
 * stampHeaders(headers, { replica: "embedded-0", model: "m", weightVersion: 7 as never, weightDigest: null });
 * if (headers.get("x-weight-version") !== "7" || headers.has("x-weight-digest")) throw new Error("stamp changed");
 * ```
 */
export function stampHeaders(headers: Headers, stamp: Stamp, span?: VersionSpan): void {
  headers.set("x-weight-version", String(span === undefined ? stamp.weightVersion : toVersionField(span)));
  const mixed = span !== undefined && span.first !== span.last;
  if (stamp.weightDigest !== null && !mixed) headers.set("x-weight-digest", stamp.weightDigest);
  else headers.delete("x-weight-digest");
  headers.set("x-served-by", stamp.replica);
  if (stamp.adapterVersion !== undefined) headers.set("x-adapter-version", String(stamp.adapterVersion));
}

/** The upstream's answer with our stamps, and a `Retry-After` where its 429 has none; its body goes on byte for byte, never looked at. */
export function toForwardedResponse(response: Response, stamp: Stamp, span?: VersionSpan): Response {
  stampHeaders(response.headers, stamp, span);
  // A caller that is told nothing comes back at once.
  if (response.status === 429 && !response.headers.has("retry-after")) response.headers.set("retry-after", "1");
  return response;
}
