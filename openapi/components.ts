/**
 * Named schemas. Each is handed to the generator by itself before any route: met first inside `.nullable()`, it would
 * come out as nullable everywhere. Afterwards those that nothing refers to are dropped.
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";

type Registry = OpenAPIHono["openAPIRegistry"];
type Node = Record<string, unknown>;

/** Registers every schema with an `id` in its metadata. The order does not matter: components are sorted in the end. */
export function registerNamedSchemas(registry: Registry): void {
  // Zod's own list of ids; documented for JSON Schema export, which walks it the same way.
  for (const [id, schema] of z.globalRegistry._idmap) registry.register(id, toExtended(schema as z.ZodType));
}

/**
 * Zod gives a schema its methods when it is made: one that was made before the generator's package was loaded lacks
 * the method that `register` calls. Which module is loaded first must not decide whether there is a document.
 */
function toExtended(schema: z.ZodType): z.ZodType {
  if (schema.openapi === undefined) Object.defineProperty(schema, "openapi", { value: z.ZodType.prototype.openapi });
  return schema;
}

const REFERENCE = /"#\/components\/schemas\/([^"]+)"/g;

/** The schemas that `roots` reach, sorted by name. */
export function keepReachable(schemas: Node, ...roots: readonly unknown[]): Node {
  const kept = new Set<string>();
  const visit = (node: unknown): void => {
    for (const [, name] of (JSON.stringify(node) ?? "").matchAll(REFERENCE)) {
      if (name === undefined || kept.has(name)) continue;
      kept.add(name);
      visit(schemas[name]);
    }
  };
  for (const root of roots) visit(root);
  return Object.fromEntries([...kept].sort().map((name) => [name, schemas[name]]));
}
