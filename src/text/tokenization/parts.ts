/** Reads the parts of a `tokenizer.json`, which is untrusted: types checked, unknown parts refused by name. */
import { GatewayError } from "../../errors.ts";

export type Json = Readonly<Record<string, unknown>>;

/** An object, or {} for anything else. */
export const record = (value: unknown): Json =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};

/** A list, or [] for anything else. */
export const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** A string, or the standard. */
export const text = (value: unknown, standard = ""): string => (typeof value === "string" ? value : standard);

/** Throws GatewayError `unsupported`, naming the kind of part and its type. */
export function refusePart(kind: string, value: unknown): never {
  throw new GatewayError(
    "unsupported",
    `The tokenizer has a ${kind} of a type that is not known: ${JSON.stringify(record(value).type ?? value)}.`,
  );
}
