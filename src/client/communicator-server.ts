/** Which release of vLLM answers, or whether a gateway does: what its weight routes want. */
import { orAborted } from "../lib/deadline.ts";
import { ask, type Peer } from "./communicator-http.ts";

/** What differs between releases. */
export interface NativeServer {
  readonly gateway: boolean;
  /** Since 0.21. */
  readonly startAndFinish: boolean;
  /** Since 0.28; before, each update says it. */
  readonly packedInInit: boolean;
  /** `weight_version` in finish, since 0.29. */
  readonly weightVersion: boolean;
}

/** From the text of `/version`; what is not understood counts as new. */
export function toNativeServer(version: string, gateway: boolean): NativeServer {
  const match = /^(\d+)\.(\d+)/.exec(version);
  const [major, minor] = match === null || gateway ? [1, 0] : [Number(match[1]), Number(match[2])];
  const since = (least: number): boolean => major > 0 || minor >= least;
  return { gateway, startAndFinish: since(21), packedInInit: since(28), weightVersion: since(29) };
}

/** Asks `/version`. */
export async function readServer(connection: Peer, signal: AbortSignal): Promise<NativeServer> {
  const { json } = await ask(connection, "/version", { signal });
  const { version, name } = (json ?? {}) as { version?: unknown; name?: unknown };
  return toNativeServer(String(version), name === "tidegate");
}

/** Waits no longer than the signal allows. */
export const abandonAfter = <T>(promise: Promise<T>, signal: AbortSignal): Promise<T> => orAborted(promise, signal);
