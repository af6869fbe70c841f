/** Typed fields of a parsed `config.json`, each bounded, or a refusal that names the field. Knows no field's meaning. */
import { GatewayError, showValue } from "../errors.ts";

/** A JSON object. */
export type Json = Readonly<Record<string, unknown>>;

/** Whether a parsed value is an object (and no list). */
export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A value that is understood and not taken: names field, value and what is. */
export function unsupported(field: string, value: unknown, accepted: string): GatewayError {
  return new GatewayError("unsupported", `config.json: ${field} ${showValue(value)} is not supported; ${accepted}.`, {
    param: field,
  });
}

function invalid(field: string, value: unknown, accepted: string): GatewayError {
  return new GatewayError("invalid_value", `config.json: ${field} must be ${accepted}, got ${showValue(value)}.`, {
    param: field,
  });
}

/** An integer from `least` (1 unless given) to `limit`; null counts as absent. @throws GatewayError `invalid_value` */
export function toCount(json: Json, field: string, limit: number, fallback?: number, least = 1): number {
  const value = json[field] ?? fallback;
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= limit) return value;
  throw invalid(field, value, `an integer from ${least} to ${limit}`);
}

/** A finite number above 0. @throws GatewayError `invalid_value` */
export function toPositive(value: unknown, field: string): number {
  if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
  throw invalid(field, value, "a number above 0");
}

/** true or false; null counts as absent. @throws GatewayError `invalid_value` */
export function toFlag(json: Json, field: string, fallback = false): boolean {
  const value = json[field] ?? fallback;
  if (typeof value === "boolean") return value;
  throw invalid(field, value, "true or false");
}
