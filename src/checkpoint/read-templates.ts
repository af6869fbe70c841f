/**
 * The chat templates of a model directory, from where transformers 5 reads them: `chat_template.jinja`, the directory
 * `additional_chat_templates`, `chat_template.json` of older processors, `tokenizer_config.json`. Parses none of them.
 */
import type { Files } from "../ports.ts";
import { isObject, type JsonObject, readJsonFile, readOptional, SMALL_LIMIT, unreadable } from "./read-files.ts";

/** One template, several by name, or none: the model can complete but not chat. */
export type TemplateTexts = string | Readonly<Record<string, string>> | null;

const DIRECTORY = "additional_chat_templates";
const SUFFIX = ".jinja";

/** More than any published model has (four); a bound on what is read. */
const COUNT_LIMIT = 64;

/** Several templates are written as a list of `{name, template}`, or as an object in some older files. */
function toTexts(value: unknown): TemplateTexts {
  if (typeof value === "string") return value;
  const entries: readonly (readonly [unknown, unknown])[] = Array.isArray(value)
    ? value.filter(isObject).map(({ name, template }) => [name, template] as const)
    : isObject(value)
      ? Object.entries(value)
      : [];
  const texts = entries.filter((entry): entry is [string, string] => entry.every((one) => typeof one === "string"));
  return texts.length === 0 ? null : Object.fromEntries(texts);
}

async function readDirectory(files: Files, root: string): Promise<[string, string][]> {
  const directory = files.resolve(root, DIRECTORY);
  if ((await files.stat(directory))?.kind !== "directory") return [];
  const names = (await files.list(directory)).filter((name) => name.endsWith(SUFFIX));
  if (names.length > COUNT_LIMIT) {
    throw unreadable(`${directory} must hold at most ${COUNT_LIMIT} templates, got ${names.length}.`);
  }
  const found: [string, string][] = [];
  for (const name of names) {
    const text = await readOptional(files, files.resolve(directory, name), SMALL_LIMIT);
    if (text !== undefined) found.push([name.slice(0, -SUFFIX.length), text]);
  }
  return found;
}

/** The templates, and where they were. */
export interface FoundTemplates {
  readonly texts: TemplateTexts;
  /** True when `chat_template.jinja` is there. */
  readonly inFile: boolean;
}

/** Files of templates go before those in JSON. Throws GatewayError `source_unreadable` naming the path. */
export async function readTemplates(files: Files, root: string, tokenizerConfig: JsonObject): Promise<FoundTemplates> {
  const own = await readOptional(files, files.resolve(root, "chat_template.jinja"), SMALL_LIMIT);
  const inFile = own !== undefined;
  const further = await readDirectory(files, root);
  if (further.length > 0)
    return { texts: Object.fromEntries([...(inFile ? [["default", own]] : []), ...further]), inFile };
  if (inFile) return { texts: own, inFile };
  const json = await readJsonFile(files, files.resolve(root, "chat_template.json"));
  return { texts: toTexts(json?.value.chat_template) ?? toTexts(tokenizerConfig.chat_template), inFile };
}
