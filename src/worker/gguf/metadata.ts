/** Typed values of a GGUF file's metadata, each bounded, or a refusal that names key and value. Knows no key's meaning. */
import { GatewayError, showValue } from "../../errors.ts";
import type { GgufHeader, MetadataValue } from "./header.ts";

/** What is asked of metadata. A key that is absent gives undefined; one of the wrong type is refused. */
export interface Metadata {
  readonly path: string;
  has(key: string): boolean;
  text(key: string): string | undefined;
  /** An integer from 0 to 2^53 − 1. */
  count(key: string): number | undefined;
  number(key: string): number | undefined;
  flag(key: string): boolean | undefined;
  texts(key: string): readonly string[] | undefined;
  numbers(key: string): readonly number[] | undefined;
  /** The value, or a refusal that says that the key is missing. */
  required<T>(key: string, value: T | undefined): T;
}

const isText = (value: MetadataValue): value is string => typeof value === "string";
const isNumber = (value: MetadataValue): value is number => typeof value === "number";

/** Reads the metadata of a header. */
export function createMetadata({ path, metadata }: Pick<GgufHeader, "path" | "metadata">): Metadata {
  const refuse = (key: string, value: unknown, accepted: string): GatewayError => {
    // JSON has no words for NaN and infinities.
    const shown = typeof value === "bigint" || typeof value === "number" ? String(value) : showValue(value);
    return new GatewayError("invalid_value", `${path}: ${key} must be ${accepted}, got ${shown}.`, { param: key });
  };
  const typed = <T>(key: string, accepted: string, convert: (value: MetadataValue) => T | undefined): T | undefined => {
    const value = metadata.get(key);
    if (value === undefined) return undefined;
    const converted = convert(value);
    if (converted === undefined) throw refuse(key, value, accepted);
    return converted;
  };
  const toNumber = (value: MetadataValue): number | undefined => {
    const number = typeof value === "bigint" ? Number(value) : value;
    return typeof number === "number" && Number.isFinite(number) ? number : undefined;
  };
  return {
    path,
    has: (key) => metadata.has(key),
    text: (key) => typed(key, "a string", (value) => (isText(value) ? value : undefined)),
    count: (key) =>
      typed(key, "a whole number from 0", (value) => {
        const number = toNumber(value);
        return number !== undefined && Number.isSafeInteger(number) && number >= 0 ? number : undefined;
      }),
    number: (key) => typed(key, "a finite number", toNumber),
    flag: (key) => typed(key, "true or false", (value) => (typeof value === "boolean" ? value : undefined)),
    texts: (key) =>
      typed(key, "a list of strings", (value) => (Array.isArray(value) && value.every(isText) ? value : undefined)),
    numbers: (key) =>
      typed(key, "a list of numbers", (value) => (Array.isArray(value) && value.every(isNumber) ? value : undefined)),
    required(key, value) {
      if (value === undefined) {
        throw new GatewayError("missing_field", `${path} has no ${key} in its metadata.`, { param: key });
      }
      return value;
    },
  };
}
