/**
 * Gives every media type an example: where a route wrote none, one is put together from its schema (a schema's own
 * `example` first). The linter checks each against its schema.
 */

type Node = Record<string, unknown>;

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && !Array.isArray(value);

/** Schemas may refer to themselves; deeper than this an example helps nobody. */
const DEPTH_LIMIT = 8;

/** A value that fits the schema; undefined where none can be told. */
function toExample(schema: unknown, schemas: Node, depth = 0): unknown {
  if (!isNode(schema) || depth > DEPTH_LIMIT) return undefined;
  if (schema.example !== undefined) return schema.example;
  if (schema.default !== undefined) return schema.default;
  const follow = (part: unknown): unknown => toExample(part, schemas, depth + 1);
  if (typeof schema.$ref === "string") return follow(schemas[schema.$ref.split("/").at(-1) ?? ""]);
  if (schema.const !== undefined) return schema.const;
  if (Array.isArray(schema.enum)) return schema.enum[0];
  for (const keyword of ["oneOf", "anyOf"]) if (Array.isArray(schema[keyword])) return follow(schema[keyword][0]);
  if (Array.isArray(schema.allOf)) return Object.assign({}, ...schema.allOf.map(follow));
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  switch (type) {
    case "object": {
      const required = Array.isArray(schema.required) ? schema.required : [];
      const entries = Object.entries(isNode(schema.properties) ? schema.properties : {})
        .filter(([name]) => required.includes(name))
        .map(([name, part]) => [name, follow(part)] as const);
      return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
    }
    case "array": {
      const item = follow(schema.items);
      return item === undefined ? [] : [item];
    }
    case "boolean":
      return false;
    case "integer":
    case "number":
      return schema.minimum ?? 0;
    case "null":
      return null;
    case "string":
      return schema.pattern === undefined && schema.format === undefined ? "text" : undefined;
    case undefined:
      return {};
    default:
      return undefined;
  }
}

/** Fills `content` maps below `paths` in place. */
export function fillExamples(node: unknown, schemas: Node): void {
  if (!isNode(node)) return;
  for (const [key, value] of Object.entries(node)) {
    if (key !== "content" || !isNode(value)) {
      fillExamples(value, schemas);
      continue;
    }
    for (const media of Object.values(value).filter(isNode)) {
      if (media.example !== undefined || media.examples !== undefined) continue;
      const example = toExample(media.schema, schemas);
      if (example !== undefined) media.example = example;
    }
  }
}
