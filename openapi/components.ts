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
  for (const [id, schema] of z.globalRegistry._idmap) registry.register(id, schema as z.ZodType);
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
