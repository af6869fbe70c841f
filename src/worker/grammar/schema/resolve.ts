/** `$ref` within one document: JSON pointers and anchors. Nothing is fetched. */
import { GatewayError } from "../../../errors.ts";
import { isObject, type Schema } from "./keywords.ts";
import { unsupported } from "./problems.ts";

/** Sub-schemas looked through for anchors and ids. */
const WALK_LIMIT = 200_000;

export interface Resolver {
  /** The schema that a reference names and its JSON pointer. Throws GatewayError for what is not in the document. */
  find(reference: string, path: string): { readonly schema: unknown; readonly path: string };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
  } catch {
    return part;
  }
}

/** Reads the document once. */
export function createResolver(root: unknown): Resolver {
  const anchors = new Map<string, { readonly schema: Schema; readonly path: string }>();
  let nested: string | undefined;
  let visited = 0;
  const walk = (value: unknown, path: string): void => {
    visited += 1;
    if (visited > WALK_LIMIT) {
      throw new GatewayError("limit_exceeded", `A JSON schema may have at most ${WALK_LIMIT} parts.`);
    }
    if (Array.isArray(value)) for (const [index, item] of value.entries()) walk(item, `${path}/${index}`);
    if (!isObject(value)) return;
    if (typeof value.$anchor === "string") anchors.set(value.$anchor, { schema: value, path });
    const id = value.$id ?? value.id;
    if (typeof id === "string") {
      if (/^#[^/]/.test(id)) anchors.set(id.slice(1), { schema: value, path });
      // Inside examples and constants an id is a value; only places for schemas count.
      else if (path !== "" && "$id" in value && !/\/(enum|const|examples|default|properties)(\/\d+)?$/.test(path)) {
        nested ??= path;
      }
    }
    for (const [name, item] of Object.entries(value)) {
      if (name === "enum" || name === "const" || name === "examples" || name === "default") continue;
      walk(item, `${path}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`);
    }
  };
  walk(root, "");
  const ownId = isObject(root) && typeof root.$id === "string" ? root.$id.replace(/#$/, "") : undefined;
  return {
    find(reference, path) {
      const local =
        ownId !== undefined && reference.startsWith(`${ownId}#`) ? reference.slice(ownId.length) : reference;
      if (local === "#" || local === "" || local === ownId) return { schema: root, path: "" };
      if (!local.startsWith("#")) {
        throw unsupported(path, "$ref", `"${reference}" is outside of this document; put what it names under $defs`);
      }
      if (nested !== undefined) {
        throw unsupported(
          path,
          "$ref",
          `the part at ${nested} has an $id of its own, which changes what references mean`,
        );
      }
      if (!local.startsWith("#/")) {
        const found = anchors.get(local.slice(1));
        if (found === undefined) throw unsupported(path, "$ref", `there is no anchor "${local}" in this document`);
        return found;
      }
      let at: unknown = root;
      for (const part of local.slice(2).split("/")) {
        const name = decode(part);
        const next = Array.isArray(at)
          ? at[Number(name)]
          : isObject(at) && Object.hasOwn(at, name)
            ? at[name]
            : undefined;
        if (next === undefined) throw unsupported(path, "$ref", `there is nothing at "${reference}" in this document`);
        at = next;
      }
      return { schema: at, path: local.slice(1) };
    },
  };
}
