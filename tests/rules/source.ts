/** The repository's own source as a list of files, parsed once. Rules are functions over such a list, so that their tests can hand them a broken one. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** Paths from the repository root, with "/" on every system, and their text. */
export type SourceFiles = ReadonlyMap<string, string>;

/** One place where a rule does not hold. */
export interface Breach {
  readonly file: string;
  /** What is wrong and what to do instead. */
  readonly message: string;
}

/** The repository root. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Reads every TypeScript and JavaScript file below the folders. */
export function readSource(...folders: readonly string[]): SourceFiles {
  const files = new Map<string, string>();
  for (const folder of folders.filter((name) => existsSync(join(ROOT, name)))) {
    for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })) {
      if (!entry.isFile() || !/\.(ts|mjs)$/.test(entry.name)) continue;
      const path = join(entry.parentPath, entry.name);
      if (path.includes("node_modules") || path.includes("fixtures")) continue;
      files.set(path.slice(ROOT.length).replaceAll("\\", "/"), readFileSync(path, "utf8"));
    }
  }
  return new Map([...files].sort(([left], [right]) => (left < right ? -1 : 1)));
}

/** The syntax tree of one file, with parents, so that a node's surroundings can be asked for. */
export const parse = (path: string, text: string): ts.SourceFile =>
  ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true);

/** Visits every node of a tree. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** Breaches as the text of a failed assertion. */
export const show = (breaches: readonly Breach[]): string =>
  breaches.map(({ file, message }) => `${file}: ${message}`).join("\n");
