/** Circles of imports, types included: two files that need each other are one idea in two places, or lack a third file. */
import { posix } from "node:path";
import { importsOf } from "./import-ranks.ts";
import type { Breach, SourceFiles } from "./source.ts";

/** Each circle once, as its shortest way found from one of its files back to that file. */
export function checkCircles(files: SourceFiles): Breach[] {
  const targets = new Map<string, readonly string[]>();
  for (const [file, text] of files) {
    const relative = importsOf(file, text).filter((specifier) => specifier.startsWith("."));
    const paths = relative.map((specifier) => posix.join(posix.dirname(file), specifier));
    targets.set(
      file,
      paths.filter((path) => files.has(path)),
    );
  }
  const breaches: Breach[] = [];
  const done = new Set<string>();
  const way: string[] = [];
  const visit = (file: string): void => {
    const at = way.indexOf(file);
    if (at >= 0) {
      breaches.push({ file, message: `imports itself in a circle: ${[...way.slice(at), file].join(" → ")}` });
      return;
    }
    if (done.has(file)) return;
    way.push(file);
    for (const target of targets.get(file) ?? []) visit(target);
    way.pop();
    done.add(file);
  };
  for (const file of files.keys()) visit(file);
  return breaches;
}
