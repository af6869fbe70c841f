/** Docstrings: which exports lack one, and the examples inside them. */
import { posix } from "node:path";
import ts from "typescript";
import { importsOf } from "./import-ranks.ts";
import { type Breach, parse, type SourceFiles, walk } from "./source.ts";

/** Rooms that people outside them program against. */
const PUBLIC = /^src\/(ports|errors|config|gateway-types|index)\.ts$|^src\/engine\//;

const isExported = (node: ts.Node): boolean =>
  ts.canHaveModifiers(node) && ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true;

const isFunction = (node: ts.Expression | undefined): boolean =>
  node !== undefined && (ts.isArrowFunction(node) || ts.isFunctionExpression(node));

const hasDoc = (node: ts.Node): boolean => ts.getJSDocCommentsAndTags(node).length > 0;

/** Names of exported functions and classes without a docstring. */
export function undocumented(file: string, text: string): string[] {
  const missing: string[] = [];
  for (const statement of parse(file, text).statements) {
    if (!isExported(statement) || hasDoc(statement)) continue;
    if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) {
      missing.push(statement.name?.text ?? "(unnamed)");
    } else if (ts.isVariableStatement(statement)) {
      for (const { name, initializer } of statement.declarationList.declarations) {
        if (isFunction(initializer)) missing.push(name.getText());
      }
    }
  }
  return missing;
}

/** Exported functions and classes of public rooms, and of what `src/index.ts` hands out, that say nothing. */
export function checkDocstrings(files: SourceFiles): Breach[] {
  const index = files.get("src/index.ts");
  const handedOut = new Set(
    index === undefined ? [] : importsOf("src/index.ts", index).map((name) => posix.join("src", name)),
  );
  return [...files]
    .filter(([file]) => PUBLIC.test(file) || handedOut.has(file))
    .flatMap(([file, text]) => undocumented(file, text).map((name) => ({ file, message: `${name} has no docstring` })));
}

/** One example of a docstring. */
export interface Example {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly code: string;
}

/** Every `ts` block below an `@example` tag. */
export function examplesOf(files: SourceFiles): Example[] {
  const examples: Example[] = [];
  for (const [file, text] of files) {
    if (!text.includes("@example")) continue;
    const source = parse(file, text);
    const seen = new Set<number>();
    walk(source, (node) => {
      for (const tag of ts.getJSDocTags(node)) {
        if (tag.tagName.text !== "example" || seen.has(tag.pos)) continue;
        seen.add(tag.pos);
        // From the text itself: the parser takes line breaks and indentation out of comments.
        const comment = source.text.slice(tag.pos, tag.parent.end).replaceAll(/^[ \t]*\*(?: |$)/gm, "");
        const own = comment.slice(0, nextTag(comment));
        const line = source.getLineAndCharacterOfPosition(tag.pos).line + 1;
        for (const [, code = ""] of own.matchAll(/```ts\n([\s\S]*?)```/g)) examples.push({ file, line, code });
      }
    });
  }
  return examples;
}

/** Where the tag after the first one begins. */
function nextTag(comment: string): number {
  const found = /\n@\w+/.exec(comment.slice(1));
  return found === null ? comment.length : found.index + 1;
}

/** Makes relative imports absolute, so that the example can run from another folder. */
export const toRunnable = ({ file, code }: Example, root: URL): string =>
  code.replaceAll(/(from\s+|import\s*\(?\s*)"(\.[^"]+)"/g, (_, before: string, specifier: string) => {
    return `${before}"${new URL(specifier, new URL(file, root)).href}"`;
  });
