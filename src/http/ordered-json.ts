/**
 * JSON text of values that may hold `Map`s. An object's integer-like keys come out in ascending order whatever the
 * program did; answers keyed by token id or token text must keep theirs (the chosen token first, then by rank).
 */

function holdsMap(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (value instanceof Map) return true;
  if (Array.isArray(value)) {
    // Lists of numbers or of text have none: token ids, vectors.
    for (const item of value) if (typeof item === "object" && holdsMap(item)) return true;
    return false;
  }
  for (const key in value) if (holdsMap((value as Record<string, unknown>)[key])) return true;
  return false;
}

/** Serializes; a Map becomes an object with its keys in order. NaN and infinities become null, as JSON.stringify does. */
export function toOrderedJson(value: unknown): string {
  return holdsMap(value) ? toText(value) : (JSON.stringify(value) ?? "null");
}

function toText(value: unknown): string {
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : "null";
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(toText).join(",")}]`;
  let text = "";
  for (const [key, item] of value instanceof Map ? value : Object.entries(value)) {
    if (item === undefined) continue;
    text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${toText(item)}`;
  }
  return `{${text}}`;
}
