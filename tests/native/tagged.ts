/** Python values as JSON with tags where JSON has no such type, as `tests/interop/python/rendezvous.py` writes them. */
import { Buffer } from "node:buffer";
import { NcclUniqueId, type PickleKey, PickleTuple, type PickleValue } from "../../src/worker/native/pickle-values.ts";

/** Anything JSON. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** {"bytes": hex}, {"id": hex}, {"int": decimal}, {"tuple": [...]}, {"dict": [[key, value], ...]}; else as it is. */
export function fromJson(json: Json): PickleValue {
  if (Array.isArray(json)) return json.map(fromJson);
  if (typeof json !== "object" || json === null) return json;
  if ("bytes" in json) return Uint8Array.from(Buffer.from(String(json.bytes), "hex"));
  if ("id" in json) return new NcclUniqueId(Uint8Array.from(Buffer.from(String(json.id), "hex")));
  if ("int" in json) return BigInt(String(json.int));
  if ("tuple" in json) return new PickleTuple((json.tuple as Json[]).map(fromJson));
  return new Map((json.dict as [PickleKey & Json, Json][]).map(([key, value]) => [key, fromJson(value)]));
}

/** The way back. */
export function toJson(value: PickleValue): Json {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("hex") };
  if (value instanceof NcclUniqueId) return { id: Buffer.from(value.bytes).toString("hex") };
  if (value instanceof PickleTuple) return { tuple: value.items.map(toJson) };
  if (value instanceof Map) return { dict: [...value].map(([key, item]) => [key as string, toJson(item)]) };
  if (typeof value === "bigint") return { int: String(value) };
  if (Array.isArray(value)) return value.map(toJson);
  return value as Json;
}
