/** Names of a runtime appear only where a runtime is meant: platform, command line, worker. */
import ts from "typescript";
import { type Breach, parse, type SourceFiles, walk } from "./source.ts";

const NAMES: ReadonlySet<string> = new Set(["Bun", "Deno", "process", "Buffer", "require", "__dirname", "__filename"]);

/** Where they may appear. `openapi/generate.ts` is a script. */
const ALLOWED = /^src\/(platform|cli|worker)\/|^src\/store\/sqlite|^openapi\/generate\.ts$/;

/** True for a name that is read as a variable: no property, no key, no declaration, no type member. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isQualifiedName(parent)) return parent.left === node;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  if (ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent) || ts.isImportClause(parent)) return false;
  return !("name" in parent && parent.name === node);
}

/** True when the file itself declares the name: then it is no global. */
function declares(source: ts.SourceFile, name: string): boolean {
  let found = false;
  walk(source, (node) => {
    const named = ts.isVariableDeclaration(node) || ts.isParameter(node) || ts.isFunctionDeclaration(node);
    if (named && node.name !== undefined && ts.isIdentifier(node.name) && node.name.text === name) found = true;
  });
  return found;
}

/** Every use of a runtime's own global outside its rooms. */
export function checkGlobals(files: SourceFiles): Breach[] {
  const breaches: Breach[] = [];
  for (const [file, text] of files) {
    if (ALLOWED.test(file)) continue;
    const source = parse(file, text);
    const used = new Set<string>();
    walk(source, (node) => {
      if (ts.isIdentifier(node) && NAMES.has(node.text) && isReference(node)) used.add(node.text);
    });
    for (const name of used) {
      if (!declares(source, name))
        breaches.push({ file, message: `${name} belongs to a runtime; take it from a port` });
    }
  }
  return breaches;
}
