/** Structured log: one line per event, JSON or text, to the port's sink. Secrets are redacted by key name. */
import type { Clock, WriteLine } from "../ports.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger whose lines all carry `fields`. */
  with(fields: LogFields): Logger;
}

const ORDER: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Field names whose values never reach a log line. */
const SECRET = /^(authorization|api[-_]?key|token|password|secret|cookie)$/i;

function plain(value: unknown): unknown {
  if (value instanceof Error) {
    return value.cause === undefined
      ? { name: value.name, message: value.message, stack: value.stack }
      : { name: value.name, message: value.message, stack: value.stack, cause: plain(value.cause) };
  }
  return typeof value === "bigint" ? value.toString() : value;
}

function clean(fields: LogFields): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    out[key] = SECRET.test(key) ? "[redacted]" : plain(value);
  }
  return out;
}

function textValue(value: unknown): string {
  if (typeof value === "string") return /[\s"=]/.test(value) || value === "" ? JSON.stringify(value) : value;
  return JSON.stringify(value) ?? String(value);
}

/** Creates the root logger. `level` is the least level that is written. */
export function createLogger(options: {
  readonly format: "text" | "json";
  readonly level: LogLevel;
  readonly clock: Pick<Clock, "now">;
  readonly writeLine: WriteLine;
}): Logger {
  const least = ORDER[options.level];
  const build = (bound: Record<string, unknown>): Logger => {
    const write = (level: LogLevel, message: string, fields: LogFields = {}): void => {
      if (ORDER[level] < least) return;
      const time = new Date(options.clock.now()).toISOString();
      const all = { ...bound, ...clean(fields) };
      if (options.format === "json") {
        options.writeLine(JSON.stringify({ time, level, message, ...all }));
        return;
      }
      const pairs = Object.entries(all).map(([key, value]) => `${key}=${textValue(value)}`);
      options.writeLine([time, level.toUpperCase().padEnd(5), message, ...pairs].join(" "));
    };
    return {
      debug: (message, fields) => write("debug", message, fields),
      info: (message, fields) => write("info", message, fields),
      warn: (message, fields) => write("warn", message, fields),
      error: (message, fields) => write("error", message, fields),
      with: (fields) => build({ ...bound, ...clean(fields) }),
    };
  };
  return build({});
}
