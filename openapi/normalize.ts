/**
 * Mends what the generator writes imprecisely. A named schema that may be null, or that carries a description of its
 * own, comes out as `allOf` of reference and rest: for null that is plain wrong (null is not the named schema), for
 * the others JSON Schema 2020-12 has siblings of `$ref`. Coerced parameters come out as optional and nullable.
 */

type Node = Record<string, unknown>;

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && !Array.isArray(value);

/** What is said about a value, not about its shape. */
const REMARKS: ReadonlySet<string> = new Set(["description", "example", "default", "deprecated"]);

/** `type: [object, null]` with properties as a choice: generators of clients take the list for two objects. */
function splitNullable(node: Node): Node {
  const { type, ...rest } = node;
  if (!Array.isArray(type) || !type.includes("null") || !("properties" in rest || "items" in rest)) return node;
  const remarks = Object.fromEntries(Object.entries(rest).filter(([key]) => REMARKS.has(key)));
  const shape = Object.fromEntries(Object.entries(rest).filter(([key]) => !REMARKS.has(key)));
  const types = type.filter((one) => one !== "null");
  return { ...remarks, anyOf: [{ type: types.length === 1 ? types[0] : types, ...shape }, { type: "null" }] };
}

/** Parameters are text: there is no null in them, and a path has all of its own. Coercion makes the generator think otherwise. */
function mendParameter(node: Node): void {
  if (typeof node.in !== "string" || typeof node.name !== "string") return;
  if (node.in === "path") node.required = true;
  const { schema } = node;
  if (!isNode(schema) || !Array.isArray(schema.type)) return;
  const types = schema.type.filter((type) => type !== "null");
  node.schema = { ...schema, type: types.length === 1 ? types[0] : types };
}

function mend(node: Node): Node {
  mendParameter(node);
  const parts = node.allOf;
  if (!Array.isArray(parts) || parts.length !== 2) return splitNullable(node);
  const [reference, rest] = parts as [unknown, unknown];
  if (!isNode(reference) || !isNode(rest) || typeof reference.$ref !== "string") return node;
  const { allOf: _, ...outer } = node;
  const { type, ...more } = rest;
  const nullable = (Array.isArray(type) && type.includes("null")) || rest.nullable === true;
  if (nullable) return { ...outer, anyOf: [reference, { type: "null" }], ...more };
  if (type !== undefined || "properties" in rest) return node;
  return { ...outer, ...reference, ...more };
}

/** Changes the document in place. Examples are data and stay as they are. */
export function normalizeSchemas(node: unknown): void {
  if (Array.isArray(node)) {
    for (const [index, item] of node.entries()) {
      if (isNode(item)) node[index] = mend(item);
      normalizeSchemas(node[index]);
    }
  } else if (isNode(node)) {
    for (const [key, value] of Object.entries(node)) {
      if (key === "example" || key === "examples" || key === "value") continue;
      if (isNode(value)) node[key] = mend(value);
      normalizeSchemas(node[key]);
    }
  }
}
