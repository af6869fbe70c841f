/**
 * Mends what the generator writes imprecisely: a named schema that may be null, or that carries a description of its
 * own, comes out as `allOf` of reference and rest. For null that is plain wrong (null is not the named schema), for
 * the others JSON Schema 2020-12 has siblings of `$ref`.
 */

type Node = Record<string, unknown>;

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && !Array.isArray(value);

function mend(node: Node): Node {
  const parts = node.allOf;
  if (!Array.isArray(parts) || parts.length !== 2) return node;
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
