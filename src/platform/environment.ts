/** Settings out of environment names (`TIDEGATE_*`), wherever they come from: a process or the bindings of an edge worker. */
import { CONFIG_FIELDS, parseConfig, toEnvironmentName } from "../config.ts";

const DEFAULTS = parseConfig({});

/** Kubernetes sets TIDEGATE_PORT=tcp://… for a service named tidegate; that is no setting of ours. */
const isServiceLink = (value: string): boolean => /^(tcp|udp|sctp):\/\//.test(value);

/** Settings by field name. Lists are separated by white space, URLs also by commas. Empty means not set. */
export function readEnvironment(env: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  for (const field of CONFIG_FIELDS) {
    const value = env[toEnvironmentName(field)];
    if (typeof value !== "string") continue;
    const text = value.trim();
    if (text === "" || isServiceLink(text)) continue;
    // Keys may hold commas.
    settings[field] = Array.isArray(DEFAULTS[field]) ? text.split(field === "apiKey" ? /\s+/ : /[\s,]+/) : text;
  }
  return settings;
}
