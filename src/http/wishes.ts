/** Request headers that say which weights may answer and which replica should, read into `RoutingWishes`. */
import { GatewayError, showValue } from "../errors.ts";
import type { RoutingWishes } from "../gateway-types.ts";

/** A day: the longest time anything may wait here. */
const WAIT_LIMIT_SECONDS = 86_400;
/** Session ids are kept as map keys; a bound, so that nobody fills the memory with one header. */
const SESSION_ID_LIMIT = 256;

const NONE: RoutingWishes = { waitSeconds: 0 };

function refuse(name: string, value: string, accepted: string): GatewayError {
  return new GatewayError("invalid_value", `Header ${name} must be ${accepted}, got ${showValue(value)}.`, {
    param: name,
  });
}

function readInteger(headers: Headers, name: string, what = "a weight version"): number | undefined {
  const text = headers.get(name);
  if (text === null) return undefined;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw refuse(name, text, `${what}: an integer from 0`);
  return value;
}

/**
 * Parses `x-min-weight-version`, `x-exact-weight-version`, `x-max-weight-lag`, `x-weight-wait` (seconds) and
 * `x-session-id`. Throws GatewayError `invalid_value` that names the header.
 *
 * @example
 * ```ts
 * import { parseWishes } from "./wishes.ts";
 * const wishes = parseWishes(new Headers({ "x-min-weight-version": "7", "x-weight-wait": "1.5" }));
 * if (wishes.minVersion !== 7 || wishes.waitSeconds !== 1.5) throw new Error("headers changed");
 * ```
 */
export function parseWishes(headers: Headers): RoutingWishes {
  const minVersion = readInteger(headers, "x-min-weight-version");
  const exactVersion = readInteger(headers, "x-exact-weight-version");
  const maxLag = readInteger(headers, "x-max-weight-lag", "how many versions behind");
  const wait = headers.get("x-weight-wait");
  const sessionId = headers.get("x-session-id");
  if (
    minVersion === undefined &&
    exactVersion === undefined &&
    maxLag === undefined &&
    wait === null &&
    sessionId === null
  )
    return NONE;
  let waitSeconds = 0;
  if (wait !== null) {
    waitSeconds = /^\d{1,6}(\.\d{1,6})?$/.test(wait) ? Number(wait) : Number.NaN;
    if (!(waitSeconds <= WAIT_LIMIT_SECONDS)) {
      throw refuse("x-weight-wait", wait, `seconds from 0 to ${WAIT_LIMIT_SECONDS}`);
    }
  }
  if (sessionId !== null && (sessionId.length === 0 || sessionId.length > SESSION_ID_LIMIT)) {
    throw refuse("x-session-id", sessionId, `1 to ${SESSION_ID_LIMIT} characters`);
  }
  return {
    waitSeconds,
    ...(minVersion === undefined ? {} : { minVersion }),
    ...(exactVersion === undefined ? {} : { exactVersion }),
    ...(maxLag === undefined ? {} : { maxLag }),
    ...(sessionId === null ? {} : { sessionId }),
  };
}
