/** Template values as numbers, where Python would take them as such. */
import { PyFloat, type Value } from "./values.ts";

/** An int's or bool's value, or undefined for anything else. */
export function intOf(value: Value): number | bigint | undefined {
  if (typeof value === "boolean") return Number(value);
  return typeof value === "number" || typeof value === "bigint" ? value : undefined;
}

/** A number's value, floats included, or undefined. */
export function numberOf(value: Value): number | undefined {
  if (value instanceof PyFloat) return value.value;
  const int = intOf(value);
  return int === undefined ? undefined : Number(int);
}
