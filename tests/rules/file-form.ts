/** The outer form of files: length, names, how they export. */
import ts from "typescript";
import { type Breach, parse, type SourceFiles } from "./source.ts";

/** The hard stop; the habit is under 120. */
const LINES_LIMIT = 400;

/** Files that are too long to be read in one go. */
export function checkFileSize(files: SourceFiles): Breach[] {
  return [...files]
    .map(([file, text]) => ({ file, lines: text.trimEnd().split("\n").length }))
    .filter(({ lines }) => lines > LINES_LIMIT)
    .map(({ file, lines }) => ({ file, message: `${lines} lines, at most ${LINES_LIMIT}; one idea per file` }));
}

const KEBAB = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$/;

/** Files and folders whose names are not kebab-case. */
export function checkNames(files: SourceFiles): Breach[] {
  return [...files.keys()].flatMap((file) => {
    const wrong = file.split("/").find((part) => !KEBAB.test(part));
    return wrong === undefined ? [] : [{ file, message: `"${wrong}" is not kebab-case` }];
  });
}

/** The one entry file whose runtime asks for a default export. */
const DEFAULT_ALLOWED = /^src\/platform\/workerd\.ts$|\.config\.ts$/;

/** Default exports: they have no name to search for. */
export function checkDefaultExports(files: SourceFiles): Breach[] {
  return [...files]
    .filter(([file, text]) => !DEFAULT_ALLOWED.test(file) && hasDefaultExport(file, text))
    .map(([file]) => ({ file, message: "has a default export; give it a name" }));
}

function hasDefaultExport(file: string, text: string): boolean {
  return parse(file, text).statements.some((statement) => {
    if (ts.isExportAssignment(statement)) return true;
    if (ts.isExportDeclaration(statement) && statement.exportClause && ts.isNamedExports(statement.exportClause)) {
      return statement.exportClause.elements.some(({ name }) => name.text === "default");
    }
    const modifiers = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined;
    return modifiers?.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword) === true;
  });
}
