/**
 * Where a configuration comes from: flags over environment over file. What the values mean is `config.ts`; this file
 * only finds them and keeps in mind who said what, for `--check`.
 */
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import {
  CONFIG_FIELDS,
  type Config,
  type ConfigField,
  ConfigSchema,
  parseConfig,
  toEnvironmentName,
  toFlag,
} from "../config.ts";
import { GatewayError, showValue } from "../errors.ts";
import { readEnvironment } from "../platform/environment.ts";
import type { Files } from "../ports.ts";
import type { Option, Options } from "./arguments.ts";
import { UsageError } from "./io.ts";

/** What `z.toJSONSchema` says of one field; enough for the help and for the table in the docs. */
export interface FieldFacts {
  readonly description?: string;
  readonly default?: unknown;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly anyOf?: readonly FieldFacts[];
  readonly items?: FieldFacts;
}

const SCHEMA = z.toJSONSchema(ConfigSchema, { io: "input", unrepresentable: "any" }) as {
  readonly properties: Readonly<Record<string, FieldFacts>>;
};

/** The schema of one field as the user writes it. */
export const factsOf = (field: ConfigField): FieldFacts => SCHEMA.properties[field] ?? {};

const isSwitch = (facts: FieldFacts): boolean => facts.anyOf?.some(({ type }) => type === "boolean") === true;
const isList = (facts: FieldFacts): boolean => facts.type === "array";

const placeholder = (facts: FieldFacts): string => {
  if (facts.enum !== undefined) return facts.enum.join("|");
  if (facts.type === "number" || facts.type === "integer") return "N";
  return facts.items?.format === "uri" ? "URL" : "TEXT";
};

function toOption(field: ConfigField): Option {
  const facts = factsOf(field);
  const shown = facts.default === undefined || isList(facts) ? "" : ` Default: ${facts.default}.`;
  const help = `${facts.description ?? ""}${shown}`;
  if (isSwitch(facts)) return { help };
  return { help, value: placeholder(facts), ...(isList(facts) ? { repeatable: true } : {}) };
}

/** One command-line option per field, then the two that are no settings. */
export const SETTING_OPTIONS: Options = {
  ...Object.fromEntries(CONFIG_FIELDS.map((field) => [toFlag(field).slice(2), toOption(field)])),
  config: { value: "FILE", help: "YAML or JSON file with the same settings; flags and environment win over it." },
};

/** A configuration file is written by hand; more than this is a mistake. */
const FILE_LIMIT = 2 ** 20;

const toField = (name: string): string => name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Reads a configuration file; names may be written as fields (`maxModelLen`) or as flags (`max-model-len`). */
export async function readSettingsFile(files: Files, path: string): Promise<Record<string, unknown>> {
  let content: unknown;
  try {
    const text = await files.readText(path, FILE_LIMIT);
    content = path.endsWith(".json") ? JSON.parse(text) : parseYaml(text);
  } catch (error) {
    const { message, code } = error as { message: string; code?: string };
    throw new UsageError(`--config ${path}: ${code === "ENOENT" ? "no such file" : message.split("\n")[0]}`);
  }
  if (content === null || content === undefined) return {};
  if (typeof content !== "object" || Array.isArray(content)) {
    throw new UsageError(`--config ${path}: must hold settings by name, such as "port: 9000"`);
  }
  const known = new Set<string>(CONFIG_FIELDS);
  const settings: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(content)) {
    const field = toField(name);
    if (!known.has(field)) throw new UsageError(`--config ${path}: there is no setting "${name}"`);
    if (value !== null) settings[field] = value;
  }
  return settings;
}

/** What a field accepts, in words; undefined where the schema's own message is the better one. */
export function toAccepted(facts: FieldFacts): string | undefined {
  if (isSwitch(facts)) return "true or false";
  if (facts.enum !== undefined) return `one of ${facts.enum.join(", ")}`;
  if (facts.type === "integer") return `a whole number from ${facts.minimum} to ${facts.maximum}`;
  if (facts.type === "number") return `a number above ${facts.exclusiveMinimum} and at most ${facts.maximum}`;
  if (facts.items?.format === "uri") return "http or https URLs, or dns://NAME:PORT";
  return undefined;
}

/** Says which spelling was wrong (flag, environment name or file) and what is accepted. */
function reword(error: unknown, values: Readonly<Record<string, unknown>>, origins: Settings["origins"]): unknown {
  if (!(error instanceof GatewayError)) return error;
  const field = error.details.param as ConfigField;
  const accepted = toAccepted(factsOf(field));
  if (accepted === undefined || field === "host") return error;
  const name = { flag: toFlag(field), environment: toEnvironmentName(field), file: field, default: field };
  return new UsageError(`${name[origins[field] ?? "default"]} must be ${accepted}, got ${showValue(values[field])}.`);
}

/** Where a value came from. */
export type Origin = "flag" | "environment" | "file" | "default";

/** A checked configuration and who said what. */
export interface Settings {
  readonly config: Config;
  readonly origins: Readonly<Record<string, Origin>>;
}

/** Merges and checks. Throws UsageError or GatewayError `invalid_value`. */
export async function readSettings(
  flags: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
  files: Files,
): Promise<Settings> {
  const path = flags.config ?? env.TIDEGATE_CONFIG;
  const fromFile = typeof path === "string" && path !== "" ? await readSettingsFile(files, path) : {};
  const fromEnvironment = readEnvironment(env);
  const fromFlags: Record<string, unknown> = {};
  for (const field of CONFIG_FIELDS) {
    const value = flags[toFlag(field).slice(2)];
    if (value !== undefined) fromFlags[field] = value;
  }
  const origins: Record<string, Origin> = {};
  for (const field of CONFIG_FIELDS) {
    origins[field] =
      field in fromFlags ? "flag" : field in fromEnvironment ? "environment" : field in fromFile ? "file" : "default";
  }
  const values = { ...fromFile, ...fromEnvironment, ...fromFlags };
  try {
    return { config: parseConfig(values), origins };
  } catch (error) {
    throw reword(error, values, origins);
  }
}

const HIDDEN = "(hidden)";
const withoutPassword = (text: string): string => text.replace(/\/\/[^/@\s]*@/, "//(hidden)@");

/** The effective configuration as YAML, one line per setting with its origin; secrets are hidden. */
export function showSettings({ config, origins }: Settings): string {
  const lines = CONFIG_FIELDS.map((field) => {
    let value: unknown = config[field];
    if (field === "apiKey") value = config.apiKey.map(({ name, scopes }) => ({ name, key: HIDDEN, scopes }));
    else if (field === "upstreamApiKey" && value !== undefined) value = HIDDEN;
    else if (field === "upstream") value = config.upstream.map(withoutPassword);
    else if (field === "serverWeight")
      value = config.serverWeight.map(({ server, weight }) => `${withoutPassword(server)}=${weight}`);
    else if (typeof value === "string") value = withoutPassword(value);
    return `${field}: ${JSON.stringify(value ?? null)} # ${origins[field]}`;
  });
  return `${lines.join("\n")}\n`;
}
