/**
 * Writes the table of `docs/configuration.md` from the configuration schema; `--check` fails when it would change.
 */
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { factsOf, toAccepted } from "../src/cli/settings.ts";
import { CONFIG_FIELDS, type ConfigField, toEnvironmentName, toFlag } from "../src/config.ts";

const PAGE = new URL("../docs/configuration.md", import.meta.url);
const BEGIN = "<!-- generated: npm run docs -->";
const END = "<!-- end -->";

const toCell = (text: string): string => text.replaceAll("|", "\\|");

function toRow(field: ConfigField): string {
  const facts = factsOf(field);
  const isList = facts.type === "array";
  const usual = facts.default === undefined || isList ? "" : `\`${facts.default}\``;
  const accepted = toAccepted(facts) ?? (isList ? "texts" : "text");
  return `| \`${toFlag(field)}\` | \`${toEnvironmentName(field)}\` | \`${field}\` | ${usual} | ${toCell(accepted)} | ${toCell(facts.description ?? "")} |`;
}

/** The page with its table made anew; everything around the table stays. */
export function renderConfigPage(page: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`docs/configuration.md must hold ${BEGIN} … ${END}`);
  const head = "| flag | environment | file | default | accepted | meaning |\n| --- | --- | --- | --- | --- | --- |";
  const table = [head, ...CONFIG_FIELDS.map(toRow)].join("\n");
  return `${page.slice(0, begin)}${BEGIN}\n\n${table}\n\n${page.slice(end)}`;
}

if (import.meta.main) {
  const page = readFileSync(PAGE, "utf8");
  const rendered = renderConfigPage(page);
  if (process.argv.includes("--check")) {
    if (page !== rendered) {
      console.error('docs/configuration.md is not current; run "npm run docs"');
      process.exitCode = 1;
    }
  } else writeFileSync(PAGE, rendered);
}
