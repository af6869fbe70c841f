/** Which width of a model the hidden-size dependent keys are made from. Knows configurations, no files. */
import { invalidValue } from "../errors.ts";

/** What of `model.config` is looked at; other fields are left alone. */
export interface ModelShape {
  readonly hidden_size?: number | null | undefined;
  readonly hidden_sizes?: readonly number[] | null | undefined;
}

/** No model is near it, and its square is an exact integer in binary64. */
export const LARGEST_HIDDEN_SIZE = 2 ** 26;

function checked(value: unknown, param: string): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= LARGEST_HIDDEN_SIZE) return value;
  throw invalidValue(param, value, `an integer from 0 to ${LARGEST_HIDDEN_SIZE}`);
}

/**
 * `max(hidden_sizes)` when there is one that is not empty, else `hidden_size`; null when the model has neither, or is
 * null itself. As TRL 0.15.2 `trl/models/utils.py:prepare_deepspeed` reads it.
 *
 * @throws GatewayError `invalid_value` for what is no width.
 */
export function chooseHiddenSize(model: ModelShape | null): number | null {
  if (model === null) return null;
  const { hidden_size: size, hidden_sizes: sizes } = model;
  if (Array.isArray(sizes) && sizes.length > 0) {
    return Math.max(...sizes.map((one, index) => checked(one, `model.hidden_sizes.${index}`)));
  }
  if (sizes !== undefined && sizes !== null && !Array.isArray(sizes)) {
    throw invalidValue("model.hidden_sizes", sizes, "an array of integers");
  }
  return size === undefined || size === null ? null : checked(size, "model.hidden_size");
}
